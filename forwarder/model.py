"""The words of the service: what is forwarded, what is asked for, and what is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt


class Transport(Enum):
    """How a PV is read. The numbers are those of `Protocol` in schemas/fc00.fbs."""

    PVA = 0
    CA = 1
    FAKE = 2
    """Made up by the service itself, for tests without EPICS."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One thing to forward: this PV, over this transport, in this schema, to this topic.

    Two streams that differ in `periodic` alone are the same stream with another setting.
    """

    channel: str
    """Name of the PV, as EPICS knows it."""
    transport: Transport
    schema: str
    """Four-character name of the message format, such as `f142`."""
    topic: str
    """Kafka topic, without a host."""
    broker: str = ""
    """`host:port` of the output cluster; empty for the default one."""
    periodic: bool = field(default=False, compare=False)
    """Whether the last value is repeated when no update came for the repeat period."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which streams a REMOVE means. None matches anything; matching is case-sensitive."""

    channel: str | None = None
    schema: str | None = None
    """Never a wildcard."""
    topic: str | None = None
    broker: str | None = None
    wildcards: bool = True
    """Whether `?` and `*` in channel and topic stand for any one and any run of characters."""


@dataclass(frozen=True, slots=True)
class Add:
    """Forward these streams too."""

    streams: tuple[Stream, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """Stop forwarding every stream that one of the patterns matches."""

    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class RemoveAll:
    """Stop forwarding everything."""


@dataclass(frozen=True, slots=True)
class Replace:
    """Forward exactly these streams; those that are forwarded already go on without a gap."""

    streams: tuple[Stream, ...]


@dataclass(frozen=True, slots=True)
class Exit:
    """Stop the service."""


Command: TypeAlias = Add | Remove | RemoveAll | Replace | Exit


class ValueType(Enum):
    """The type of a PV's value, or of one element of an array, whatever the transport calls it."""

    BOOL = "bool"
    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    STRING = "string"
    ENUM = "enum"
    """An index into the record's choices, 0..65535."""
    TABLE = "table"
    """An NTTable; its columns, and their types, come with each value."""
    IMAGE = "image"
    """An NTNDArray; its dimensions, and the type of its pixels, come with each value."""
    UNKNOWN = "unknown structure"
    """A structure that no schema has a place for; what stands for its value is never looked at."""


@dataclass(frozen=True, slots=True)
class ChannelType:
    """What a connected PV delivers, known before its first value."""

    element: ValueType
    is_array: bool
    """Whether the PV can hold more than one element; such a PV stays an array when it holds one just now."""


Array: TypeAlias = npt.NDArray[np.generic] | list[str]
"""A one-dimensional little-endian numpy array, or a list of strings."""


@dataclass(frozen=True, slots=True)
class Table:
    """The value of an NTTable."""

    columns: Mapping[str, Array]
    """By label, which is what the table's `labels` say and not the names of its fields."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """What an area detector says along with an image: one NTAttribute."""

    name: str
    value: "float | int | str | Array"
    description: str = ""
    source: str = ""
    """Where the value was read, such as the name of a PV."""


@dataclass(frozen=True, slots=True)
class Image:
    """The value of an NTNDArray."""

    unique_id: int
    """The detector's own count of its images."""
    dimensions: tuple[int, ...]
    """Sizes in the order of NTNDArray: the dimension that varies fastest comes first."""
    data: npt.NDArray[np.generic]
    """The pixels, one-dimensional and little-endian; the compressed bytes when there is a codec."""
    attributes: tuple[Attribute, ...] = ()
    codec: str = ""
    """How the data is compressed, such as `lz4`; empty when it isn't."""


Value: TypeAlias = float | int | str | Array | Table | Image
"""A PV's value: a Python scalar, or what the types above say."""


class Severity(IntEnum):
    """EPICS alarm severity, in EPICS's own order (epicsAlarm alarm.h)."""

    NO_ALARM = 0
    MINOR = 1
    MAJOR = 2
    INVALID = 3


class ConnectionState(Enum):
    """What a subscriber of a stream is told of the PV's connection."""

    NEVER_CONNECTED = "never_connected"
    """Wanted for longer than the grace period, and no server has ever offered it."""
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


EPICS_EPOCH_S = 631_152_000
"""1990-01-01T00:00:00Z, the epoch of EPICS time stamps, in seconds since the Unix epoch (epicsTime.h)."""

Message: TypeAlias = tuple[bytes, bytes, int]
"""One Kafka record to be: key, value, and time in milliseconds since the Unix epoch.

A tuple, and not a class, because tens of thousands of them are made every second.
"""
