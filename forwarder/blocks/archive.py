"""The PVs that are flagged for archiving, from the rows of the instrument's database."""

import re
from collections.abc import Iterable
from typing import NamedTuple

MOST_PVS = 100_000
_RECORD = re.compile(r"[A-Za-z0-9_:;<>{}/\[\]+-]{1,200}", re.ASCII)
_FIELD = re.compile(r"[A-Z][A-Z0-9_]{0,30}", re.ASCII)
_NUMBER = re.compile(r"[0-9.+-]+(?:[eE][+-]?[0-9]+)?", re.ASCII)


class Archived(NamedTuple):
    pvs: tuple[str, ...]
    """Each once, sorted: the database has no order."""
    bad_rows: int
    first_bad: str
    """What is wrong with the first of them; empty if there is none."""


class Steady:
    """Looks at rows that others write anew at times: what one look does not find is given up at the next."""

    def __init__(self, before: Iterable[str] = ()) -> None:
        """`before` are the PVs that were found before the first look."""
        self._before = tuple(before)

    def seen(self, rows: Iterable[tuple[object, object]]) -> Archived:
        """What this look or the one before has found; nothing is given up where all rows of this one are bad."""
        found = archived(rows)
        if found.bad_rows and not found.pvs:
            return found
        before, self._before = self._before, found.pvs
        return found._replace(pvs=tuple(sorted({*found.pvs, *before})))


def archived(rows: Iterable[tuple[object, object]]) -> Archived:
    """Record and field of each; a row's value is words, of which numbers are periods and the others are fields.

    A row that says something else is left out and counted.
    """
    pvs: set[str] = set()
    bad = 0
    first = ""
    for name, value in rows:
        fields = [word for word in str(value or "").replace(",", " ").split() if not _NUMBER.fullmatch(word)]
        if not isinstance(name, str) or not _RECORD.fullmatch(name):
            wrong = f"pvname {ascii(name)[:80]}, where the name of a record is expected"
        elif strange := next((field for field in fields if not _FIELD.fullmatch(field)), None):
            wrong = f"the value of {name} has {ascii(strange)[:80]}, where a field or a period is expected"
        elif len(pvs) + len(fields) > MOST_PVS:
            wrong = f"more than {MOST_PVS} PVs, which are the most expected"
        else:
            pvs.update(f"{name}.{field}" for field in fields)
            continue
        bad += 1
        first = first or wrong
    return Archived(tuple(sorted(pvs)), bad, first)
