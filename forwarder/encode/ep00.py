"""ep00: a PV's connection came or went; goes with f142. Format: schemas/ep00.fbs."""

from functools import cache

from flatbuffers import Builder

from ..model import ConnectionState
from .template import Cut, Field, cut, finish, named, position, root_of

SCHEMA = "ep00"

# enum EventType; 0 is UNKNOWN.
_TYPES = {ConnectionState.NEVER_CONNECTED: 1, ConnectionState.CONNECTED: 2, ConnectionState.DISCONNECTED: 3}

_TIMESTAMP, _TYPE, _SOURCE_NAME, _SERVICE_ID = range(4)


@cache
def _template(name_length: int, service_id: str) -> Cut:
    builder = Builder(256)
    service = builder.CreateString(service_id)
    name = builder.CreateString(b"\x7f" * name_length)
    builder.StartObject(4)
    builder.PrependUint16Slot(_TYPE, 0, None)
    builder.PrependUOffsetTRelativeSlot(_SERVICE_ID, service, None)
    builder.PrependUOffsetTRelativeSlot(_SOURCE_NAME, name, None)
    builder.PrependUint64Slot(_TIMESTAMP, 0, None)
    message = finish(builder, builder.EndObject(), SCHEMA)
    root = root_of(message)
    return cut(message, (Field(position(root, _TIMESTAMP), "Q"), Field(position(root, _TYPE), "H")))


def encode(name: bytes, state: ConnectionState, time_ns: int, service_id: str) -> bytes:
    """The message that tells a PV's connection state since a time, in nanoseconds since the Unix epoch."""
    template = _template(len(name), service_id)
    head, before_type, tail = template.pieces
    return template.struct.pack(head, time_ns, before_type, _TYPES[state], named(tail, b"\x7f" * len(name), name))
