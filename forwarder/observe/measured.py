"""All that is counted in the service, at one moment, in plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .histogram import Histogram


@dataclass(frozen=True, slots=True)
class Condition:
    """How the service itself is, beside what it forwards."""

    busy: float
    """Part of a core that its loop used in the last second."""
    waiting: float
    """Part of the last second in which updates waited for the loop."""
    lag_s: float
    overloaded: bool
    deaths: Mapping[str, int]
    """By part: how often it was started again."""
    stuck: tuple[str, ...]
    """The parts that do not get on."""
    heartbeat_s: float | None
    """How long ago that was found out; None before the first time."""
    restored: bool
    """Whether the stored state has been read, or there is none to be read."""
    stopping: bool
    last_command_at: float
    """Unix time of the last message on a config topic, in seconds; 0: none has come."""
    spool_bytes: int
    spool_problem: str
    """Why nothing can be written there now; empty when all is well or no spool is wanted."""
    storage_problem: str | None
    """Why the streams are not stored; empty when they are, None where there is no storage topic."""


@dataclass(frozen=True, slots=True)
class PvsOf:
    """The PVs of one transport."""

    protocol: str
    received: int
    """Updates since the start, also of PVs that are not forwarded any more."""
    by_state: Mapping[str, int]


@dataclass(slots=True)
class MessagesOf:
    """The messages for one topic."""

    cluster: str
    topic: str
    appended: int = 0
    restored: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    restamped: int = 0
    oldest_s: float = 0.0
    """Age of the oldest that waits; 0 when none does."""
    acknowledged: dict[str, int] = field(default_factory=dict[str, int])
    """By schema."""
    dropped: dict[str, int] = field(default_factory=dict[str, int])
    """By reason."""


@dataclass(frozen=True, slots=True)
class ClusterOf:
    """One Kafka cluster that is sent to."""

    name: str
    requests: int
    requests_failed: int
    connections: int
    identities: int
    topics_in_trouble: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything, at one moment."""

    version: str
    condition: Condition
    streams: int
    pvs: tuple[PvsOf, ...]
    clients: Mapping[str, Mapping[str, int]]
    """By protocol: what its client counts, by the client's own names."""
    updates: Mapping[str, int]
    """What became of updates that were not simply forwarded, by name."""
    messages: tuple[MessagesOf, ...]
    clusters: tuple[ClusterOf, ...]
    outbox_limit_bytes: int
    spool_limit_bytes: int | None
    """None: no spool is wanted."""
    lags: tuple[Histogram, Histogram]
    """Receive and delivery."""
    commands: Mapping[tuple[str, str], int]
    """By dialect and result."""
    streams_refused: int
    config_topics: Mapping[str, bool]
    """By name: whether a command that is sent there now will be obeyed."""
    scrape_s: float = 0.0
    """How long it took to tell all this the last time."""
