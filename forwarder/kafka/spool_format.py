"""The bytes of one row of the spool: many messages, packed so that 10 000 of them take a few milliseconds.

    3 bytes   "spl"
    1 byte    version of this format
    uint32    CRC-32 of the row's label and of all that follows
    uint64    how many messages: n
    int64[n]  their times
    uint32[n] lengths of their keys
    uint32[n] lengths of their values
    the keys, then the values, end to end

All numbers are little-endian.
"""

import struct
import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from forwarder.model import Message

_Lengths: TypeAlias = npt.NDArray[np.uint32]

_VERSION = 1
_HEAD = struct.Struct("<3sBIQ")
_MAGIC = b"spl"
_SUMMED_FROM = 8
"""First byte that the CRC covers."""
_NUMBERS = 8 + 4 + 4
"""Bytes of a message beside its key and value."""
_PIECE = 1000
"""Messages between two pauses; they take about half a millisecond."""


def _go_on() -> None:
    pass


class DamagedRow(Exception):
    """These bytes are not what was written; the message says what gives it away."""


def label(identifier: int, broker: str, topic: str, count: int) -> bytes:
    """What else belongs to a row, for its CRC: bytes that end up under another topic are damaged, too."""
    return f"{identifier}\n{broker}\n{topic}\n{count}".encode()


def size_of(messages: list[Message]) -> int:
    """Bytes that a row of these messages takes."""
    return _HEAD.size + sum([len(key) + len(value) for key, value, _ in messages]) + _NUMBERS * len(messages)


def pack(messages: list[Message], row_label: bytes, pause: Callable[[], object] = _go_on) -> bytearray:
    """The bytes of a row. `pause` is called every few hundred microseconds, to let other threads run."""
    count = len(messages)
    keys: list[bytes] = []
    values: list[bytes] = []
    times: list[int] = []
    for start in range(0, count, _PIECE):
        some = messages[start : start + _PIECE]
        keys += [message[0] for message in some]
        values += [message[1] for message in some]
        times += [message[2] for message in some]
        pause()
    parts = [
        _HEAD.pack(_MAGIC, _VERSION, 0, count),
        np.array(times, "<i8").data,
        np.fromiter(map(len, keys), "<u4", count).data,
        np.fromiter(map(len, values), "<u4", count).data,
    ]
    pause()
    packed = bytearray().join((*parts, *keys, *values))
    _HEAD.pack_into(packed, 0, _MAGIC, _VERSION, _checksum(packed, row_label), count)
    return packed


def check(packed: bytes, row_label: bytes) -> None:
    """Raise DamagedRow unless this is what `pack` has made."""
    _checked_count(packed, row_label)


def unpack(packed: bytes, row_label: bytes, pause: Callable[[], object] = _go_on) -> list[Message]:
    """The messages of a row; equal keys are one object. Raises DamagedRow. `pause`: as for `pack`."""
    count = _checked_count(packed, row_label)
    at = _HEAD.size
    times = np.frombuffer(packed, "<i8", count, at)
    key_ends = _ends(at + _NUMBERS * count, np.frombuffer(packed, "<u4", count, at + 8 * count))
    value_ends = _ends(int(key_ends[-1]), np.frombuffer(packed, "<u4", count, at + 12 * count))
    if value_ends[-1] != len(packed):
        raise DamagedRow(f"its lengths add up to {value_ends[-1]} bytes and not to {len(packed)}")
    messages: list[Message] = []
    shared: dict[bytes, bytes] = {}
    for start in range(0, count, _PIECE):
        stop = start + _PIECE
        keys = _cut(packed, key_ends[start : stop + 1])
        values = _cut(packed, value_ends[start : stop + 1])
        messages += zip(map(shared.setdefault, keys, keys), values, times[start:stop].tolist(), strict=True)
        pause()
    return messages


def _checked_count(packed: bytes, row_label: bytes) -> int:
    if len(packed) < _HEAD.size:
        raise DamagedRow(f"it has only {len(packed)} bytes")
    magic, version, checksum, count = _HEAD.unpack_from(packed)
    if magic != _MAGIC or version != _VERSION:
        raise DamagedRow(f"it begins with {packed[:4]!r}")
    if checksum != _checksum(packed, row_label):
        raise DamagedRow("its CRC is not that of its bytes")
    if count * _NUMBERS > len(packed) - _HEAD.size:
        raise DamagedRow(f"it can't hold {count} messages")
    return count


def _checksum(packed: bytes | bytearray, row_label: bytes) -> int:
    return zlib.crc32(memoryview(packed)[_SUMMED_FROM:], zlib.crc32(row_label))


def _ends(start: int, lengths: _Lengths) -> npt.NDArray[np.int64]:
    """Where the first begins and where each ends."""
    ends = np.empty(len(lengths) + 1, np.int64)
    ends[0] = start
    np.cumsum(lengths, out=ends[1:])
    ends[1:] += start
    return ends


def _cut(packed: bytes, ends: npt.NDArray[np.int64]) -> list[bytes]:
    return [packed[start:end] for start, end in pairwise(ends.tolist())]
