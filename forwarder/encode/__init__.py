"""Updates to bytes: one file a schema, and the table of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..model import ChannelType, ConnectionState, Value
from . import ep00, f142


class Encoder(Protocol):
    """Encodes the updates of one connected PV in one schema."""

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message for an update whose alarm is that of the update before."""
        ...

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """A message that says the alarm too, in EPICS's numbers."""
        ...


@dataclass(frozen=True, slots=True)
class Schema:
    """What the service knows of one message format."""

    encoder: Callable[[str, ChannelType], Encoder]
    """(PV, type) -> encoder; raises CannotEncode for a type that the format has no place for."""
    connection_schema: str
    """Name of the format that tells of the PV's connection, to the same topic."""
    connection_event: Callable[[bytes, ConnectionState, int, str], bytes]
    """(PV, state, time in ns, service id) -> message in that format."""


SCHEMAS = {f142.SCHEMA: Schema(f142.encoder, ep00.SCHEMA, ep00.encode)}
"""What the configuration may ask for, by name."""
