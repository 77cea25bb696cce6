"""What the page and the API want to know of the service. Who gathers it is the business of a higher floor."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from forwarder.model import Stream, Value

STATES = ("connected", "disconnected", "never_connected", "searching")
"""Of a PV's connection; `searching` until it is found or the grace period is over."""
SEVERITIES = ("NO_ALARM", "MINOR", "MAJOR", "INVALID")
"""Of alarms, by EPICS's number."""
PROTOCOLS = ("ca", "pva", "fake")


class Level(IntEnum):
    """How bad something is: the worst has the highest number."""

    NOTE = 0
    """Worth knowing; nothing has to be done."""
    WARNING = 1
    """Some data is missing, or may soon be."""
    ERROR = 2
    """Data is lost or held up now."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong, in words for somebody who has never seen the code."""

    level: Level
    title: str
    detail: str = ""
    """Why, and what to look at."""
    lasts_s: float | None = None
    """Since when; None where nobody knows."""
    link: str = ""
    """Where the page shows more: a relative address, empty for nowhere."""


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a PV's connection."""

    time_ns: int
    """Nanoseconds since the Unix epoch."""
    state: str
    server: str
    reason: str


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """Where a PV's updates go, and what becomes of them there."""

    schema: str
    topic: str
    cluster: str
    periodic: bool
    refused: str
    """Why it can't be sent in this schema; empty when it can."""
    refused_updates: int
    dropped_unread: int
    """Messages of the whole topic that were dropped and not read: some of them may have been this PV's."""
    waiting: int
    """Messages of the whole topic."""
    oldest_s: float
    """Age of the oldest of them; 0 when none waits."""
    problem: str
    """Why messages for the topic do not get to Kafka now; empty where nothing is known of."""


class Outlet(Protocol):
    """One stream, and whether it can be sent."""

    stream: Stream
    refused: str
    """Why not; empty when it can."""


class Counted(Protocol):
    """One PV, as the sampler sees it."""

    received: int
    """Updates since the PV was asked for."""


class Pv(Protocol):
    """One PV over one protocol. Everything is read when it is asked for."""

    @property
    def identity(self) -> Hashable: ...
    @property
    def name(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def state(self) -> str:
        """One of STATES."""
        ...

    @property
    def type(self) -> str:
        """Of its value; empty while it is not connected."""
        ...

    @property
    def value(self) -> Value | None:
        """The newest; while it is not connected, what it was when it was lost, if that is still known."""
        ...

    @property
    def time_ns(self) -> int:
        """EPICS time of the newest value, in nanoseconds since the Unix epoch; 0 where none ever came."""
        ...

    @property
    def choices(self) -> tuple[str, ...]: ...
    @property
    def units(self) -> str | None:
        """None where they are not known."""
        ...

    @property
    def severity(self) -> int:
        """EPICS's number."""
        ...

    @property
    def status(self) -> str:
        """EPICS's name of the alarm's status."""
        ...

    @property
    def alarm_message(self) -> str: ...
    @property
    def received(self) -> int: ...
    @property
    def server(self) -> str: ...
    @property
    def connects(self) -> int: ...
    @property
    def disconnects(self) -> int: ...
    @property
    def connected_at_ns(self) -> int | None: ...
    @property
    def lost_at_ns(self) -> int | None: ...
    @property
    def type_changes(self) -> int: ...
    @property
    def moves(self) -> int: ...
    @property
    def error(self) -> tuple[int | None, str] | None:
        """When, in nanoseconds since the Unix epoch if that is known, and what."""
        ...

    @property
    def outlets(self) -> Sequence[Outlet]:
        """Where it goes, in short."""
        ...

    @property
    def events(self) -> Sequence[Event]:
        """The last changes of its connection, the newest last."""
        ...

    def losses(self) -> Mapping[str, int]:
        """Updates and messages that did not go out, by reason."""
        ...

    def streams(self) -> Sequence[StreamFacts]: ...


@dataclass(frozen=True, slots=True)
class Totals:
    """All PVs and topics together, now."""

    received: int
    acknowledged: int
    waiting: int
    waiting_bytes: int
    """In memory."""
    spooled_bytes: int
    """On disk."""
    dropped: Mapping[str, int]
    """Messages, by reason."""
    oldest_s: float
    """Age of the oldest message that waits."""
    delivered: int
    """Messages whose way to Kafka was timed, since the start."""
    delivery_s: float
    """The sum of the times from when a message came to its acknowledgement."""
    busy: float
    """Part of a core that the event loop uses."""
    overloaded: bool


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """One topic that is, or was, sent to."""

    broker: str
    """As streams name its cluster."""
    cluster: str
    """The cluster, for people."""
    topic: str
    partitions: int
    acknowledged: int
    acknowledged_by_schema: Mapping[str, int]
    waiting: int
    waiting_bytes: int
    on_disk: int
    dropped: Mapping[str, int]
    dropped_unread: int
    restamped: int
    oldest_s: float
    """Age of the oldest message that waits; 0 when none does."""
    problem: str
    """Why messages do not get there now; empty where nothing is known of."""


@dataclass(frozen=True, slots=True)
class CommandFacts:
    """One command, and what came of it."""

    time_ns: int
    place: str
    """`topic[partition]@offset`, which the offset of its sender tells too, or where else it came from."""
    dialect: str
    command: str
    refused: str
    opened: int
    closed: int
    refused_streams: int
    stream_refusal: str


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What does not change while the service runs, and how long it does."""

    version: str
    service_id: str
    profile: str
    host: str
    pid: int
    uptime_s: float
    config_topics: Sequence[str]
    status_topic: str
    storage_topic: str
    output: str


class Facts(Protocol):
    """Everything that can be shown. All is answered at once and from memory."""

    def service(self) -> ServiceFacts: ...
    def totals(self) -> Totals: ...
    def troubles(self) -> Sequence[Trouble]:
        """What is wrong with the service and with Kafka; of PVs only what concerns all."""
        ...

    def counted(self) -> Sequence[Counted]:
        """All PVs there are now."""
        ...

    def pv(self, counted: Counted) -> Pv:
        """More about one of those."""
        ...

    def find(self, protocol: str, name: str) -> Pv | None: ...
    def wants_description(self, pv: Pv) -> None:
        """Somebody looks at a PV: ask its server for units and enum texts where they are not known yet."""
        ...

    def searched_at(self, protocol: str) -> Sequence[str]:
        """Addresses at which PVs of a protocol are searched, in words."""
        ...

    def topics(self) -> Sequence[TopicFacts]: ...
    def commands(self) -> Sequence[CommandFacts]:
        """The newest first."""
        ...
