"""The life of one Channel Access channel: its states, and the only moves between them."""

from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forwarder.epics.interface import Listener

    from .circuit import Circuit


class State(Enum):
    SEARCHING = auto()
    """No server is known to have the PV; it is searched with back-off."""
    CREATING = auto()
    """A server has answered: its circuit is being opened, or the channel created on it."""
    SUBSCRIBED = auto()
    """Updates flow."""
    CLOSED = auto()
    """Nobody wants it any more. Final."""


class Event(Enum):
    FOUND = auto()
    CREATED = auto()
    LOST = auto()
    """The circuit was refused, closed or silent, or the server has no such channel any more."""
    UNWANTED = auto()


_MOVES = {
    (State.SEARCHING, Event.FOUND): State.CREATING,
    (State.CREATING, Event.CREATED): State.SUBSCRIBED,
    (State.CREATING, Event.LOST): State.SEARCHING,
    (State.SUBSCRIBED, Event.LOST): State.SEARCHING,
    (State.SEARCHING, Event.UNWANTED): State.CLOSED,
    (State.CREATING, Event.UNWANTED): State.CLOSED,
    (State.SUBSCRIBED, Event.UNWANTED): State.CLOSED,
}


class IllegalMove(RuntimeError):
    """A bug in the caller: this event has no meaning in this state."""


class Channel:
    """One PV, as its client sees it."""

    __slots__ = (
        "circuit",
        "ever_connected",
        "failures",
        "found_at",
        "identifier",
        "largest_count",
        "listener",
        "name",
        "server",
        "state",
        "wanted_at",
    )

    def __init__(self, identifier: int, listener: "Listener", now: float) -> None:
        self.identifier = identifier
        """The client's number for it in every message: `cid`."""
        self.listener = listener
        self.name = listener.channel
        self.state = State.SEARCHING
        self.circuit: Circuit | None = None
        """Where it lives, while it is creating or subscribed."""
        self.ever_connected = False
        self.server: tuple[str, int] | None = None
        """Where it was created last; None as long as it never was."""
        self.largest_count = 0
        """How many elements it could hold then."""
        self.wanted_at = now
        self.found_at = now
        """When a server last offered it."""
        self.failures = 0
        """How often in a row a server offered it and then did not deliver, or not for long."""

    def happened(self, event: Event) -> None:
        """Move to the state that follows; raises IllegalMove when there is none."""
        try:
            self.state = _MOVES[self.state, event]
        except KeyError:
            raise IllegalMove(f"{self.name}: {event.name} while {self.state.name}") from None
