"""fc00 and rf5k: what ess-streaming-data-types and flatc write is read, what contradicts itself is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, serialise_fc00
from streaming_data_types.forwarder_config_update_rf5k import StreamInfo as OldStreamInfo
from streaming_data_types.forwarder_config_update_rf5k import serialise_rf5k

from forwarder.commands import Limits, parse
from forwarder.errors import BadCommand
from forwarder.model import Add, Command, Pattern, Remove, RemoveAll, Replace, Stream, Transport
from tests.support import flatc

TEMPERATURE = Stream("IN:DEMO:CS:SB:TEMP1", Transport.CA, "f142", "DEMO_sampleEnv")
RHEOMETER = Stream("IN:DEMO:CS:SB:VISC", Transport.PVA, "f144", "DEMO_sampleEnv", periodic=True)
ELSEWHERE = Stream("pv", Transport.FAKE, "al00", "alarms", "kafka.example:9092", periodic=True)

RHEOMETER_PATTERN = Pattern("IN:DEMO:CS:SB:VISC", "f144", "DEMO_sampleEnv")


def info(stream: Stream) -> StreamInfo:
    topic = f"{stream.broker}/{stream.topic}" if stream.broker else stream.topic
    return StreamInfo(stream.channel, stream.schema, topic, stream.transport.value, int(stream.periodic))


def fc00(change: int, *streams: StreamInfo) -> bytes:
    """The writer lists streams back to front: turned round here, they are read in the order given."""
    return serialise_fc00(change, list(reversed(streams)))


def rf5k(change: int, *streams: StreamInfo) -> bytes:
    return serialise_rf5k(change, [OldStreamInfo(*stream[:4]) for stream in reversed(streams)])


def settings(command: Command) -> list[tuple[Stream, bool]]:
    """Streams with the setting that their equality leaves out."""
    assert isinstance(command, Add | Replace)
    return [(stream, stream.periodic) for stream in command.streams]


ALL = (TEMPERATURE, RHEOMETER, ELSEWHERE)
GENUINE: dict[str, tuple[bytes, Command]] = {
    "fc00 add": (fc00(UpdateType.ADD, *map(info, ALL)), Add(ALL)),
    "fc00 replace": (fc00(UpdateType.REPLACE, *map(info, ALL)), Replace(ALL)),
    "fc00 replace by nothing": (serialise_fc00(UpdateType.REPLACE, []), Replace(())),
    "fc00 remove all, empty list": (serialise_fc00(UpdateType.REMOVEALL, []), RemoveAll()),
    "fc00 remove all, no list": (serialise_fc00(UpdateType.REMOVEALL, None), RemoveAll()),
    "fc00 remove by channel": (
        fc00(UpdateType.REMOVE, StreamInfo("IN:*:TEMP?", "", "", Protocol.CA, 0)),
        Remove((Pattern(channel="IN:*:TEMP?"),)),
    ),
    "fc00 remove by schema and topic": (
        fc00(
            UpdateType.REMOVE,
            StreamInfo("", "f142", "", 0, 0),
            StreamInfo("", "", "//Sakura.example:9092/DEMO_*", 0, 0),
        ),
        Remove((Pattern(schema="f142"), Pattern(topic="DEMO_*", broker="sakura.example:9092"))),
    ),
    "rf5k add": (rf5k(UpdateType.ADD, info(TEMPERATURE)), Add((TEMPERATURE,))),
    "rf5k remove": (rf5k(UpdateType.REMOVE, info(RHEOMETER)), Remove((RHEOMETER_PATTERN,))),
    "rf5k remove all": (serialise_rf5k(UpdateType.REMOVEALL, []), RemoveAll()),
}


@pytest.mark.parametrize(("message", "command"), GENUINE.values(), ids=GENUINE)
def test_what_ess_writes_is_read(message: bytes, command: Command) -> None:
    assert parse(message) == command


def test_periodic_is_read() -> None:
    add = parse(GENUINE["fc00 add"][0])
    assert settings(add) == [(TEMPERATURE, False), (RHEOMETER, True), (ELSEWHERE, True)]


def json_stream(**fields: Any) -> dict[str, Any]:
    return {"channel": "pv", "schema": "f142", "topic": "t", **fields}


BY_FLATC: dict[str, tuple[str, dict[str, Any], Command]] = {
    "absent fields have their defaults": (
        "fc00",
        {"streams": [json_stream()]},
        Add((Stream("pv", Transport.PVA, "f142", "t"),)),
    ),
    "two kinds of stream table": (
        "fc00",
        {"config_change": "REPLACE", "streams": [json_stream(), json_stream(protocol="CA", channel="π", periodic=-1)]},
        Replace((Stream("pv", Transport.PVA, "f142", "t"), Stream("π", Transport.CA, "f142", "t", periodic=True))),
    ),
    "replace by an empty list": ("fc00", {"config_change": "REPLACE", "streams": []}, Replace(())),
    "replace without a list": ("fc00", {"config_change": "REPLACE"}, Replace(())),
    "remove with absent strings": (
        "fc00",
        {"config_change": "REMOVE", "streams": [{"topic": "t?"}, {"channel": "*"}]},
        Remove((Pattern(topic="t?"), Pattern(channel="*"))),
    ),
    "remove all": ("fc00", {"config_change": "REMOVEALL", "streams": []}, RemoveAll()),
    "rf5k add": (
        "rf5k",
        {"config_change": "ADD", "streams": [json_stream(protocol="FAKE")]},
        Add((Stream("pv", Transport.FAKE, "f142", "t"),)),
    ),
    "rf5k remove": (
        "rf5k",
        {"config_change": "REMOVE", "streams": [{"schema": "f142"}]},
        Remove((Pattern(schema="f142"),)),
    ),
    "rf5k remove all": ("rf5k", {"config_change": "REMOVEALL"}, RemoveAll()),
}


@pytest.mark.parametrize("options", [(), ("--force-defaults",)], ids=["defaults left out", "defaults written"])
@pytest.mark.parametrize(("schema", "content", "command"), BY_FLATC.values(), ids=BY_FLATC)
def test_what_flatc_writes_is_read(
    schema: str, content: dict[str, Any], command: Command, options: tuple[str, ...]
) -> None:
    read = parse(flatc.from_json(schema, content, *options))
    assert read == command
    if isinstance(command, Add | Replace):
        assert settings(read) == settings(command)


BAD: dict[str, tuple[bytes, str]] = {
    "add nothing": (serialise_fc00(UpdateType.ADD, []), "^fc00 ADD: carries no streams, where at least one is needed$"),
    "remove nothing": (serialise_fc00(UpdateType.REMOVE, []), "^fc00 REMOVE: carries no streams"),
    "remove all of some": (
        fc00(UpdateType.REMOVEALL, info(TEMPERATURE)),
        "^fc00 REMOVEALL: carries 1 streams, but is about all",
    ),
    "unknown change": (serialise_fc00(4, []), "^fc00: config_change is 4, not one of 0 ADD, 1 REMOVE, 2 REMOVEALL, 3"),
    "rf5k has no replace": (
        rf5k(UpdateType.REPLACE, info(TEMPERATURE)),
        "^rf5k: config_change is 3, not one of 0 ADD, 1 REMOVE, 2 REMOVEALL$",
    ),
    "unknown transport": (
        fc00(UpdateType.ADD, info(TEMPERATURE), StreamInfo("pv", "f142", "t", 3, 0)),
        "^fc00 ADD: stream 2 of 2: protocol is 3, not one of 0 PVA, 1 CA, 2 FAKE$",
    ),
    "unknown transport in a remove": (
        fc00(UpdateType.REMOVE, StreamInfo("pv", "", "", 3, 0)),
        "^fc00 REMOVE: stream 1 of 1: protocol is 3",
    ),
    "no channel": (fc00(UpdateType.ADD, StreamInfo("", "f142", "t", 0, 0)), "ADD: stream 1 of 1: no channel$"),
    "no schema": (fc00(UpdateType.REPLACE, StreamInfo("pv", "", "t", 0, 0)), "REPLACE: stream 1 of 1: no schema$"),
    "no topic": (rf5k(UpdateType.ADD, StreamInfo("pv", "f142", "", 0, 0)), "^rf5k ADD: stream 1 of 1: no topic$"),
    "remove with no name at all": (
        fc00(UpdateType.REMOVE, StreamInfo("pv", "", "", 0, 0), StreamInfo("", "", "", 0, 0)),
        "stream 2 of 2: none of channel, schema and topic is given",
    ),
    "wildcard in the topic of an add": (
        fc00(UpdateType.ADD, StreamInfo("pv", "f142", "DEMO_*", 0, 0)),
        r"topic 'DEMO_\*' is not a name Kafka allows",
    ),
}


@pytest.mark.parametrize(("message", "reason"), BAD.values(), ids=BAD)
def test_a_message_that_contradicts_itself_is_refused_with_the_reason(message: bytes, reason: str) -> None:
    with pytest.raises(BadCommand, match=reason):
        parse(message)


LIMITED: dict[str, tuple[bytes, Limits, str]] = {
    "streams": (
        fc00(UpdateType.ADD, *map(info, ALL)),
        Limits(streams=2),
        "lists 3 streams, where at most 2 are allowed",
    ),
    "bytes": (fc00(UpdateType.ADD, info(TEMPERATURE)), Limits(message_bytes=99), "bytes, where at most 99 are allowed"),
    "channel": (
        fc00(UpdateType.ADD, info(TEMPERATURE)),
        Limits(channel_length=18),
        "channel of 19 characters, where at most 18 are allowed",
    ),
    "wildcards": (
        fc00(UpdateType.REMOVE, *[StreamInfo(f"pv{i}*", "", "", 0, 0) for i in range(3)]),
        Limits(wildcard_patterns=2),
        "3 streams have wildcards, where at most 2 are allowed",
    ),
}


@pytest.mark.parametrize(("message", "limits", "reason"), LIMITED.values(), ids=LIMITED)
def test_a_message_beyond_a_limit_is_refused(message: bytes, limits: Limits, reason: str) -> None:
    assert parse(message)
    with pytest.raises(BadCommand, match=reason):
        parse(message, limits)


def test_twenty_thousand_streams_are_read() -> None:
    streams = tuple(Stream(f"IN:DEMO:CS:SB:B{i}", Transport.CA, "f142", "DEMO_sampleEnv") for i in range(20_000))
    assert parse(fc00(UpdateType.REPLACE, *map(info, streams))) == Replace(streams)


names = st.text("aB0:_-.πß漢🌡\\\"'[", min_size=1, max_size=30)
topics = st.text("aB0._-", min_size=1, max_size=30).filter(lambda topic: topic not in (".", ".."))
brokers = st.sampled_from(["", "kafka:9092", "10.0.0.1:31092", "[::1]:9092"])
streams = st.builds(
    Stream, names, st.sampled_from(Transport), st.sampled_from(["f142", "f144", "a!~"]), topics, brokers, st.booleans()
)


@given(st.lists(streams, max_size=5))
def test_any_streams_that_ess_writes_are_read_as_they_were(wanted: list[Stream]) -> None:
    command = parse(fc00(UpdateType.REPLACE, *map(info, wanted)))
    assert settings(command) == [(stream, stream.periodic) for stream in wanted]
