"""A number that one process counts up and another one reads, for next to nothing: the first bytes of a mapped file."""

import mmap
from collections.abc import Callable
from pathlib import Path
from struct import Struct

_COUNT = Struct("q")


def create(file: Path) -> None:
    file.write_bytes(_COUNT.pack(0))


def write_to(file: Path) -> Callable[[int], None]:
    with file.open("r+b") as opened:
        place = mmap.mmap(opened.fileno(), _COUNT.size)
    return lambda count: _COUNT.pack_into(place, 0, count)


def read(file: Path) -> int:
    return _COUNT.unpack(file.read_bytes())[0]
