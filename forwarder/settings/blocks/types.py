"""What can be set of the process beside an instrument, as plain values."""

from dataclasses import dataclass, field
from pathlib import Path

from ..types import ChannelAccessSettings, Dialect, EventLoop, HttpSettings, LogSettings, TopicSettings


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where the PVs are told that are flagged for archiving."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    period_s: float
    """How often it is asked."""


@dataclass(frozen=True, slots=True)
class BlocksSettings:
    """Everything that one process beside an instrument is told at its start."""

    profile: str
    prefix: str
    """What the names of the instrument's PVs begin with, such as `IN:LARMOR:`."""
    instrument: str
    """What the names of its topics begin with."""
    config_topic: TopicSettings
    status_topic: TopicSettings | None
    storage_topic: TopicSettings | None
    forwarder: str | None
    """Service id of the forwarder that is meant; None: the one that reads the config topic."""
    broker: str
    """`host:port` of the cluster that topics name; empty: they name none, which is the forwarder's own cluster."""
    schema: str
    """Of all streams but those of the run log."""
    dialect: Dialect
    blocks: bool
    run_log: bool
    archive: DatabaseSettings | None
    state_directory: Path
    stop_timeout_s: float
    event_loop: EventLoop
    ca: ChannelAccessSettings
    never_connected_after_s: float
    http: HttpSettings | None
    log: LogSettings

    @property
    def name(self) -> str:
        """Of this process, in the log and for brokers."""
        return f"blocks-{self.instrument}"
