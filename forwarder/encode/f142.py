"""f142: log data of one PV, with its alarm. Format: schemas/f142.fbs."""

from functools import cache
from typing import cast

import numpy as np
import numpy.typing as npt
from flatbuffers import Builder

from .. import chars
from ..model import ChannelType, Value, ValueType
from . import logdata
from .logdata import NUMBERS, EndingEncoder, Form
from .refusal import no_place
from .template import Cut, Field, cut, finish, named, placeholder, position, root_of, table_around, target, text

SCHEMA = "f142"
TEXT_SCHEMA = "text_f142"
"""What the configuration says for f142 with an array of characters as a text."""

_STRING = 21
_ARRAY_STRING = 22

_STATUS_NO_CHANGE = 22
_SEVERITY_NO_CHANGE = 4
# EPICS counts NO_ALARM MINOR MAJOR INVALID; f142 puts NO_ALARM third.
_SEVERITY = (2, 0, 1, 3)
_LAST_STATUS = 21

# Slots of the root table.
_SOURCE_NAME, _VALUE_TYPE, _VALUE, _TIMESTAMP, _STATUS, _SEVERITY_SLOT = range(6)


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


_FORM = Form(_root, _VALUE)


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
    message, number = logdata.number_message(_FORM, element, name_length)
    return _Cuts(message, (number,))


@cache
def _array_cuts(element: ValueType, name_length: int) -> _Cuts:
    return _Cuts(logdata.array_message(_FORM, element, name_length))


@cache
def _string_cuts(name_length: int) -> _Cuts:
    """Cuts of a message that ends before the text's length, which is its last object."""
    builder = Builder(256)
    empty = builder.CreateString("")
    name = builder.CreateString(placeholder(name_length))
    message = _root(builder, name, _STRING, table_around(builder, empty))
    root = root_of(message)
    root.Pos = target(root, _VALUE)
    return _Cuts(message[: target(root, 0)])


class NumberEncoder(logdata.NumberEncoder):
    """Encodes the updates of a PV that holds one number."""

    __slots__ = ("_element", "_name_length")

    def __init__(self, element: ValueType, name: bytes) -> None:
        super().__init__(_number_cuts(element, len(name)).plain, name)
        self._element = element
        self._name_length = len(name)

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """A message with EPICS alarm status and severity."""
        alarm = _number_cuts(self._element, self._name_length).alarm
        head, before_status, before_severity, middle, _ = alarm.pieces
        status, severity = _alarm(status, severity)
        return alarm.struct.pack(
            head, time_ns, before_status, status, before_severity, severity, middle, value, self._tail
        )


class _AlarmedStart:
    """Begins messages that carry the alarm and whose value is the last object."""

    __slots__ = ("_alarm", "_tail")

    def __init__(self, alarm: Cut, name: bytes) -> None:
        self._alarm = alarm
        self._tail = named(alarm.pieces[-1], name)

    def __call__(self, time_ns: int, status: int, severity: int) -> bytes:
        status, severity = _alarm(status, severity)
        head, before_status, before_severity, _ = self._alarm.pieces
        return self._alarm.struct.pack(head, time_ns, before_status, status, before_severity, severity, self._tail)


class ArrayEncoder(logdata.ArrayEncoder):
    """Encodes the updates of a PV that holds an array of numbers."""

    __slots__ = ("_alarmed_start",)

    def __init__(self, element: ValueType, name: bytes) -> None:
        cuts = _array_cuts(element, len(name))
        super().__init__(cuts.plain, name, element)
        self._alarmed_start = _AlarmedStart(cuts.alarm, name)

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """A message with EPICS alarm status and severity."""
        return b"".join((self._alarmed_start(time_ns, status, severity), *self._end(value)))


class StringEncoder(EndingEncoder):
    """Encodes the updates of a PV that holds one text."""

    __slots__ = ("_alarmed_start",)

    def __init__(self, name: bytes) -> None:
        cuts = _string_cuts(len(name))
        super().__init__(cuts.plain, name)
        self._alarmed_start = _AlarmedStart(cuts.alarm, name)

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message that says nothing of the alarm, because it has not changed."""
        return self._start(time_ns) + text(cast("str", value))

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """A message with EPICS alarm status and severity."""
        return self._alarmed_start(time_ns, status, severity) + text(cast("str", value))


class CharsEncoder(StringEncoder):
    """Encodes the updates of a PV whose array of characters is a text up to its first NUL."""

    __slots__ = ()

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message that says nothing of the alarm, because it has not changed."""
        return super().encode(_text_of(value), time_ns)

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """A message with EPICS alarm status and severity."""
        return super().encode_with_alarm(_text_of(value), time_ns, status, severity)


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
        texts = [builder.CreateString(each) for each in cast("list[str]", value)]
        builder.StartVector(4, len(texts), 4)
        for each in reversed(texts):
            builder.PrependUOffsetTRelative(each)
        vector = builder.EndVector()
        name = builder.CreateString(self._name)
        message = _root(builder, name, _ARRAY_STRING, table_around(builder, vector))
        cuts = _Cuts(message).alarm
        head, before_status, before_severity, tail = cuts.pieces
        return cuts.struct.pack(head, time_ns, before_status, status, before_severity, severity, tail)


def _text_of(value: Value) -> str:
    return chars.text(cast("npt.NDArray[np.generic]", value).tobytes())


def _alarm(status: int, severity: int) -> tuple[int, int]:
    """EPICS's numbers as f142's; a status that EPICS does not have is UDF (17)."""
    return status if 0 <= status <= _LAST_STATUS else 17, _SEVERITY[severity] if 0 <= severity <= 3 else _SEVERITY[3]


def encoder(source_name: str, kind: ChannelType) -> NumberEncoder | ArrayEncoder | StringEncoder | StringsEncoder:
    """The encoder of one PV, chosen once when it connects.

    A boolean becomes a UByte of 0 or 1. Raises CannotEncode for a type that f142 lacks, such as a table.
    """
    name = source_name.encode()
    if kind.element is ValueType.STRING:
        return StringsEncoder(name) if kind.is_array else StringEncoder(name)
    if kind.element not in NUMBERS:
        raise no_place(source_name, SCHEMA, kind)
    return ArrayEncoder(kind.element, name) if kind.is_array else NumberEncoder(kind.element, name)


def text_encoder(source_name: str, kind: ChannelType) -> StringEncoder:
    """The encoder of one PV that holds a text, or an array of characters that is one.

    Raises CannotEncode for everything else: a PV asked for as a text must not become something else.
    """
    if kind.is_array and kind.element in (ValueType.INT8, ValueType.UINT8):
        return CharsEncoder(source_name.encode())
    if kind.element is ValueType.STRING and not kind.is_array:
        return StringEncoder(source_name.encode())
    raise no_place(source_name, TEXT_SCHEMA, kind)
