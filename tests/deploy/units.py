"""Reading systemd's units, as far as ours go."""

import re
from pathlib import Path

_UNITS_S = {"": 1, "s": 1, "sec": 1, "min": 60}


def read_unit(path: Path) -> dict[str, list[str]]:
    """The values of every key, in order; lines that go on are joined."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().replace("\\\n", " ").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            found.setdefault(name, []).append(" ".join(value.split()))
    return found


def seconds(text: str) -> float:
    """Of a time with at most one unit, such as `45` or `45 sec`. Raises ValueError for any other."""
    parts = re.fullmatch(r"(\d+)\s*([a-z]*)", text)
    if parts is None or parts[2] not in _UNITS_S:
        raise ValueError(f"{text!r} is not a number of seconds or minutes")
    return int(parts[1]) * _UNITS_S[parts[2]]
