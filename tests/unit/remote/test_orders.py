"""Commands to messages that the service itself reads back."""

import json

import pytest

from forwarder.commands import dialect, parse
from forwarder.errors import BadCommand
from forwarder.model import Add, Command, Exit, Pattern, Remove, RemoveAll, Replace, Stream, Transport
from forwarder.remote.orders import messages
from forwarder.settings.types import Dialect

CA = Transport.CA
STREAMS = (
    Stream("PV1", CA, "f142", "T"),
    Stream("PV2", Transport.PVA, "tdct", "T", "h:1"),
)
PERIODIC = Stream("PV3", Transport.FAKE, "f144", "T", periodic=True)

FC00: list[Command] = [
    Add((*STREAMS, PERIODIC)),
    Replace((*STREAMS, PERIODIC)),
    Replace(()),
    Remove((Pattern("PV*"), Pattern(None, "f142"), Pattern("PV", None, "T*", "h:1"))),
    RemoveAll(),
]


@pytest.mark.parametrize("command", FC00, ids=lambda command: type(command).__name__)
def test_fc00_says_it_all(command: Command) -> None:
    (message,) = messages(command, Dialect.FC00)
    assert dialect(message) == "fc00"
    found = parse(message)
    assert found == command
    if isinstance(command, Add | Replace) and isinstance(found, Add | Replace):
        assert [each.periodic for each in found.streams] == [each.periodic for each in command.streams]


def test_json_says_what_the_old_forwarder_understands() -> None:
    assert [parse(each) for each in messages(Add(STREAMS), Dialect.JSON)] == [Add(STREAMS)]
    (message,) = messages(Add(STREAMS), Dialect.JSON)
    assert json.loads(message)["streams"][1]["converter"] == {"schema": "TdcTime", "topic": "h:1/T"}
    removed = messages(Remove((Pattern("PV1"), Pattern("PV2"), Pattern("PV1"))), Dialect.JSON)
    assert [json.loads(each) for each in removed] == [
        {"cmd": "stop_channel", "channel": "PV1"},
        {"cmd": "stop_channel", "channel": "PV2"},
    ]
    assert [parse(each) for each in messages(RemoveAll(), Dialect.JSON)] == [RemoveAll()]
    assert [parse(each) for each in messages(Exit(), Dialect.JSON)] == [Exit()]


UNSPEAKABLE = {
    "replace": (Replace(STREAMS), Dialect.JSON, "JSON has no word for replace: remove what is to go, and add the rest"),
    "wildcards": (Remove((Pattern("PV*"),)), Dialect.JSON, "JSON can only remove a channel by its name"),
    "a schema": (Remove((Pattern("PV", "f142"),)), Dialect.JSON, "JSON can only remove a channel by its name"),
    "periodic": (Add((PERIODIC,)), Dialect.JSON, "PV3: JSON has no word for fake PVs and periodic repeats"),
    "exit": (Exit(), Dialect.FC00, "fc00 has no word for exit"),
}


@pytest.mark.parametrize(("command", "spoken", "complaint"), UNSPEAKABLE.values(), ids=UNSPEAKABLE)
def test_what_a_dialect_cannot_say(command: Command, spoken: Dialect, complaint: str) -> None:
    with pytest.raises(BadCommand, match=complaint):
        messages(command, spoken)


def test_a_message_that_no_forwarder_would_read() -> None:
    streams = tuple(Stream(f"{number:05}" + "x" * 1000, CA, "f144", "T") for number in range(4500))
    with pytest.raises(BadCommand, match=r"the message would have .* bytes, where at most 4194304 are obeyed"):
        messages(Add(streams), Dialect.FC00)
