"""The starts and stops of runs that are told of on a topic."""

from collections.abc import Sequence
from typing import NamedTuple

from ..decode import Decoded, Undecodable, decode, schema_of
from ..kafka.topic_reader import EARLIEST, LATEST, Record
from ..remote.connection import reading
from ..settings.types import TopicSettings
from .following import Start, offsets_at

RUN_STOPS = "6s4t"
_RUN_STARTS = "pl72"
_LOOK_BACK_MESSAGES = 200
_WAIT_MS = 500


class Told(NamedTuple):
    """The start or the stop of a run."""

    decoded: Decoded
    kafka_ms: int

    @property
    def starts(self) -> bool:
        return self.decoded.schema == _RUN_STARTS

    @property
    def ms(self) -> int:
        return (self.decoded.time_ns or 0) // 1_000_000


async def runs_of(topic: TopicSettings, begin: Start | None) -> list[Told]:
    """The starts and stops that there are by now, from where it is begun, or the last of them, by their time."""
    async with reading(topic) as reader:
        ends = await reader.offsets(LATEST)
        if begin is None:
            first = await reader.offsets(EARLIEST)
            positions = {each: max(first[each], end - _LOOK_BACK_MESSAGES) for each, end in ends.items()}
        else:
            positions = await offsets_at(reader, begin, ends)
        found: list[Told] = []
        while positions := {each: offset for each, offset in positions.items() if offset < ends[each]}:
            records, positions = await reader.fetch(positions, _WAIT_MS)
            found += filter(None, map(_told, records))
        return sorted(found, key=lambda told: told.ms)


def _told(record: Record) -> Told | None:
    value = record.value or b""
    if schema_of(value) not in (_RUN_STARTS, RUN_STOPS):
        return None
    try:
        return Told(decode(value), record.time_ms)
    except Undecodable:
        # It is told of when it is recorded.
        return None


def first_stop(told: Sequence[Told]) -> int | None:
    """When the first of them stops a run, and it has been said, milliseconds since the Unix epoch."""
    return next((max(each.ms, each.kafka_ms) for each in told if not each.starts), None)
