"""What was known of PVs when a recording of them began: the newest messages that came before."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..decode import Undecodable, glance, schema_of
from ..kafka.topic_reader import EARLIEST, Record
from ..remote.connection import reading
from ..settings.types import TopicSettings
from .following import Following, Positions

_MOST_KEPT_BYTES = 256 * 1024 * 1024
_LAST_MESSAGES = 10_000
"""Of a partition in which the broker finds none by its time, because it can't or because none is that new."""
_UNITS = "un00"


class Kept(NamedTuple):
    """The newest message of one PV and schema."""

    record: Record
    alarm_only: bool
    """Whether a newer one has the value, and this the alarm that did not change since."""


class _Of(NamedTuple):
    topic: str
    schema: str
    pv: str
    alarm: bool


class Newest:
    """Of each PV and schema the newest message, as long as they fit into memory."""

    def __init__(self, schemas: frozenset[str], most_bytes: int = _MOST_KEPT_BYTES) -> None:
        """Of these schemas; the largest messages go first where there are too many."""
        self._schemas = schemas
        self._most_bytes = most_bytes
        self._kept: dict[_Of, Record] = {}
        self._bytes = 0
        self._dropped: set[_Of] = set()

    @property
    def dropped(self) -> int:
        """How many PVs and schemas are known not to fit."""
        return len(self._dropped)

    def take(self, record: Record) -> None:
        """A message that is newer than those of its partition before. What nobody can read is left out."""
        message = record.value or b""
        if schema_of(message) not in self._schemas:
            return
        try:
            seen = glance(message)
        except Undecodable:
            return
        self._keep(_Of(record.topic, seen.schema, seen.name, False), record)
        if seen.tells_alarm:
            self._keep(_Of(record.topic, seen.schema, seen.name, True), record)

    def kept(self) -> list[Kept]:
        """Units, then everything else in the order in which it came."""
        values = {id(record) for of, record in self._kept.items() if not of.alarm}
        found = [
            Kept(record, of.alarm)
            for of, record in self._kept.items()
            # With a value of its own it tells the alarm anyway.
            if not (of.alarm and id(record) in values)
        ]
        found.sort(
            key=lambda each: (schema_of(each.record.value or b"") != _UNITS, each.record.time_ms, each.record.offset)
        )
        return found

    def _keep(self, of: _Of, record: Record) -> None:
        held = self._kept.get(of)
        if held is not None:
            if held.partition != record.partition and held.time_ms > record.time_ms:
                return
            self._bytes -= len(held.value or b"")
        self._kept[of] = record
        self._dropped.discard(of)
        self._bytes += len(record.value or b"")
        if self._bytes > self._most_bytes:
            self._drop()

    def _drop(self) -> None:
        by_size = sorted(self._kept, key=lambda of: len(self._kept[of].value or b""))
        # Not one at a time: each costs a walk over all of them.
        while self._bytes > self._most_bytes * 3 // 4:
            of = by_size.pop()
            self._bytes -= len(self._kept.pop(of).value or b"")
            self._dropped.add(of)


async def look_back(
    newest: Newest,
    topics: Sequence[TopicSettings],
    ends: Positions,
    since_ms: int,
    trouble: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> None:
    """Give it what these topics hold from a time on, in milliseconds, up to these ends.

    `progress` is told how many messages are read, and of how many; `trouble` is as for Following. Raises TopicTrouble,
    and KafkaAway at the start.
    """
    begins = {topic.topic: await _begins(topic, ends[topic.topic], since_ms) for topic in topics}
    async with Following(topics, begins, until_end=True, ends=ends, trouble=trouble) as following:
        async for batch in following.batches():
            # Whatever their times are: a PV that never changes may have that of last month, also if it came just now.
            for record in batch:
                newest.take(record)
            progress(following.read, following.known)


async def _begins(topic: TopicSettings, ends: Mapping[int, int], since_ms: int) -> dict[int, int]:
    async with reading(topic) as reader:
        found, earliest = await reader.offsets(since_ms), await reader.offsets(EARLIEST)
    return {
        each: found[each] if found[each] < end else max(earliest[each], end - _LAST_MESSAGES)
        for each, end in ends.items()
    }
