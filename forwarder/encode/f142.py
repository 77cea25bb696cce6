"""f142: log data of one PV. Format: schemas/f142.fbs."""

from functools import cache
from struct import Struct
from typing import cast

import numpy as np
import numpy.typing as npt
from flatbuffers import Builder

from ..errors import CannotEncode
from ..model import ChannelType, Value, ValueType
from .template import Cut, Field, cut, finish, named, position, root_of, target

SCHEMA = "f142"

# Members of the union Value of single numbers, and their struct formats; those of arrays follow ten later.
_NUMBERS = {
    ValueType.INT8: (1, "b"),
    ValueType.UINT8: (2, "B"),
    ValueType.INT16: (3, "h"),
    ValueType.UINT16: (4, "H"),
    ValueType.INT32: (5, "i"),
    ValueType.ENUM: (5, "i"),
    ValueType.UINT32: (6, "I"),
    ValueType.INT64: (7, "q"),
    ValueType.UINT64: (8, "Q"),
    ValueType.FLOAT32: (9, "f"),
    ValueType.FLOAT64: (10, "d"),
}
_ARRAYS_FROM = 10
_STRING = 21
_ARRAY_STRING = 22

_STATUS_NO_CHANGE = 22
_SEVERITY_NO_CHANGE = 4
# EPICS counts NO_ALARM MINOR MAJOR INVALID; f142 puts NO_ALARM third.
_SEVERITY = (2, 0, 1, 3)
_LAST_STATUS = 21

# Slots of the root table.
_SOURCE_NAME, _VALUE_TYPE, _VALUE, _TIMESTAMP, _STATUS, _SEVERITY_SLOT = range(6)

_LENGTH = Struct("<I").pack


def _root(builder: Builder, name: int, value_type: int, value: int) -> bytes:
    # What is added last lies first: the patched fields come before all that varies in length.
    builder.StartObject(6)
    builder.PrependUint8Slot(_VALUE_TYPE, value_type, None)
    builder.PrependUint16Slot(_SEVERITY_SLOT, _SEVERITY_NO_CHANGE, None)
    builder.PrependUint16Slot(_STATUS, _STATUS_NO_CHANGE, None)
    builder.PrependUOffsetTRelativeSlot(_VALUE, value, None)
    builder.PrependUOffsetTRelativeSlot(_SOURCE_NAME, name, None)
    builder.PrependUint64Slot(_TIMESTAMP, 0, None)
    return finish(builder, builder.EndObject(), SCHEMA)


def _table_around(builder: Builder, offset: int) -> int:
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, offset, None)
    return builder.EndObject()


def _placeholder(length: int) -> bytes:
    # No byte of a message around it is 0x7f, so that it is found where the name is and nowhere else.
    return b"\x7f" * length


class _Cuts:
    """A template cut in two ways: with the alarm left at NO_CHANGE, and with it patched in."""

    __slots__ = ("alarm", "plain")

    def __init__(self, message: bytes, after: tuple[Field, ...] = ()) -> None:
        root = root_of(message)
        time = Field(position(root, _TIMESTAMP), "Q")
        status = Field(position(root, _STATUS), "H")
        severity = Field(position(root, _SEVERITY_SLOT), "H")
        self.plain: Cut = cut(message, (time, *after))
        self.alarm: Cut = cut(message, (time, status, severity, *after))


@cache
def _number_cuts(element: ValueType, name_length: int) -> _Cuts:
    value_type, number_format = _NUMBERS[element]
    builder = Builder(256)
    name = builder.CreateString(_placeholder(name_length))
    builder.StartObject(1)
    size = Struct(f"<{number_format}").size
    {
        1: builder.PrependUint8Slot,
        2: builder.PrependUint16Slot,
        4: builder.PrependUint32Slot,
        8: builder.PrependUint64Slot,
    }[size](0, 0, 1)
    value = builder.EndObject()
    message = _root(builder, name, value_type, value)
    table = root_of(message)
    table.Pos = target(table, _VALUE)
    return _Cuts(message, (Field(position(table, 0), number_format),))


@cache
def _array_cuts(element: ValueType, name_length: int) -> _Cuts:
    """Cuts of a message that ends before the array's length, which is its last object."""
    value_type, number_format = _NUMBERS[element]
    size = Struct(f"<{number_format}").size
    builder = Builder(256)
    builder.StartVector(size, 0, size)
    vector = builder.EndVector()
    name = builder.CreateString(_placeholder(name_length))
    message = _root(builder, name, _ARRAYS_FROM + value_type, _table_around(builder, vector))
    return _Cuts(message[:-4])


@cache
def _string_cuts(name_length: int) -> _Cuts:
    """Cuts of a message that ends before the text's length, which is its last object."""
    builder = Builder(256)
    text = builder.CreateString("")
    name = builder.CreateString(_placeholder(name_length))
    message = _root(builder, name, _STRING, _table_around(builder, text))
    root = root_of(message)
    root.Pos = target(root, _VALUE)
    return _Cuts(message[: target(root, 0)])


class NumberEncoder:
    """Encodes the updates of a PV that holds one number."""

    __slots__ = ("_head", "_middle", "_name", "_pack", "_tail", "_type")

    def __init__(self, element: ValueType, name: bytes) -> None:
        self._type = element
        self._name = name
        plain = _number_cuts(element, len(name)).plain
        self._pack = plain.struct.pack
        self._head, self._middle, tail = plain.pieces
        self._tail = named(tail, _placeholder(len(name)), name)

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message that says nothing of the alarm, because it has not changed."""
        return self._pack(self._head, time_ns, self._middle, value, self._tail)

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """A message with EPICS alarm status and severity."""
        alarm = _number_cuts(self._type, len(self._name)).alarm
        head, before_status, before_severity, middle, _ = alarm.pieces
        status, severity = _alarm(status, severity)
        return alarm.struct.pack(
            head, time_ns, before_status, status, before_severity, severity, middle, value, self._tail
        )


class _EndingEncoder:
    """Encodes messages whose value is the last object: everything before it is one patched piece."""

    __slots__ = ("_alarm_tail", "_cuts", "_tail")

    def __init__(self, cuts: _Cuts, name: bytes) -> None:
        self._cuts = cuts
        placeholder = _placeholder(len(name))
        self._tail = named(cuts.plain.pieces[1], placeholder, name)
        self._alarm_tail = named(cuts.alarm.pieces[3], placeholder, name)

    def _start(self, time_ns: int) -> bytes:
        plain = self._cuts.plain
        return plain.struct.pack(plain.pieces[0], time_ns, self._tail)

    def _start_with_alarm(self, time_ns: int, status: int, severity: int) -> bytes:
        alarm = self._cuts.alarm
        status, severity = _alarm(status, severity)
        head, before_status, before_severity, _ = alarm.pieces
        return alarm.struct.pack(head, time_ns, before_status, status, before_severity, severity, self._alarm_tail)


class ArrayEncoder(_EndingEncoder):
    """Encodes the updates of a PV that holds an array of numbers."""

    __slots__ = ("_dtype",)

    def __init__(self, element: ValueType, name: bytes) -> None:
        super().__init__(_array_cuts(element, len(name)), name)
        self._dtype = np.dtype(f"<{_NUMBERS[element][1]}")

    def _end(self, value: Value) -> tuple[bytes, memoryview]:
        array = np.ascontiguousarray(cast("npt.NDArray[np.generic]", value), self._dtype)
        return _LENGTH(array.size), array.data

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message that says nothing of the alarm, because it has not changed."""
        return b"".join((self._start(time_ns), *self._end(value)))

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """A message with EPICS alarm status and severity."""
        return b"".join((self._start_with_alarm(time_ns, status, severity), *self._end(value)))


class StringEncoder(_EndingEncoder):
    """Encodes the updates of a PV that holds one text."""

    __slots__ = ()

    def __init__(self, name: bytes) -> None:
        super().__init__(_string_cuts(len(name)), name)

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message that says nothing of the alarm, because it has not changed."""
        return self._start(time_ns) + _text(cast("str", value))

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """A message with EPICS alarm status and severity."""
        return self._start_with_alarm(time_ns, status, severity) + _text(cast("str", value))


class StringsEncoder:
    """Encodes the updates of a PV that holds an array of texts: rare, so it is built anew each time."""

    __slots__ = ("_name",)

    def __init__(self, name: bytes) -> None:
        self._name = name

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message that says nothing of the alarm, because it has not changed."""
        return self._built(value, time_ns, _STATUS_NO_CHANGE, _SEVERITY_NO_CHANGE)

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """A message with EPICS alarm status and severity."""
        return self._built(value, time_ns, *_alarm(status, severity))

    def _built(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        builder = Builder(1024)
        texts = [builder.CreateString(text) for text in cast("list[str]", value)]
        builder.StartVector(4, len(texts), 4)
        for text in reversed(texts):
            builder.PrependUOffsetTRelative(text)
        vector = builder.EndVector()
        name = builder.CreateString(self._name)
        message = _root(builder, name, _ARRAY_STRING, _table_around(builder, vector))
        cuts = _Cuts(message).alarm
        head, before_status, before_severity, tail = cuts.pieces
        return cuts.struct.pack(head, time_ns, before_status, status, before_severity, severity, tail)


def _text(text: str) -> bytes:
    encoded = text.encode()
    padding = -len(encoded) % 4 or 4
    return _LENGTH(len(encoded)) + encoded + bytes(padding)


def _alarm(status: int, severity: int) -> tuple[int, int]:
    """EPICS's numbers as f142's; a status that EPICS does not have is UDF (17)."""
    return status if 0 <= status <= _LAST_STATUS else 17, _SEVERITY[severity] if 0 <= severity <= 3 else _SEVERITY[3]


def encoder(source_name: str, kind: ChannelType) -> NumberEncoder | ArrayEncoder | StringEncoder | StringsEncoder:
    """The encoder of one PV, chosen once when it connects. Raises CannotEncode for a type that f142 lacks."""
    name = source_name.encode()
    if kind.element is ValueType.STRING:
        return StringsEncoder(name) if kind.is_array else StringEncoder(name)
    if kind.element not in _NUMBERS:
        raise CannotEncode(f"{source_name}: f142 has no place for {kind.element.value}")
    return ArrayEncoder(kind.element, name) if kind.is_array else NumberEncoder(kind.element, name)
