"""The life of one PV that is read over pvAccess: its states, and the only moves between them."""

from collections.abc import Callable
from enum import Enum, auto

from p4p import Value as Fields
from p4p.client.raw import Subscription as Monitor

from forwarder.epics.interface import Listener

from .pva_reader import Reader


class State(Enum):
    SEARCHING = auto()
    """There is a subscription, and no server is known to have the PV."""
    SUBSCRIBED = auto()
    """Updates flow."""
    RESTING = auto()
    """The subscription was refused or ended by the server; a new one is made after a while."""
    CLOSED = auto()
    """Nobody wants it any more. Final."""


class Event(Enum):
    FIRST_VALUE = auto()
    LOST = auto()
    """The server is gone, or has the PV no more; the library searches it by itself."""
    ENDED = auto()
    """Nothing will ever come of this subscription again."""
    RENEWED = auto()
    UNWANTED = auto()


_MOVES = {
    (State.SEARCHING, Event.FIRST_VALUE): State.SUBSCRIBED,
    # Lost between the connection and the first value.
    (State.SEARCHING, Event.LOST): State.SEARCHING,
    (State.SEARCHING, Event.ENDED): State.RESTING,
    (State.SUBSCRIBED, Event.LOST): State.SEARCHING,
    (State.SUBSCRIBED, Event.ENDED): State.RESTING,
    (State.RESTING, Event.RENEWED): State.SEARCHING,
    (State.SEARCHING, Event.UNWANTED): State.CLOSED,
    (State.SUBSCRIBED, Event.UNWANTED): State.CLOSED,
    (State.RESTING, Event.UNWANTED): State.CLOSED,
}


class IllegalMove(RuntimeError):
    """A bug in the caller: this event has no meaning in this state."""


def after(state: State, event: Event) -> State:
    """The state that follows; raises IllegalMove when there is none."""
    try:
        return _MOVES[state, event]
    except KeyError:
        raise IllegalMove(f"{event.name} while {state.name}") from None


class Channel:
    """One PV, as the client sees it."""

    __slots__ = (
        "backlog",
        "ever_connected",
        "failures",
        "listener",
        "monitor",
        "pop",
        "reader",
        "rest_until",
        "state",
        "subscribed_at",
        "take",
        "wanted_at",
    )

    def __init__(self, listener: Listener, now: float) -> None:
        self.listener = listener
        self.state = State.SEARCHING
        self.monitor: Monitor | None = None
        self.pop: Callable[[], Fields | Exception | None] = nothing
        self.take: Callable[[Fields], None] = ignore
        """What is to be done with a value."""
        self.reader: Reader | None = None
        """While it is subscribed."""
        self.backlog = 0
        """Values that were taken since its queue was last seen empty, or counted as full."""
        self.ever_connected = False
        self.failures = 0
        """How often in a row its subscription was ended by the server."""
        self.wanted_at = now
        self.subscribed_at = now
        self.rest_until = 0.0

    def happened(self, event: Event) -> None:
        self.state = after(self.state, event)


def nothing() -> None:
    """For a channel without a subscription: its queue is empty."""


def ignore(_: Fields) -> None:
    """For a channel that nobody wants any more."""
