"""What the block server says: the names of the blocks there are, as hex of zlib of a JSON list.

Whatever comes is looked at before it is believed: what it unpacks to is bounded, and so are names and their number.
"""

import json
import re
import zlib
from enum import Enum
from typing import NamedTuple, TypeGuard, cast

from forwarder.errors import ForwarderError

MOST_BYTES = 8 * 1024 * 1024
"""Of the JSON; 10 000 blocks take a few hundred thousand."""
MOST_BLOCKS = 50_000
LONGEST_NAME = 200
"""Characters. EPICS databases end at 60 for the whole name of a PV."""
_NAME = re.compile(r"[A-Za-z0-9_.:;<>\[\]$+-]+", re.ASCII)
"""What may stand in an EPICS name. A wildcard may not: it would mean other blocks too where one is removed."""


class Fault(Enum):
    """What can be wrong with it, for counting."""

    TYPE = "type"
    HEX = "hex"
    ZLIB = "zlib"
    SIZE = "size"
    JSON = "json"
    NAMES = "names"
    UNREADABLE = "unreadable"


class BadBlocks(ForwarderError):
    """What the block server says can't be believed; the message says what was expected."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class Named(NamedTuple):
    names: tuple[str, ...]
    """Each once, in their order."""
    bad: int
    """Names that no PV can have; they are left out."""
    first_bad: str
    """What is wrong with the first of them; empty if there is none."""


def block_names(raw: bytes) -> Named:
    """The names in the characters of the PV. Raises BadBlocks, also where there are only bad ones."""
    text = raw.split(b"\0", 1)[0].strip()
    try:
        packed = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        raise BadBlocks(Fault.HEX, f"{len(text)} characters up to the first NUL, where hex is expected") from None
    return _names(_unpacked(packed))


def _unpacked(packed: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        unpacked = unpacking.decompress(packed, MOST_BYTES + 1)
    except zlib.error as error:
        raise BadBlocks(Fault.ZLIB, f"{len(packed)} bytes, where zlib is expected: {error}") from None
    if len(unpacked) > MOST_BYTES:
        raise BadBlocks(
            Fault.SIZE, f"{len(packed)} bytes that unpack to more than {MOST_BYTES}, which are the most expected"
        )
    if not unpacking.eof:
        raise BadBlocks(Fault.ZLIB, f"{len(packed)} bytes, where zlib is expected: its end is missing")
    return unpacked


def _names(text: bytes) -> Named:
    try:
        loaded: object = json.loads(text)
    except (ValueError, RecursionError):
        raise BadBlocks(Fault.JSON, f"{len(text)} bytes, where a JSON list of names is expected") from None
    if not isinstance(loaded, list):
        raise BadBlocks(Fault.JSON, f"JSON that is {_shown(loaded)}, where a list of names is expected")
    names = cast("list[object]", loaded)
    if len(names) > MOST_BLOCKS:
        raise BadBlocks(Fault.NAMES, f"{len(names)} names, where at most {MOST_BLOCKS} are expected")
    good = dict.fromkeys(name for name in names if _is_name(name))
    bad = [number for number, name in enumerate(names) if not _is_name(name)]
    first = (
        f"name {bad[0] + 1} of {len(names)} is {_shown(names[bad[0]])}, where up to {LONGEST_NAME} characters that the "
        "name of a PV may have are expected"
        if bad
        else ""
    )
    if bad and not good:
        raise BadBlocks(Fault.NAMES, first)
    return Named(tuple(good), len(bad), first)


def _is_name(name: object) -> TypeGuard[str]:
    return isinstance(name, str) and len(name) <= LONGEST_NAME and bool(_NAME.fullmatch(name))


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
