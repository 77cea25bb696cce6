"""What may become of the files of a spool while it is in use."""

import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path

_PAGE = 32 * 1024


def files(directory: Path) -> list[Path]:
    """The database and its log, the largest first."""
    return sorted(directory.glob("spool.db*"), key=lambda path: -path.stat().st_size)


def _overwrite_a_few_bytes(directory: Path) -> None:
    chance = random.Random(1)
    for path in files(directory):
        size = path.stat().st_size
        with path.open("r+b") as file:
            # Not the head of the file, which is another case.
            for place in [chance.randrange(2 * _PAGE, size) for _ in range(20) if size > 3 * _PAGE]:
                file.seek(place)
                file.write(chance.randbytes(8))


def _overwrite_heads(directory: Path) -> None:
    for path in files(directory):
        with path.open("r+b") as file:
            file.write(b"\xff" * _PAGE)


def _overwrite_all(directory: Path) -> None:
    for path in files(directory):
        with path.open("r+b") as file:
            file.write(b"\xff" * path.stat().st_size)


def _truncate(directory: Path) -> None:
    for path in files(directory):
        os.truncate(path, path.stat().st_size // 3)


def _empty(directory: Path) -> None:
    for path in files(directory):
        os.truncate(path, 0)


def _remove(directory: Path) -> None:
    for path in files(directory):
        path.unlink()


def _remove_and_forbid(directory: Path) -> None:
    _remove(directory)
    directory.chmod(0o500)


def _forbid(directory: Path) -> None:
    directory.chmod(0o500)


DAMAGES: Mapping[str, Callable[[Path], None]] = {
    "a few bytes overwritten": _overwrite_a_few_bytes,
    "heads overwritten": _overwrite_heads,
    "all bytes overwritten": _overwrite_all,
    "truncated": _truncate,
    "emptied": _empty,
    "removed": _remove,
    "removed, and not to be made again": _remove_and_forbid,
    "not to be written": _forbid,
}


def without_override() -> list[str]:
    """A command that runs another one, which may not write where nobody may: root has that right otherwise."""
    if os.geteuid() != 0:
        return []
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]
