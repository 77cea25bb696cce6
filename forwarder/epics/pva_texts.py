"""Strings of pvAccess values, which should be UTF-8 and often are not: the library takes nothing else.

For a string it raises an error that holds the bytes. For an array of strings the error holds one of them only; but what
it prints of a value has all of them, with every byte escaped that is not printable ASCII, and whatever their number.
To read it costs 10 µs a string.
"""

import re
from typing import Any

from forwarder.chars import decoded

STRING_SIZE = 40
"""Bytes of a string field of a record, its closing NUL included: where QSRV serves one, that is what cut it."""
UNITS_SIZE = 16
CHOICE_SIZE = 26

_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"')


def text(fields: Any, name: bytes, field_size: int = STRING_SIZE) -> str:
    """A string of a value, as `forwarder.chars.decoded` has it."""
    try:
        return fields[name]
    except UnicodeDecodeError as error:
        return decoded(error.object, field_size)


def texts(fields: Any, name: bytes, field_size: int = STRING_SIZE) -> list[str]:
    """An array of strings, each of them as if it were alone; empty where it was never set."""
    try:
        return fields[name] or []
    except UnicodeDecodeError:
        strings = _printed(fields, name)
        if strings is None:
            raise
        # Without NULs at the end, as the library gives them.
        return [decoded(string.rstrip(b"\0"), field_size) for string in strings]


def text_or_texts(fields: Any, name: bytes) -> Any:
    """Whatever a field of any type holds; where that is strings, as above."""
    try:
        return fields[name]
    except UnicodeDecodeError:
        return text(fields, name) if _printed(fields, name) is None else texts(fields, name)


def _printed(fields: Any, name: bytes) -> list[bytes] | None:
    """The array of strings that the library prints for a field; None when it prints nothing of that kind."""
    owner, _, member = name.decode().rpartition(".")
    member = re.escape(member)
    line = rf"^    (?:string\[\] {member}|any {member} string\[\]) = \{{(\d+)\}}\[(.*)\]$"
    found = re.search(line, (fields[owner] if owner else fields).tostr(), re.MULTILINE)
    if found is None:
        return None
    strings = [_bytes_of(printed) for printed in _ELEMENT.findall(found[2])]
    return strings if len(strings) == int(found[1]) else None


def _bytes_of(printed: str) -> bytes:
    # The library escapes as C does, and of what C has only what Python has too.
    return printed.encode().decode("unicode_escape").encode("latin-1")
