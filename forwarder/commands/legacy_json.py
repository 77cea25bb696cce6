"""The C++ forwarder's JSON: commands on the configuration topic, and the file of streams to start with.

    {"cmd": "add", "streams": [{"channel": PV, "channel_provider_type": "ca", "converter": CONVERTER}]}
    {"cmd": "stop_channel", "channel": PV}
    {"cmd": "stop_all"}
    {"cmd": "exit"}

CONVERTER is `{"schema": S, "topic": T}` or a list of these, and the provider is `pva` if it isn't said. Keys that are
not known here are ignored, as C++ does; a key that is there twice has no clear meaning and is refused.
"""

import json
from typing import Any, NoReturn, cast

from forwarder.errors import BadCommand
from forwarder.model import Add, Command, Exit, Pattern, Remove, RemoveAll, Stream, Transport

from .limits import DEFAULT, Limits
from .names import check_channel, check_schema, quoted, split_topic

NAME = "json"
# C++ has no fake PVs; the first ESS forwarders in Python spoke its JSON, with this word more.
_PROVIDERS = {"ca": Transport.CA, "pva": Transport.PVA, "fake": Transport.FAKE}
SCHEMAS = {"TdcTime": "tdct"}
"""What C++ calls a schema by its purpose."""


def parse(message: bytes, limits: Limits = DEFAULT) -> Command:
    """The command in a JSON message; raises BadCommand."""
    try:
        text = message.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadCommand(f"json of {len(message)} bytes is not UTF-8 at byte {error.start}") from None
    try:
        return _command(_object(_load(text), "the message"), limits)
    except BadCommand as error:
        raise BadCommand(f"json: {error}") from None


def parse_streams_file(text: str, limits: Limits = DEFAULT) -> tuple[Stream, ...]:
    """The streams in the text of a `--streams-json` file, which is an add without its `cmd`; raises BadCommand."""
    try:
        return _streams(_object(_load(text.removeprefix("\ufeff")), "the file"), limits)
    except BadCommand as error:
        raise BadCommand(f"streams file: {error}") from None


def _command(message: dict[str, object], limits: Limits) -> Command:
    command = _text(message, "cmd")
    match command:
        case "add":
            streams = _streams(message, limits)
            if not streams:
                raise BadCommand("add: carries no streams, where at least one is needed")
            return Add(streams)
        case "stop_channel":
            channel = check_channel(_text(message, "channel"), limits.channel_length)
            return Remove((Pattern(channel=channel, wildcards=False),))
        case "stop_all" | "exit":
            for key in ("channel", "streams"):
                if message.get(key):
                    raise BadCommand(f"{command}: carries {key}, but is about all there is")
            return RemoveAll() if command == "stop_all" else Exit()
        case _:
            raise BadCommand(f"cmd is {quoted(command)}, not one of add, stop_channel, stop_all, exit")


def _streams(message: dict[str, object], limits: Limits) -> tuple[Stream, ...]:
    items = _list(_value(message, "streams"), "streams")
    streams: list[Stream] = []
    for number, item in enumerate(items, 1):
        try:
            streams.extend(_streams_of_channel(item, limits))
            if len(streams) > limits.streams:
                raise BadCommand(f"at most {limits.streams} streams are allowed")
        except BadCommand as error:
            raise BadCommand(f"stream {number} of {len(items)}: {error}") from None
    return tuple(streams)


def _streams_of_channel(item: object, limits: Limits) -> list[Stream]:
    described = _object(item, "it")
    channel = check_channel(_text(described, "channel"), limits.channel_length)
    provider = _text(described, "channel_provider_type", "pva")
    if provider not in _PROVIDERS:
        raise BadCommand(f"channel_provider_type is {quoted(provider)}, not one of {', '.join(_PROVIDERS)}")
    converter = _value(described, "converter")
    if not isinstance(converter, list):
        return [_stream(channel, _PROVIDERS[provider], converter)]
    converters = cast("list[object]", converter)
    if not converters:
        raise BadCommand("the list of converters is empty")
    streams: list[Stream] = []
    for number, each in enumerate(converters, 1):
        try:
            streams.append(_stream(channel, _PROVIDERS[provider], each))
        except BadCommand as error:
            raise BadCommand(f"converter {number} of {len(converters)}: {error}") from None
    return streams


def _stream(channel: str, transport: Transport, item: object) -> Stream:
    converter = _object(item, "converter")
    schema = _text(converter, "schema")
    _text(converter, "name", "")
    broker, topic = split_topic(_text(converter, "topic"))
    return Stream(channel, transport, check_schema(SCHEMAS.get(schema, schema)), topic, broker)


def _load(text: str) -> object:
    try:
        loaded: object = json.loads(text, object_pairs_hook=_without_twins, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise BadCommand(f"line {error.lineno} column {error.colno}: {error.msg}") from None
    except ValueError as error:  # a number of thousands of digits
        raise BadCommand(str(error)) from None
    except RecursionError:
        raise BadCommand("it is nested too deeply") from None
    return loaded


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twin = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise BadCommand(f"the key {quoted(twin)} is there twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise BadCommand(f"{name} is not JSON")


_MISSING = object()


def _value(item: dict[str, object], key: str, default: object = _MISSING) -> object:
    value = item.get(key, default)
    if value is _MISSING:
        raise BadCommand(f"no {key}")
    return value


def _text(item: dict[str, object], key: str, default: object = _MISSING) -> str:
    value = _value(item, key, default)
    if not isinstance(value, str):
        raise BadCommand(f"{key} is {_kind(value)}, where a string is expected")
    return value


def _object(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise BadCommand(f"{name} is {_kind(value)}, where an object is expected")
    return cast("dict[str, object]", value)


def _list(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise BadCommand(f"{name} is {_kind(value)}, where a list is expected")
    return cast("list[object]", value)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
