"""f144: today's log data of one PV, without its alarm. Format: schemas/f144.fbs."""

from functools import cache

from flatbuffers import Builder

from ..model import ChannelType, Value, ValueType
from . import logdata
from .logdata import NUMBERS, Form
from .refusal import no_place
from .template import Cut, Field, cut, finish, position, reserve, root_of

SCHEMA = "f144"

# Slots of the root table.
_SOURCE_NAME, _TIMESTAMP, _VALUE_TYPE, _VALUE = range(4)


def _root(builder: Builder, name: int, value_type: int, value: int) -> bytes:
    builder.StartObject(4)
    builder.PrependUint8Slot(_VALUE_TYPE, value_type, None)
    builder.PrependUOffsetTRelativeSlot(_VALUE, value, None)
    builder.PrependUOffsetTRelativeSlot(_SOURCE_NAME, name, None)
    reserve(builder, _TIMESTAMP, "q")
    return finish(builder, builder.EndObject(), SCHEMA)


_FORM = Form(_root, _VALUE)


@cache
def _number_cut(element: ValueType, name_length: int) -> Cut:
    message, number = logdata.number_message(_FORM, element, name_length)
    return cut(message, (_time(message), number))


@cache
def _array_cut(element: ValueType, name_length: int) -> Cut:
    message = logdata.array_message(_FORM, element, name_length)
    return cut(message, (_time(message),))


def _time(message: bytes) -> Field:
    return Field(position(root_of(message), _TIMESTAMP), "q")


class NumberEncoder(logdata.NumberEncoder):
    """Encodes the updates of a PV that holds one number."""

    __slots__ = ()

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """The same message: f144 leaves the alarm to al00."""
        return self.encode(value, time_ns)


class ArrayEncoder(logdata.ArrayEncoder):
    """Encodes the updates of a PV that holds an array of numbers."""

    __slots__ = ()

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """The same message: f144 leaves the alarm to al00."""
        return self.encode(value, time_ns)


def encoder(source_name: str, kind: ChannelType) -> NumberEncoder | ArrayEncoder:
    """The encoder of one PV, chosen once when it connects.

    A boolean becomes a UByte of 0 or 1. Raises CannotEncode for a type that f144 lacks, such as a string.
    """
    if kind.element not in NUMBERS:
        raise no_place(source_name, SCHEMA, kind)
    name = source_name.encode()
    if kind.is_array:
        return ArrayEncoder(_array_cut(kind.element, len(name)), name, kind.element)
    return NumberEncoder(_number_cut(kind.element, len(name)), name)
