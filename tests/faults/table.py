"""What came of each fault, for people."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    fault: str
    lasted_s: float
    received: int
    acknowledged: int
    missing: int
    duplicated: int
    recovered_s: float
    highest_bytes: int


rows: list[Row] = []
"""In the order of the tests."""

_HEADS = ("fault", "lasted", "received", "acknowledged", "missing", "duplicated", "recovered after", "highest memory")


def text() -> str:
    """The rows as a table in Markdown."""
    lines = [_line(_HEADS), _line("---" if column == 0 else "--:" for column in range(len(_HEADS)))]
    for row in rows:
        counts = (f"{n:,}".replace(",", " ") for n in (row.received, row.acknowledged, row.missing, row.duplicated))
        lasted = f"{row.lasted_s:.0f} s" if row.lasted_s else "-"
        memory = f"{row.highest_bytes / 1e6:.0f} MB"
        lines.append(_line((row.fault, lasted, *counts, f"{row.recovered_s:.1f} s", memory)))
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
