"""What may become of the files of a spool while it is in use."""

import os
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

_PAGE = 32 * 1024


def files(directory: Path) -> list[Path]:
    """The database and its log, the largest first."""
    return sorted(directory.glob("spool.db*"), key=lambda path: -path.stat().st_size)


def _each(directory: Path, damage: Callable[[Path], None]) -> None:
    for path in files(directory):
        # When the first one's damage is found at once, the other is moved aside.
        with suppress(FileNotFoundError):
            damage(path)


def _overwrite_a_few_bytes(path: Path) -> None:
    chance = random.Random(1)
    size = path.stat().st_size
    with path.open("r+b") as file:
        # Not the head of the file, which is another case.
        for place in [chance.randrange(2 * _PAGE, size) for _ in range(20) if size > 3 * _PAGE]:
            file.seek(place)
            file.write(chance.randbytes(8))


def _overwrite_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xff" * _PAGE)


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _remove_and_forbid(directory: Path) -> None:
    _each(directory, Path.unlink)
    directory.chmod(0o500)


def _forbid(directory: Path) -> None:
    directory.chmod(0o500)


DAMAGES: Mapping[str, Callable[[Path], None]] = {
    "a few bytes overwritten": partial(_each, damage=_overwrite_a_few_bytes),
    "heads overwritten": partial(_each, damage=_overwrite_head),
    "all bytes overwritten": partial(_each, damage=_overwrite),
    "truncated": partial(_each, damage=_truncate),
    "emptied": partial(_each, damage=_empty),
    "removed": partial(_each, damage=Path.unlink),
    "removed, and not to be made again": _remove_and_forbid,
    "not to be written": _forbid,
}
"""Of a directory."""


def without_override() -> list[str]:
    """A command that runs another one, which may not write where nobody may: root has that right otherwise."""
    if os.geteuid() != 0:
        return []
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]
