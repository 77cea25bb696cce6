"""The life of one PV that is read over pvAccess: its states, and the only moves between them."""

from enum import Enum, auto


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
