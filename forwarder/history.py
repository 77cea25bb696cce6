"""What has happened to one PV: when it was found and lost, and the last error. Kept for people who ask why."""

from dataclasses import dataclass
from typing import NamedTuple

from .model import ConnectionState, Value

_KEPT = 20
_LONGEST_REASON = 200
_LONGEST_VALUE = 100


class ConnectionEvent(NamedTuple):
    """One change of a PV's connection."""

    time_ns: int
    """Nanoseconds since the Unix epoch, by the forwarder's clock."""
    state: ConnectionState
    server: str
    """`host:port` that serves the PV, or did; empty where that is not known."""
    reason: str
    """Why it was lost; empty where nobody says."""


class Error(NamedTuple):
    """What went wrong with one PV last."""

    time_ns: int
    """Nanoseconds since the Unix epoch, by the forwarder's clock."""
    text: str


@dataclass(slots=True, eq=False)
class History:
    """The last events of one PV, and how often each came. A tuple of them takes the least memory."""

    events: tuple[ConnectionEvent, ...] = ()
    """The newest last."""
    connects: int = 0
    losses: int = 0
    error: Error | None = None
    last_value: float | int | str | None = None
    """What the PV's value was when it was lost, if it was a short one."""

    def happened(self, state: ConnectionState, time_ns: int, server: str, reason: str = "") -> None:
        """The PV was found, lost, or not found within the grace period."""
        self.connects += state is ConnectionState.CONNECTED
        self.losses += state is ConnectionState.DISCONNECTED
        event = ConnectionEvent(time_ns, state, server, reason[:_LONGEST_REASON])
        self.events = (*self.events[1 - _KEPT :], event)

    def failed(self, error: Exception, time_ns: int) -> None:
        """Something could not be done with an update."""
        self.error = Error(time_ns, (str(error) or type(error).__name__)[:_LONGEST_REASON])

    def keep(self, value: Value | None) -> None:
        """Remember what the value was before the PV was lost; a large one is let go."""
        if isinstance(value, str) and len(value) > _LONGEST_VALUE:
            value = None
        self.last_value = value if isinstance(value, int | float | str) else None

    def last(self, state: ConnectionState) -> int | None:
        """When this last happened, in nanoseconds since the Unix epoch; None if it is not among the last events."""
        return next((event.time_ns for event in reversed(self.events) if event.state is state), None)
