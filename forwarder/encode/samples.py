"""What se00 and senv have in common: samples of one PV, with one time for all of them or one for each."""

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from flatbuffers import Builder

from ..model import ChannelType, Value
from .logdata import NUMBERS
from .refusal import no_place
from .template import (
    LENGTH,
    Cut,
    Field,
    cut,
    empty_vector,
    finish,
    named,
    placeholder,
    position,
    reserve,
    root_of,
    table_around,
    target,
)

INTEGERS = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "i8": 7, "u8": 8}
"""Members of the union ValueUnion that both formats have, by the kind and size of their elements as numpy has them."""

# Slots of the root table.
(
    _NAME,
    _CHANNEL,
    _PACKET_TIMESTAMP,
    _TIME_DELTA,
    _TIMESTAMP_LOCATION,
    _VALUES_TYPE,
    _VALUES,
    _TIMESTAMPS,
    _MESSAGE_COUNTER,
) = range(9)

# enum Location: a PV does not say it. That of tables is what the forwarder of ESS writes for them.
_UNKNOWN, _MIDDLE = 0, 2


def kind_and_size(dtype: "np.dtype[Any]") -> str:
    """How the tables of members name the elements of an array."""
    return dtype.str[1:]


@cache
def _template(schema: str, member: int, name_length: int, timed: bool) -> tuple[Cut, int]:
    """A message that ends before the values' length, and where it holds the offset of the samples' times.

    The values are the last object, or followed by their times. Either way their elements lie at a multiple of eight.
    """
    builder = Builder(256)
    times = empty_vector(builder, 8) if timed else None
    values = empty_vector(builder, 8)
    name = builder.CreateString(placeholder(name_length))
    union = table_around(builder, values)
    builder.StartObject(9)
    builder.PrependUint8Slot(_TIMESTAMP_LOCATION, _MIDDLE if timed else _UNKNOWN, None)
    builder.PrependUint8Slot(_VALUES_TYPE, member, None)
    reserve(builder, _CHANNEL, "i")
    builder.PrependUOffsetTRelativeSlot(_VALUES, union, None)
    builder.PrependUOffsetTRelativeSlot(_NAME, name, None)
    if times is not None:
        builder.PrependUOffsetTRelativeSlot(_TIMESTAMPS, times, None)
    reserve(builder, _MESSAGE_COUNTER, "q")
    reserve(builder, _TIME_DELTA, "d")
    reserve(builder, _PACKET_TIMESTAMP, "q")
    message = finish(builder, builder.EndObject(), schema)
    root = root_of(message)
    fields = [Field(position(root, _PACKET_TIMESTAMP), "q"), Field(position(root, _MESSAGE_COUNTER), "q")]
    times_at = 0
    if timed:
        times_at = position(root, _TIMESTAMPS)
        fields.insert(1, Field(position(root, _TIME_DELTA), "d"))
        fields.append(Field(times_at, "I"))
    root.Pos = target(root, _VALUES)
    return cut(message[: target(root, 0)], fields), times_at


class ArrayEncoder:
    """Encodes the updates of a PV that holds numbers, all of which have the time of the update.

    One number is an array of one. The messages are counted from 0, anew each time the PV connects.
    """

    __slots__ = ("_before_counter", "_dtype", "_head", "_pack", "_sent", "_tail")

    def __init__(self, schema: str, member: int, dtype: "np.dtype[Any]", name: bytes) -> None:
        template, _ = _template(schema, member, len(name), timed=False)
        self._pack = template.struct.pack
        self._head, self._before_counter, tail = template.pieces
        self._tail = named(tail, name)
        self._dtype = dtype
        self._sent = 0

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message with the values and the time of the update; what is not known of the samples is left out."""
        values = np.ascontiguousarray(cast("Any", value), self._dtype)
        counter, self._sent = self._sent, self._sent + 1
        start = self._pack(self._head, time_ns, self._before_counter, counter, self._tail)
        return b"".join((start, LENGTH(values.size), values.data))

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """The same message: these formats leave the alarm to al00."""
        return self.encode(value, time_ns)


def array_encoder(schema: str, members: Mapping[str, int], source_name: str, kind: ChannelType) -> ArrayEncoder:
    """The encoder of one PV. A boolean becomes a UInt8 of 0 or 1; raises CannotEncode for what is in no union."""
    if kind.element in NUMBERS:
        dtype = np.dtype(f"<{NUMBERS[kind.element][1]}")
        if kind_and_size(dtype) in members:
            return ArrayEncoder(schema, members[kind_and_size(dtype)], dtype, source_name.encode())
    raise no_place(source_name, schema, kind)


def timed(
    schema: str, member: int, name: bytes, counter: int, values: npt.NDArray[Any], times: npt.NDArray[np.int64]
) -> bytes:
    """A message of samples with one time for each, in nanoseconds since the Unix epoch. There is at least one."""
    template, times_at = _template(schema, member, len(name), timed=True)
    head, before_delta, before_counter, before_offset, tail = template.pieces
    tail = named(tail, name)
    padding = (4 - values.nbytes) % 8
    values_at = template.struct.size + 4
    delta = float(times[1] - times[0]) if times.size > 1 else 0.0
    start = template.struct.pack(
        head,
        times[0],
        before_delta,
        delta,
        before_counter,
        counter,
        before_offset,
        values_at + values.nbytes + padding - times_at,
        tail,
    )
    return b"".join((start, LENGTH(values.size), values.tobytes(), bytes(padding), LENGTH(times.size), times.tobytes()))
