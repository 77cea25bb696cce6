"""From names to streams: what of an instrument goes where."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from forwarder.model import Stream, Transport

RUN_LOG = (
    "COUNTRATE",
    "BEAMCURRENT",
    "GOODFRAMES",
    "RAWFRAMES",
    "GOODUAH",
    "MEVENTS",
    "TOTALCOUNTS",
    "MONITORCOUNTS",
    "NPRATIO",
    "PERIOD",
    "TOTALUAMPS",
)
"""The PVs of the data acquisition that tell how a run gets on, behind PREFIXDAE:."""
_RUN_LOG_SCHEMA = "f144"


class Source(Enum):
    """Who says what is wanted."""

    BLOCKS = "blocks"
    RUN_LOG = "run_log"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class Site:
    """One instrument."""

    prefix: str
    instrument: str
    schema: str
    """Of all streams but those of the run log."""
    broker: str = ""
    """`host:port` that topics name; empty: none."""

    @property
    def block_names_pv(self) -> str:
        """Where the block server says which blocks there are."""
        return f"{self.prefix}CS:BLOCKSERVER:BLOCKNAMES"

    @property
    def environment_topic(self) -> str:
        """Of blocks and archived PVs."""
        return f"{self.instrument}_sampleEnv"

    @property
    def run_log_topic(self) -> str:
        return f"{self.instrument}_runLog"

    def blocks(self, names: Iterable[str]) -> tuple[str, ...]:
        """The PVs of blocks."""
        return tuple(f"{self._blocks}{name}" for name in names)

    def run_log(self) -> tuple[str, ...]:
        """The PVs of the run log."""
        return tuple(f"{self.prefix}DAE:{name}" for name in RUN_LOG)

    def stream(self, source: Source, pv: str) -> Stream:
        """What is wanted of a PV that a source names."""
        if source is Source.RUN_LOG:
            return Stream(pv, Transport.CA, _RUN_LOG_SCHEMA, self.run_log_topic, self.broker)
        return Stream(pv, Transport.CA, self.schema, self.environment_topic, self.broker)

    def source_of(self, stream: Stream) -> Source:
        """Who must have wanted a stream that was announced for this instrument."""
        if stream.topic == self.run_log_topic:
            return Source.RUN_LOG
        return Source.BLOCKS if stream.channel.startswith(self._blocks) else Source.ARCHIVE

    def only_ours(self, stream: Stream) -> bool:
        """Whether nobody else can have announced a stream: a block or a PV of the run log, to this one's topics."""
        if stream.transport is not Transport.CA:
            return False
        if stream.topic == self.environment_topic:
            return stream.channel.startswith(self._blocks)
        return stream.topic == self.run_log_topic and stream.channel in self.run_log()

    @property
    def _blocks(self) -> str:
        return f"{self.prefix}CS:SB:"
