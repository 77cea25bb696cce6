"""The C++ forwarder's JSON commands and its file of streams."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.commands import Limits, parse, parse_streams_file
from forwarder.errors import BadCommand
from forwarder.model import Add, Command, Exit, Pattern, Remove, RemoveAll, Stream, Transport

CONVERTER = {"schema": "f142", "topic": "//kafka.example:9092/DEMO_sampleEnv"}


def add(*streams: Any, **more: Any) -> str:
    return json.dumps({"cmd": "add", "streams": streams, **more})


def stream(**fields: Any) -> dict[str, Any]:
    return {"channel": "pv", "channel_provider_type": "ca", "converter": CONVERTER, **fields}


def with_topic(topic: str) -> dict[str, Any]:
    return stream(converter={"schema": "f142", "topic": topic})


READ = Stream("pv", Transport.CA, "f142", "DEMO_sampleEnv", "kafka.example:9092")

GENUINE: dict[str, tuple[str, Command]] = {
    "add": (add(stream()), Add((READ,))),
    "the provider is pva if it isn't said": (
        '{"cmd":"add","streams":[{"channel":"pv","converter":{"schema":"f142","topic":"t"}}]}',
        Add((Stream("pv", Transport.PVA, "f142", "t"),)),
    ),
    "a fake PV": (
        add(stream(channel_provider_type="fake")),
        Add((Stream("pv", Transport.FAKE, "f142", "DEMO_sampleEnv", "kafka.example:9092"),)),
    ),
    "a list of converters": (
        add(stream(converter=[CONVERTER, {"schema": "TdcTime", "topic": "h:1/t", "name": "chopper"}])),
        Add((READ, Stream("pv", Transport.CA, "tdct", "t", "h:1"))),
    ),
    "several streams": (
        add(stream(), with_topic("t")),
        Add((READ, Stream("pv", Transport.CA, "f142", "t"))),
    ),
    "unknown keys": (add(stream(note=None), comment=[{}]), Add((READ,))),
    "stop_channel": ('{"cmd": "stop_channel", "channel": "pv*"}', Remove((Pattern(channel="pv*", wildcards=False),))),
    "stop_all": ('{"cmd": "stop_all"}', RemoveAll()),
    "exit": ('{"cmd": "exit"}', Exit()),
    "byte order mark and space": ('\ufeff \r\n\t{"cmd": "exit"}\n', Exit()),
}


@pytest.mark.parametrize(("text", "command"), GENUINE.values(), ids=GENUINE)
def test_a_json_command_is_read(text: str, command: Command) -> None:
    assert parse(text.encode()) == command


BAD: dict[str, tuple[str | bytes, str]] = {
    "not JSON": ("{cmd}", "^json: line 1 column 2: Expecting property name"),
    "cut": (add(stream())[:-1], "^json: line 1 column"),
    "two documents": ('{"cmd":"exit"}{"cmd":"exit"}', "Extra data"),
    "not UTF-8": (b'{"cmd":"\xff"}', "^json of 11 bytes is not UTF-8 at byte 8"),
    "no cmd": ("{}", "^json: no cmd$"),
    "cmd of another type": ('{"cmd": 1}', "^json: cmd is a number, where a string is expected$"),
    "unknown cmd": ('{"cmd": "Exit"}', "^json: cmd is 'Exit', not one of add, stop_channel, stop_all, exit$"),
    "cmd twice": ('{"cmd": "exit", "cmd": "add"}', "the key 'cmd' is there twice"),
    "no streams": ('{"cmd": "add"}', "^json: no streams$"),
    "streams of another type": ('{"cmd": "add", "streams": {}}', "streams is an object, where a list is expected"),
    "empty streams": (add(), "^json: add: carries no streams, where at least one is needed$"),
    "a stream of another type": (add(stream(), "pv"), "^json: stream 2 of 2: it is a string, where an object"),
    "no channel": (add({"converter": CONVERTER}), "^json: stream 1 of 1: no channel$"),
    "an empty channel": (add(stream(channel="")), "^json: stream 1 of 1: no channel$"),
    "channel of another type": (add(stream(channel=None)), "channel is null, where a string is expected"),
    "half a character": (add(stream(channel="\ud800")), r"channel '\\ud800' has '\\ud800'"),
    "unknown provider": (
        add(stream(channel_provider_type="CA")),
        "channel_provider_type is 'CA', not one of ca, pva, fake",
    ),
    "provider of another type": (add(stream(channel_provider_type=True)), "channel_provider_type is a boolean"),
    "no converter": (add({"channel": "pv"}), "^json: stream 1 of 1: no converter$"),
    "converter of another type": (add(stream(converter="f142")), "converter is a string, where an object is expected"),
    "an empty list of converters": (add(stream(converter=[])), "the list of converters is empty"),
    "a converter of another type": (
        add(stream(converter=[CONVERTER, []])),
        "^json: stream 1 of 1: converter 2 of 2: converter is a list, where an object is expected$",
    ),
    "converter without schema": (add(stream(converter={"topic": "t"})), "no schema"),
    "converter without topic": (add(stream(converter={"schema": "f142"})), "no topic"),
    "name of another type": (add(stream(converter=CONVERTER | {"name": 1})), "name is a number"),
    "impossible topic": (add(with_topic("a b")), "topic 'a b' is not a name Kafka allows"),
    "stop_channel without channel": ('{"cmd": "stop_channel"}', "^json: no channel$"),
    "NaN": ('{"cmd": "exit", "x": NaN}', "^json: NaN is not JSON$"),
    "Infinity": ('{"cmd": "exit", "x": -Infinity}', "^json: -Infinity is not JSON$"),
    "a number of many digits": ('{"cmd": "exit", "x": ' + "9" * 100_000 + "}", "^json: Exceeds the limit"),
    "nested lists": ('{"cmd": "exit", "x": ' + "[" * 200_000, "^json: it is nested too deeply$"),
    "nested objects": ('{"x":' * 200_000, "^json: it is nested too deeply$"),
}


@pytest.mark.parametrize(("text", "reason"), BAD.values(), ids=BAD)
def test_a_bad_json_command_is_refused_with_the_reason(text: str | bytes, reason: str) -> None:
    with pytest.raises(BadCommand, match=reason) as refused:
        parse(text if isinstance(text, bytes) else text.encode())
    assert len(str(refused.value)) < 300


def test_a_json_command_of_too_many_streams_is_refused() -> None:
    message = add(stream(converter=[CONVERTER, CONVERTER]), stream()).encode()
    assert parse(message, Limits(streams=3))
    with pytest.raises(BadCommand, match=r"^json: stream 2 of 2: at most 2 streams are allowed"):
        parse(message, Limits(streams=2))


FILES: dict[str, tuple[str, tuple[Stream, ...]]] = {
    "streams": (json.dumps({"streams": [stream()]}), (READ,)),
    "none": ('{"streams": []}', ()),
    "with a byte order mark": ('\ufeff{"streams": []}', ()),
    "with other keys": (add(stream()), (READ,)),
}


@pytest.mark.parametrize(("text", "streams"), FILES.values(), ids=FILES)
def test_a_file_of_streams_is_read(text: str, streams: tuple[Stream, ...]) -> None:
    assert parse_streams_file(text) == streams


BAD_FILES = {
    "empty": ("", "^streams file: line 1 column 1: Expecting value"),
    "a list": ("[]", "^streams file: the file is a list, where an object is expected"),
    "no streams": ("{}", "^streams file: no streams"),
    "a bad stream": ('{"streams": [{"channel": 1}]}', "^streams file: stream 1 of 1: channel is a number"),
}


@pytest.mark.parametrize(("text", "reason"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_of_streams_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(BadCommand, match=reason):
        parse_streams_file(text)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["cmd", "streams", "channel", "converter", "schema", "topic", "name"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(["add", "stop_channel"]), anything)
def test_any_json_is_read_or_refused(command: str, content: object) -> None:
    for message in ({"cmd": command, "streams": content, "channel": content}, {"cmd": content}):
        with suppress(BadCommand):
            parse(json.dumps(message).encode())


@given(st.data())
def test_damaged_json_is_read_or_refused(data: st.DataObject) -> None:
    message = bytearray(add(stream()).encode())
    message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BadCommand):
        parse(bytes(message[: data.draw(st.integers(0, len(message)))]))
