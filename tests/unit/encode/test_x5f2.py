"""x5f2 messages, judged by flatc with our schema and by ess-streaming-data-types."""

from dataclasses import astuple

from streaming_data_types.status_x5f2 import deserialise_x5f2

from forwarder.encode import x5f2
from tests.support import flatc

SENDER = x5f2.Sender("forwarder", "1.2.3", "forwarder-1", "host.example", 4242, 4000)


def test_a_status_is_what_both_judges_read() -> None:
    message = x5f2.encode(SENDER, '{"streams":[]}')
    assert tuple(deserialise_x5f2(message)) == (*astuple(SENDER), '{"streams":[]}')
    assert list(flatc.to_json("x5f2", message).values()) == [*astuple(SENDER), '{"streams":[]}']
