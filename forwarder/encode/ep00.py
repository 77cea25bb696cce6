"""ep00: a PV's connection came or went; goes with f142. Format: schemas/ep00.fbs."""

from ..model import ConnectionState
from .notice import Notice

SCHEMA = "ep00"

# enum EventType; 0 is UNKNOWN.
_TYPES = {ConnectionState.NEVER_CONNECTED: 1, ConnectionState.CONNECTED: 2, ConnectionState.DISCONNECTED: 3}

_NOTICE = Notice(SCHEMA, slots=4, timestamp=0, state=1, source_name=2, text=3, time_format="Q")


def encode(name: bytes, state: ConnectionState, time_ns: int, service_id: str) -> bytes:
    """The message that tells a PV's connection state since a time, in nanoseconds since the Unix epoch."""
    return _NOTICE.encode(name, time_ns, service_id, _TYPES[state])
