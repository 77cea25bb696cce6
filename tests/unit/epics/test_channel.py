"""The life of a channel: every legal move, and that there are no others."""

from itertools import product

import pytest

from forwarder.epics.ca.channel import Channel, Event, IllegalMove, State
from tests.support.ca_client import Recorder

LEGAL = {
    (State.SEARCHING, Event.FOUND): State.CREATING,
    (State.SEARCHING, Event.UNWANTED): State.CLOSED,
    (State.CREATING, Event.CREATED): State.SUBSCRIBED,
    (State.CREATING, Event.LOST): State.SEARCHING,
    (State.CREATING, Event.UNWANTED): State.CLOSED,
    (State.SUBSCRIBED, Event.LOST): State.SEARCHING,
    (State.SUBSCRIBED, Event.UNWANTED): State.CLOSED,
}
ILLEGAL = sorted(set(product(State, Event)) - set(LEGAL), key=str)


def channel_in(state: State) -> Channel:
    channel = Channel(1, Recorder("PV"), 0.0)
    channel.state = state
    return channel


@pytest.mark.parametrize(("before", "event", "after"), [(*move, after) for move, after in LEGAL.items()])
def test_a_legal_move_leads_to_the_next_state(before: State, event: Event, after: State) -> None:
    channel = channel_in(before)
    channel.happened(event)
    assert channel.state is after


@pytest.mark.parametrize(("state", "event"), ILLEGAL)
def test_an_illegal_move_names_itself_and_changes_nothing(state: State, event: Event) -> None:
    channel = channel_in(state)
    with pytest.raises(IllegalMove, match=f"PV: {event.name} while {state.name}"):
        channel.happened(event)
    assert channel.state is state


def test_a_channel_begins_with_searching() -> None:
    assert Channel(1, Recorder("PV"), 0.0).state is State.SEARCHING
