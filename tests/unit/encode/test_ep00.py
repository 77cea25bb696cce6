"""ep00 messages, judged by flatc with our schema and by ess-streaming-data-types."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streaming_data_types.epics_connection_info_ep00 import deserialise_ep00
from streaming_data_types.fbschemas.epics_connection_info_ep00.EventType import EventType

from forwarder.encode import ep00
from forwarder.model import ConnectionState
from tests.support import flatc

TIME_NS = 1_784_000_000_123_456_789


@pytest.mark.parametrize("state", ConnectionState)
def test_an_event_is_what_both_judges_read(state: ConnectionState) -> None:
    message = ep00.encode("IN:DEMO:Å".encode(), state, TIME_NS, "forwarder-1")
    seen = deserialise_ep00(message)
    assert seen.type == getattr(EventType, state.name)
    assert (seen.timestamp, seen.source_name, seen.service_id) == (TIME_NS, "IN:DEMO:Å", "forwarder-1")
    assert flatc.to_json("ep00", message) == {
        "timestamp": TIME_NS,
        "type": state.name,
        "source_name": "IN:DEMO:Å",
        "service_id": "forwarder-1",
    }


texts = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\x7f"), min_size=1, max_size=300
)


@given(texts, texts, st.integers(0, 2**64 - 1))
@settings(max_examples=200, deadline=None)
def test_every_event_goes_there_and_back(name: str, service_id: str, time_ns: int) -> None:
    seen = deserialise_ep00(ep00.encode(name.encode(), ConnectionState.DISCONNECTED, time_ns, service_id))
    assert (seen.timestamp, seen.source_name, seen.service_id) == (time_ns, name, service_id)
