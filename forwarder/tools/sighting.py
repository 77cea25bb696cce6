"""What one message looks like to somebody who watches a topic, which are wanted, and how many there were."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..decode import Decoded, Undecodable, decode, schema_of
from ..decode.headline import plain
from ..kafka.topic_reader import Record
from ..streams import whole_match

TOMBSTONE = "tombstone"
_NAMES_COUNTED = 100_000
"""Names beyond so many of one kind are not counted, to bound the memory."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One message of a topic, decoded or not."""

    record: Record
    schema: str
    decoded: Decoded | None
    problem: str = ""
    """Why it could not be decoded."""

    @property
    def name(self) -> str:
        """PV, source or service; where the message names none, its key."""
        if self.decoded is not None and self.decoded.name:
            return self.decoded.name
        return (self.record.key or b"").decode(errors="replace")

    @property
    def time_ns(self) -> int:
        """The message's own time, else Kafka's; nanoseconds since the Unix epoch."""
        own = self.decoded.time_ns if self.decoded is not None else None
        return own if own is not None else self.record.time_ms * 1_000_000

    def as_json(self) -> dict[str, Any]:
        """All there is to say, for scripts."""
        record, decoded = self.record, self.decoded
        head = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "kafka_time_ms": record.time_ms,
            "key": None if record.key is None else record.key.decode(errors="replace"),
            "schema": self.schema,
        }
        if decoded is None:
            return {**head, "error": self.problem} if self.problem else head
        more = {"name": self.name, "time_ns": self.time_ns, "value": plain(decoded.value), "alarm": decoded.alarm}
        return {**head, **more, "fields": plain(decoded.fields)}


def sight(record: Record) -> Sighting:
    """Decode a message; one that can't be is a sighting too."""
    if record.value is None:
        return Sighting(record, TOMBSTONE, None)
    schema = schema_of(record.value)
    try:
        return Sighting(record, schema, decode(record.value))
    except Undecodable as error:
        return Sighting(record, schema, None, str(error))


class Wanted:
    """Which messages are to be shown."""

    def __init__(self, pvs: Sequence[str] = (), schemas: Sequence[str] = ()) -> None:
        """Patterns of names with the wildcards `?` and `*`, and names of schemas; none of them: all."""
        self._tests = [whole_match(pattern) for pattern in pvs]
        self._schemas = frozenset(schemas)

    def __contains__(self, sighting: Sighting) -> bool:
        if self._schemas and sighting.schema not in self._schemas:
            return False
        if not self._tests:
            return True
        names = {sighting.name, (sighting.record.key or b"").decode(errors="replace")}
        return any(test(name) for test in self._tests for name in names)


@dataclass(slots=True)
class Count:
    """Messages of one kind."""

    messages: int = 0
    size: int = 0
    undecodable: int = 0
    names: set[str] = field(default_factory=set[str])
    first_ms: int = 0
    last_ms: int = 0

    def add(self, sighting: Sighting) -> None:
        record = sighting.record
        self.first_ms = min(self.first_ms, record.time_ms) if self.messages else record.time_ms
        self.last_ms = max(self.last_ms, record.time_ms)
        self.messages += 1
        self.size += len(record.value or b"")
        self.undecodable += bool(sighting.problem)
        if sighting.name and len(self.names) < _NAMES_COUNTED:
            self.names.add(sighting.name)

    @property
    def rate(self) -> float:
        """Messages a second by Kafka's times, between the first and the last; 0 for a single one."""
        ms = self.last_ms - self.first_ms
        return (self.messages - 1) * 1000 / ms if ms else 0.0


class Tally:
    """Counts of all kinds: by topic and schema."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], Count] = {}
        self.messages = 0

    def add(self, sighting: Sighting) -> None:
        self.messages += 1
        self.counts.setdefault((sighting.record.topic, sighting.schema), Count()).add(sighting)

    @property
    def undecodable(self) -> int:
        return sum(count.undecodable for count in self.counts.values())
