"""Reading the value messages (CA_PROTO_EVENT_ADD responses) out of the bytes of a circuit.

Layouts are those of the Channel Access protocol specification and EPICS's db_access.h: a header of 16 bytes
(command, payload size, data type, data count, status, subscription), or of 24 when the payload is large, and a payload
that starts with alarm status, alarm severity and the time stamp. All numbers are big-endian.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any

import numpy as np

from forwarder.chars import asks_for_text, text
from forwarder.model import EPICS_EPOCH_S, ChannelType, Value, ValueType

EVENT_ADD = 1
"""Command of a value message."""
ECA_NORMAL = 1
"""Status of a value message that carries a value (caerr.h)."""
EPOCH_NS = EPICS_EPOCH_S * 1_000_000_000

HEADER_SIZE = 16
LARGE_HEADER_SIZE = 24

header = Struct(">HHHHII").unpack_from
"""command, payload size, data type, data count, parameter 1 (status), parameter 2 (subscription)."""
large_sizes = Struct(">II").unpack_from
"""Payload size and data count behind the header, where the header has 0xFFFF and 0 in their places."""
_meta = Struct(">hhII").unpack_from
"""alarm status, alarm severity, seconds since 1990, nanoseconds."""


@dataclass(frozen=True, slots=True)
class NativeType:
    """One native type of Channel Access."""

    element: ValueType
    time_type: int
    """The DBR type that brings values of it with alarm and time."""
    value_at: int
    """Where the value lies in the payload of that type."""
    format: str
    """Of one number, for struct; empty for strings."""

    @property
    def control_type(self) -> int:
        """The DBR type that brings its properties."""
        return self.time_type + 14

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of an array of it on the wire."""
        return np.dtype(f">{self.format}")


# By native type: DBF_STRING INT FLOAT ENUM CHAR LONG DOUBLE; DBR_TIME_x is 14 more, DBR_CTRL_x 28.
NATIVE_TYPES = {
    0: NativeType(ValueType.STRING, 14, 12, ""),
    1: NativeType(ValueType.INT16, 15, 14, "h"),
    2: NativeType(ValueType.FLOAT32, 16, 12, "f"),
    3: NativeType(ValueType.ENUM, 17, 14, "H"),
    4: NativeType(ValueType.UINT8, 18, 15, "B"),
    5: NativeType(ValueType.INT32, 19, 12, "i"),
    6: NativeType(ValueType.FLOAT64, 20, 16, "d"),
}
_BY_TIME_TYPE = {native.time_type: native for native in NATIVE_TYPES.values()}

STRING_SIZE = 40
"""Bytes of one DBR_STRING, unused ones included."""

_CTRL_ENUM = 31
# The begin of struct dbr_ctrl_x in db_access.h: status, severity, for FLOAT and DOUBLE the precision and two bytes of
# padding; then the units. For ENUM the number of strings and the strings, 16 whatever their number.
_PROPERTIES = {
    29: Struct(">4x8s"),
    30: Struct(">8x8s"),
    _CTRL_ENUM: Struct(">4xH" + 16 * "26s"),
    32: Struct(">4x8s"),
    33: Struct(">4x8s"),
    34: Struct(">8x8s"),
}

Run = Callable[[memoryview], Iterator[tuple[Any, ...]]]
"""Reads successive frames of one size: (head, status of the message, subscription, alarm status, alarm severity,
seconds, nanoseconds, value)."""


def _scalar_frames() -> dict[int, tuple[Run, int]]:
    frames: dict[int, tuple[Run, int]] = {}
    for native in NATIVE_TYPES.values():
        if native.format:
            payload_size = native.value_at + Struct(f">{native.format}").size
            payload_size += -payload_size % 8
            first_eight_bytes = EVENT_ADD << 48 | payload_size << 32 | native.time_type << 16 | 1
            value = f"{native.value_at - 12}x{native.format}"
            frame = Struct(f">QIIhhII{value}")
            frame = Struct(f"{frame.format}{HEADER_SIZE + payload_size - frame.size}x")
            frames[first_eight_bytes] = (frame.iter_unpack, frame.size)
    return frames


SCALAR_FRAMES = _scalar_frames()
"""By the first eight bytes of a value message with one number: how to read a run of such messages, and their size."""


def decode(time_type: int, count: int, message: bytes, at: int, size: int) -> tuple[Value, int, int, int]:
    """Any value message's payload at an offset: (array of values, time in ns since 1970, alarm status, severity).

    Raises ValueError when the payload is too short for what its header says.
    """
    native = _BY_TIME_TYPE.get(time_type)
    if native is None:
        raise ValueError(f"a value message of DBR type {time_type}, which was not asked for")
    item_size = native.dtype.itemsize if native.format else STRING_SIZE
    # A string message with one element may be cut behind its text: caproto's servers do so.
    if size < native.value_at + (count * item_size if native.format or count != 1 else 0):
        raise ValueError(f"{size} bytes are too short for {count} elements of DBR type {time_type}")
    status, severity, seconds, nanoseconds = _meta(message, at)
    value_at = at + native.value_at
    value: Value
    if native.format:
        value = np.frombuffer(message, native.dtype, count, value_at).astype(native.dtype.newbyteorder("<"))
    else:
        end = at + size
        starts = range(value_at, value_at + count * STRING_SIZE, STRING_SIZE)
        value = [text(message[start : min(start + STRING_SIZE, end)], STRING_SIZE) for start in starts]
    return value, seconds * 1_000_000_000 + nanoseconds + EPOCH_NS, status, severity


def description(control_type: int, payload: bytes) -> tuple[str, tuple[str, ...]]:
    """Units and enum strings in a payload of a DBR_CTRL type.

    Raises ValueError when the payload is too short, or of a type that has neither.
    """
    layout = _PROPERTIES.get(control_type)
    if layout is None:
        raise ValueError(f"properties of DBR type {control_type}, which were not asked for")
    if len(payload) < layout.size:
        raise ValueError(f"{len(payload)} bytes are too short for the properties of DBR type {control_type}")
    units_or_count, *choices = layout.unpack_from(payload)
    if control_type == _CTRL_ENUM:
        return "", tuple(text(choice, len(choice)) for choice in choices[:units_or_count])
    return text(units_or_count, len(units_or_count)), ()


def one_element(array: Value) -> Value:
    """The scalar in a message of a PV that holds at most one element."""
    if isinstance(array, list):
        return array[0] if array else ""
    if isinstance(array, np.ndarray) and array.size:
        return array[0].item()
    raise ValueError("a value message without an element for a PV that holds one")


def channel_type(native: NativeType, largest_count: int, name: str) -> ChannelType:
    """The type of a channel, from what the server said when it was created.

    A name that ends with `$` says that its characters are a text, of which a DBR_STRING would hold 39.
    """
    if native.element is ValueType.UINT8 and asks_for_text(name):
        return ChannelType(ValueType.STRING, is_array=False)
    return ChannelType(native.element, largest_count != 1)


def array_of(value: Value, dtype: "np.dtype[Any]") -> Value:
    """One number as an array of one, for a PV that can hold more; an array as it is."""
    return value if isinstance(value, np.ndarray | list) else np.array([value], dtype)
