"""What a forwarder says of itself on its status topic: this one, the ESS one, or the C++ one."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, TypeVar

from ..commands.legacy_json import SCHEMAS
from ..commands.names import split_topic
from ..decode import Decoded, Undecodable, decode
from ..errors import BadCommand
from ..kafka.topic_reader import Record
from ..model import Stream, Transport

T = TypeVar("T")

_CPP_MS = 4000
"""How often earlier forwarders speak."""
_TRANSPORTS = {transport.name.lower(): transport for transport in Transport}


@dataclass(frozen=True, slots=True)
class Status:
    """One status message."""

    service_id: str
    time_ms: int
    """Kafka's timestamp of the message, milliseconds since the Unix epoch."""
    software: str = ""
    """Name and version."""
    host: str = ""
    process_id: int = 0
    interval_ms: int = 4000
    """How often it says something."""
    state: str = "running"
    """`running` or `stopped`; earlier forwarders only speak while they run."""
    streams: tuple[Stream, ...] | None = None
    """None: the list is left out, because it is too long."""
    streams_count: int = 0
    knows_transports: bool = True
    """Whether the streams' transports are said, and not only guessed."""
    config_topics: Mapping[str, str] | None = None
    """`broker/topic` -> `reading` or `waiting`; None: it does not say."""
    obeyed: int | None = None
    """Commands since its start; None: it does not say."""
    refused: int = 0
    streams_refused: int = 0
    last_refusal: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """All of the status, as it came."""

    def is_alive(self, now_ms: int) -> bool:
        """Whether it can be expected to obey a command: it runs, and spoke not long ago."""
        return self.state == "running" and now_ms - self.time_ms < 3 * self.interval_ms + 5_000


def read(record: Record) -> Status | None:
    """The status in a message; None when it is none that can be read."""
    try:
        decoded = decode(record.value or b"")
        if decoded.schema == "x5f2":
            said = json.loads(decoded.fields["status_json"])
            return _status(record.time_ms, said, _Envelope.of(decoded))
        if decoded.schema == "json" and "streams" in decoded.fields:
            return _status(record.time_ms, decoded.fields, _Envelope(decoded.name, "C++ forwarder", "", 0, _CPP_MS))
    except (Undecodable, BadCommand, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # Others may send what they like to the topic.
        return None
    return None


def newest(statuses: Iterable[Status]) -> dict[str, Status]:
    """The newest status of each service."""
    found: dict[str, Status] = {}
    for status in statuses:
        before = found.get(status.service_id)
        if before is None or status.time_ms >= before.time_ms:
            found[status.service_id] = status
    return found


class _Envelope(NamedTuple):
    """What x5f2 says beside its JSON."""

    service_id: str
    software: str
    host: str
    process_id: int
    interval_ms: int

    @classmethod
    def of(cls, message: Decoded) -> Self:
        fields = message.fields
        software = f"{fields['software_name']} {fields['software_version']}"
        return cls(
            message.name,
            software,
            fields["host_name"] or "",
            fields["process_id"],
            fields["update_interval"] or _CPP_MS,
        )


def _status(time_ms: int, said: Mapping[str, Any], envelope: _Envelope) -> Status:
    config = said.get("config", {})
    described = said.get("streams", ())
    streams = tuple(stream for each in described for stream in _streams(each))
    obeyed, topics = config.get("obeyed"), config.get("topics")
    return Status(
        envelope.service_id,
        time_ms,
        envelope.software,
        envelope.host,
        envelope.process_id,
        envelope.interval_ms,
        _typed(str, said.get("state", "running")),
        None if "streams_omitted" in said else streams,
        _typed(int, said.get("streams_count", len(streams))),
        all("protocol" in each for each in described),
        None if topics is None else _typed(dict, topics),
        None if obeyed is None else sum(obeyed.values()),
        sum(config.get("refused", {}).values()),
        _typed(int, config.get("streams_refused", 0)),
        _typed(str, config.get("last_refusal", "")),
        said,
    )


def _streams(described: Mapping[str, Any]) -> list[Stream]:
    """Those of one entry; the C++ forwarder's has several converters."""
    channel = _typed(str, described["channel_name"])
    transport = _TRANSPORTS.get(described.get("protocol", "pva"), Transport.PVA)
    if "converters" not in described:
        broker, topic = split_topic(described["output_topic"])
        return [Stream(channel, transport, _typed(str, described["schema"]), topic, broker)]
    converters = described["converters"]
    return [
        Stream(
            channel,
            transport,
            SCHEMAS.get(schema := _typed(str, each["schema"]), schema),
            _typed(str, each["topic"]),
            _typed(str, each["broker"]),
        )
        for each in converters
    ]


def _typed(kind: type[T], said: object) -> T:
    if not isinstance(said, kind):
        raise TypeError(f"{type(said).__name__}, where {kind.__name__} is expected")
    return said
