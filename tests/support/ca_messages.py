"""What a Channel Access server says, made by caproto's server-side commands: an independent judge of our reading."""

import struct
from collections.abc import Sequence
from typing import Any

import caproto
from caproto import AccessRights, ChannelType, TimeStamp

EPICS_EPOCH_NS = 631_152_000 * 10**9
SECONDS, NANOSECONDS = 1_099_511_627, 123_456_789
TIME_NS = EPICS_EPOCH_NS + SECONDS * 10**9 + NANOSECONDS
"""When events happened that say nothing else."""

PROPERTIES = 1 << 31
"""What tells the number of a subscription to the properties of a channel from that of its values."""

VERSION = bytes(caproto.VersionResponse(13))
ECHO = bytes(caproto.EchoResponse())

NATIVE = {
    "STRING": ChannelType.STRING,
    "INT": ChannelType.INT,
    "FLOAT": ChannelType.FLOAT,
    "ENUM": ChannelType.ENUM,
    "CHAR": ChannelType.CHAR,
    "LONG": ChannelType.LONG,
    "DOUBLE": ChannelType.DOUBLE,
}


def created(cid: int, native: ChannelType = ChannelType.DOUBLE, count: int = 1) -> bytes:
    """What a server says when it has created a channel."""
    rights = caproto.AccessRightsResponse(cid, AccessRights.READ | AccessRights.WRITE)
    return bytes(rights) + bytes(caproto.CreateChanResponse(native, count, cid, cid + 1000))


def event(
    cid: int,
    values: Any,
    native: ChannelType = ChannelType.DOUBLE,
    *,
    status: int = 0,
    severity: int = 0,
    seconds: int = SECONDS,
    nanoseconds: int = NANOSECONDS,
    result: int = 1,
) -> bytes:
    """One value message; `values` is a list of numbers or of bytes."""
    time_type = ChannelType(native + 14)
    metadata = caproto.DBR_TYPES[time_type](status=status, severity=severity, stamp=TimeStamp(seconds, nanoseconds))
    return bytes(caproto.EventAddResponse(values, time_type, len(values), result, cid, metadata=metadata))


def properties(
    cid: int, native: ChannelType = ChannelType.DOUBLE, *, units: bytes = b"", choices: Sequence[bytes] = ()
) -> bytes:
    """What a subscription to the properties of a channel brings, with one value."""
    control_type = ChannelType(native + 28)
    metadata = caproto.DBR_TYPES[control_type]()
    if native is ChannelType.ENUM:
        metadata.enum_strings = choices
    else:
        metadata.units = units
    value = [b""] if native is ChannelType.STRING else [0]
    return bytes(caproto.EventAddResponse(value, control_type, 1, 1, cid | PROPERTIES, metadata=metadata))


def failed_event(cid: int, native: ChannelType = ChannelType.DOUBLE, *, result: int = 152) -> bytes:
    """What RSRV sends instead of a value, such as when there is no read access (ECA_NORDACCESS)."""
    frame = bytearray(event(cid, [0], native))
    struct.pack_into(">I", frame, 8, result)
    return bytes(frame)


def extended(frame: bytes) -> bytes:
    """The same message with the header of large payloads, which a server may use for any."""
    command, size, data_type, count, first, second = struct.unpack_from(">HHHHII", frame)
    assert size < 0xFFFF
    return struct.pack(">HHHHIIII", command, 0xFFFF, data_type, 0, first, second, size, count) + frame[16:]
