"""Commands to messages: fc00, and the JSON of the C++ forwarder as far as it has words for them."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, serialise_fc00

from ..commands.limits import DEFAULT
from ..commands.names import topic_of
from ..errors import BadCommand
from ..model import Add, Command, Exit, Pattern, Remove, RemoveAll, Replace, Stream, Transport
from ..settings.types import Dialect


def messages(command: Command, dialect: Dialect) -> list[bytes]:
    """What to send, in order. Raises BadCommand where the dialect can't say it, or the message would be too long."""
    made = [_fc00(command)] if dialect is Dialect.FC00 else _json(command)
    longest = max(map(len, made))
    if longest > DEFAULT.message_bytes:
        raise BadCommand(
            f"the message would have {longest} bytes, where at most {DEFAULT.message_bytes} are obeyed: "
            "give fewer streams at once"
        )
    return made


def _fc00(command: Command) -> bytes:
    match command:
        case Add(streams):
            return _update(UpdateType.ADD, map(_info, streams))
        case Replace(streams):
            return _update(UpdateType.REPLACE, map(_info, streams))
        case Remove(patterns):
            return _update(UpdateType.REMOVE, map(_pattern, patterns))
        case RemoveAll():
            return _update(UpdateType.REMOVEALL, ())
        case Exit():
            raise BadCommand("fc00 has no word for exit")


def _update(change: Any, streams: Iterable[StreamInfo]) -> bytes:
    # The library writes them from the last to the first.
    return serialise_fc00(change, list(streams)[::-1])


def _info(stream: Stream) -> StreamInfo:
    return _stream_info(stream.channel, stream.schema, topic_of(stream), stream.transport.value, stream.periodic)


def _pattern(pattern: Pattern) -> StreamInfo:
    topic = f"{pattern.broker}/{pattern.topic}" if pattern.broker else pattern.topic
    return _stream_info(pattern.channel or "", pattern.schema or "", topic or "", Transport.PVA.value, False)


def _stream_info(channel: str, schema: str, topic: str, protocol: Any, periodic: bool) -> StreamInfo:
    return StreamInfo(channel, schema, topic, protocol, int(periodic))


def _json(command: Command) -> list[bytes]:
    match command:
        case Add(streams):
            return [_line({"cmd": "add", "streams": [_described(stream) for stream in streams]})]
        case Remove(patterns):
            return [_line({"cmd": "stop_channel", "channel": channel}) for channel in _channels(patterns)]
        case RemoveAll():
            return [_line({"cmd": "stop_all"})]
        case Replace():
            raise BadCommand("JSON has no word for replace: remove what is to go, and add the rest")
        case Exit():
            return [_line({"cmd": "exit"})]


def _channels(patterns: Sequence[Pattern]) -> list[str]:
    for pattern in patterns:
        if not pattern.channel or pattern.schema or pattern.topic or set("?*") & set(pattern.channel):
            raise BadCommand("JSON can only remove a channel by its name: no wildcards, no schema and no topic")
    return list(dict.fromkeys(pattern.channel or "" for pattern in patterns))


def _described(stream: Stream) -> dict[str, Any]:
    if stream.transport is Transport.FAKE or stream.periodic:
        raise BadCommand(f"{stream.channel}: JSON has no word for fake PVs and periodic repeats")
    converter = {"schema": "TdcTime" if stream.schema == "tdct" else stream.schema, "topic": topic_of(stream)}
    return {
        "channel": stream.channel,
        "channel_provider_type": stream.transport.name.lower(),
        "converter": converter,
    }


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()
