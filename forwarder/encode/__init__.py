"""Updates to bytes: one file a schema, and the table of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..model import ChannelType, ConnectionState, Value
from . import ad00, al00, ep00, ep01, f142, f144, no_op, se00, senv, tdct, un00


class Encoder(Protocol):
    """Encodes the updates of one connected PV in one schema.

    An empty message says that there is nothing to send; only schemas that are marked `may_be_empty` give one.
    Raises CannotEncode for a value, and not the type of the PV, that has no place in the schema.
    """

    def encode(self, value: Value, time_ns: int) -> bytes:
        """A message for an update whose alarm is that of the update before."""
        ...

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """A message that says the alarm too, in EPICS's numbers; the same as the other where a schema has no alarm."""
        ...


@dataclass(frozen=True, slots=True)
class Schema:
    """What the service knows of one message format, and of the messages that go with it to the same topic."""

    encoder: Callable[[str, ChannelType], Encoder]
    """(PV, type) -> encoder; raises CannotEncode for a type that the format has no place for."""
    connection_schema: str = ep01.SCHEMA
    """Name of the format that tells of the PV's connection; empty when nothing does."""
    connection_event: Callable[[bytes, ConnectionState, int, str], bytes] | None = ep01.encode
    """(PV, state, time in ns, service id) -> message in that format."""
    alarm_event: Callable[[bytes, int, str, int], bytes] | None = al00.encode
    """(PV, EPICS severity, text, time in ns) -> al00 message; None where the format carries the alarm itself."""
    units_event: Callable[[bytes, str | None, int], bytes] | None = un00.encode
    """(PV, units, time in ns) -> un00 message; None where readers of the format do not know it."""
    may_be_empty: bool = False
    """Whether an encoder may have nothing to send for an update."""


SCHEMAS = {
    "f142": Schema(f142.encoder, ep00.SCHEMA, ep00.encode, alarm_event=None, units_event=None),
    "text_f142": Schema(f142.text_encoder, ep00.SCHEMA, ep00.encode, alarm_event=None, units_event=None),
    "f144": Schema(f144.encoder),
    "tdct": Schema(tdct.encoder, may_be_empty=True),
    "se00": Schema(se00.encoder),
    "senv": Schema(senv.encoder),
    "nttable_se00": Schema(se00.nttable_encoder, may_be_empty=True),
    "nttable_senv": Schema(senv.nttable_encoder, may_be_empty=True),
    "ad00": Schema(ad00.encoder),
    "no_op": Schema(no_op.encoder, "", None, None, None, may_be_empty=True),
}
"""What the configuration may ask for, by name."""
