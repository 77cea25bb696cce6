"""tdct: when a chopper passed its top dead centre. Format: schemas/tdct.fbs."""

from functools import cache
from typing import cast

import numpy as np
import numpy.typing as npt
from flatbuffers import Builder

from ..errors import CannotEncode
from ..model import ChannelType, Value, ValueType
from .logdata import NUMBERS
from .refusal import no_place
from .template import LENGTH, Cut, Field, cut, empty_vector, finish, named, placeholder, position, reserve, root_of
from .whole import whole

SCHEMA = "tdct"

# Slots of the root table.
_NAME, _TIMESTAMPS, _SEQUENCE_COUNTER = range(3)

_NOT_TIMES = (ValueType.BOOL, ValueType.ENUM)


@cache
def _template(name_length: int) -> Cut:
    """A message that ends before the times' length, which is its last object."""
    builder = Builder(256)
    times = empty_vector(builder, 8)
    name = builder.CreateString(placeholder(name_length))
    builder.StartObject(3)
    builder.PrependUOffsetTRelativeSlot(_TIMESTAMPS, times, None)
    builder.PrependUOffsetTRelativeSlot(_NAME, name, None)
    reserve(builder, _SEQUENCE_COUNTER, "Q")
    message = finish(builder, builder.EndObject(), SCHEMA)
    return cut(message[:-4], (Field(position(root_of(message), _SEQUENCE_COUNTER), "Q"),))


class Encoder:
    """Encodes the updates of a PV whose array holds nanoseconds relative to the update's own EPICS time.

    The messages hold absolute times. They are counted from 0, anew each time the PV connects.
    """

    __slots__ = ("_head", "_pack", "_sent", "_tail", "_what")

    def __init__(self, source_name: str) -> None:
        name = source_name.encode()
        self._what = f"{source_name}: {SCHEMA}"
        template = _template(len(name))
        self._pack = template.struct.pack
        self._head, tail = template.pieces
        self._tail = named(tail, name)
        self._sent = 0

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message with absolute times; nothing to send for an empty array, because then the chopper stands still."""
        relative = np.atleast_1d(cast("npt.NDArray[np.generic]", value))
        if not relative.size:
            return b""
        # Whole nanoseconds are taken before the sum, which a double could not hold exactly.
        offsets = whole(relative, self._what)
        absolute = offsets + time_ns
        if (absolute < offsets).any() or (absolute < 0).any():
            raise CannotEncode(f"{self._what}: the times that the values stand for are not all since 1970")
        sequence, self._sent = self._sent, self._sent + 1
        return b"".join((self._pack(self._head, sequence, self._tail), LENGTH(absolute.size), absolute.data))

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """The same message: tdct leaves the alarm to al00."""
        return self.encode(value, time_ns)


def encoder(source_name: str, kind: ChannelType) -> Encoder:
    """The encoder of one PV, chosen once when it connects. Raises CannotEncode for anything but numbers."""
    if kind.element not in NUMBERS or kind.element in _NOT_TIMES:
        raise no_place(source_name, SCHEMA, kind)
    return Encoder(source_name)
