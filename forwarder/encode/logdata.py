"""What f142 and f144 have in common: the union of numbers and arrays, and their patched messages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from flatbuffers import Builder

from ..model import Value, ValueType
from .template import (
    LENGTH,
    Cut,
    Field,
    empty_vector,
    named,
    placeholder,
    position,
    reserve,
    root_of,
    table_around,
    target,
)

NUMBERS = {
    ValueType.INT8: (1, "b"),
    ValueType.UINT8: (2, "B"),
    # Neither union has a boolean, and ess-streaming-data-types refuses one: it is sent as 0 or 1.
    ValueType.BOOL: (2, "B"),
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
"""Members of the union Value for single numbers, and their struct formats."""
_ARRAYS_FROM = 10
"""What is added to the member for a number to have that for an array of them."""


@dataclass(frozen=True, slots=True)
class Form:
    """How one of the formats arranges its root table."""

    root: Callable[[Builder, int, int, int], bytes]
    """(builder, name, member of the union, its table) -> message."""
    value: int
    """Slot of the union's table."""


def number_message(form: Form, element: ValueType, name_length: int) -> tuple[bytes, Field]:
    """A message with one number, and where the number lies: behind all fields of the root table."""
    member, number_format = NUMBERS[element]
    builder = Builder(256)
    name = builder.CreateString(placeholder(name_length))
    builder.StartObject(1)
    reserve(builder, 0, number_format)
    message = form.root(builder, name, member, builder.EndObject())
    table = root_of(message)
    table.Pos = target(table, form.value)
    return message, Field(position(table, 0), number_format)


def array_message(form: Form, element: ValueType, name_length: int) -> bytes:
    """A message with an array of numbers that ends before the array's length, which is its last object."""
    member, number_format = NUMBERS[element]
    builder = Builder(256)
    vector = empty_vector(builder, np.dtype(number_format).itemsize)
    name = builder.CreateString(placeholder(name_length))
    return form.root(builder, name, _ARRAYS_FROM + member, table_around(builder, vector))[:-4]


class NumberEncoder:
    """Encodes the updates of a PV that holds one number."""

    __slots__ = ("_head", "_middle", "_pack", "_tail")

    def __init__(self, plain: Cut, name: bytes) -> None:
        self._pack = plain.struct.pack
        self._head, self._middle, tail = plain.pieces
        self._tail = named(tail, name)

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message that says nothing of the alarm."""
        return self._pack(self._head, time_ns, self._middle, value, self._tail)


class EndingEncoder:
    """Begins messages whose value is the last object: everything before it is one patched piece."""

    __slots__ = ("_head", "_pack", "_tail")

    def __init__(self, plain: Cut, name: bytes) -> None:
        self._pack = plain.struct.pack
        self._head, tail = plain.pieces
        self._tail = named(tail, name)

    def _start(self, time_ns: int) -> bytes:
        return self._pack(self._head, time_ns, self._tail)


class ArrayEncoder(EndingEncoder):
    """Encodes the updates of a PV that holds an array of numbers."""

    __slots__ = ("_dtype",)

    def __init__(self, plain: Cut, name: bytes, element: ValueType) -> None:
        super().__init__(plain, name)
        self._dtype = np.dtype(f"<{NUMBERS[element][1]}")

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message that says nothing of the alarm."""
        return b"".join((self._start(time_ns), *self._end(value)))

    def _end(self, value: Value) -> tuple[bytes, memoryview]:
        array = np.ascontiguousarray(cast("npt.NDArray[np.generic]", value), self._dtype)
        return LENGTH(array.size), array.data
