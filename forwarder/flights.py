"""Messages on their way to one partition: chunks that wait, and the one batch that flies."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter

from .model import Message

_key: Callable[[Message], bytes] = itemgetter(0)

RECORD_OVERHEAD = 200
"""Bytes that a waiting message takes beside its value: tuple, numbers and headers of the objects (CPython, 64 bit)."""
_ODD_MS = 3_600_000
"""Further from now, a time is the first suspect when the broker accepts one of a batch not; it is Kafka's own default
for the future (log.message.timestamp.after.max.ms)."""


@dataclass(slots=True, eq=False)
class Row:
    """Messages of one topic that are on disk, or about to be: all older than what has come since."""

    identifier: int
    size: int
    """Bytes on disk, about."""
    left: int
    """Messages that are neither acknowledged nor dropped."""
    born: float | None = None
    """When the oldest came, by the clock of those who call; None: in an earlier run."""
    messages: list[Message] | None = None
    """As long as they are in memory and not in a chunk: until they are written."""
    counted: bool = False
    """Whether its size is a part of what is on disk."""
    writing: bool = False
    written: bool = False
    """Whether they are on disk."""
    failed: bool = False
    """Whether they were loaded and could not be written: then nothing holds them but memory."""


class _Held:
    """Messages in memory, of which there may be a copy on disk."""

    __slots__ = ()
    row: Row | None

    @property
    def only_in_memory(self) -> bool:
        return self.row is None or self.row.failed


@dataclass(slots=True)
class Chunk(_Held):
    """Messages of one partition, in order."""

    messages: list[Message]
    size: int
    """Bytes in memory."""
    alone: bool = False
    """Whether it must be a batch of its own: a larger one with it in it was refused, or it is of a row."""
    row: Row | None = None
    """What holds the same messages on disk; None when nothing does."""
    born: float = 0.0
    """When the oldest came, by the clock of those who call."""


class Account:
    """What became of the messages for one topic."""

    __slots__ = (
        "acknowledged",
        "acknowledged_by_schema",
        "broker",
        "dropped",
        "dropped_by_key",
        "failed",
        "finished",
        "loaded",
        "restamped",
        "topic",
        "waiting_bytes",
    )

    def __init__(self, broker: str, topic: str) -> None:
        self.broker = broker
        self.topic = topic
        self.acknowledged = 0
        self.acknowledged_by_schema: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        """Messages given up, by reason."""
        self.dropped_by_key: dict[str, Counter[bytes]] = {}
        """The same by reason and key, without those on disk that could not be read, or not soon enough."""
        self.restamped = 0
        """Messages whose time the broker did not accept, and that were given the time of now in Kafka."""
        self.waiting_bytes: int = 0
        """Memory of what waits or flies; what came since the last tick is not yet in it."""
        self.loaded: set[Row] = set()
        """Rows whose messages are in chunks or flights too."""
        self.failed: set[Row] = set()
        """Rows whose messages are in chunks or flights and nowhere else, as they could not be written."""
        self.finished: list[Row] = []
        """Rows that nobody needs any more, to be deleted."""

    def drop(self, reason: str, messages: list[Message]) -> None:
        """Count messages that are given up."""
        self.dropped[reason] += len(messages)
        self.attribute(reason, messages)

    def attribute(self, reason: str, messages: list[Message]) -> None:
        """These are messages that are counted as given up already."""
        self.dropped_by_key.setdefault(reason, Counter()).update(map(_key, messages))

    def losses(self, key: bytes) -> dict[str, int]:
        """How many messages with this key were given up, by reason, as far as that is known."""
        return {reason: count for reason, keys in self.dropped_by_key.items() if (count := keys[key])}

    @property
    def dropped_unread(self) -> int:
        """Messages that were given up, and whose keys nobody knows."""
        return self.dropped.total() - sum(keys.total() for keys in self.dropped_by_key.values())

    def settle(self, row: Row | None, count: int) -> None:
        """So many messages are acknowledged or dropped; of a row, if they are of one."""
        if row is not None:
            row.left -= count
            if not row.left:
                self.loaded.discard(row)
                self.failed.discard(row)
                if not row.failed:
                    self.finished.append(row)


class PartitionQueue:
    """The messages of one partition that are not in a flight, oldest first."""

    __slots__ = ("chunks", "in_flight", "lane", "partition")

    def __init__(self, lane: Account, partition: int) -> None:
        self.lane = lane
        self.partition = partition
        self.chunks: deque[Chunk] = deque()
        self.in_flight: Flight | None = None

    def unsaved(self) -> list[Chunk]:
        """The newest chunks that are in memory only: behind all that have a row, so that they can be put behind it."""
        chunks: list[Chunk] = []
        for chunk in reversed(self.chunks):
            if not chunk.only_in_memory:
                break
            chunks.append(chunk)
        return chunks[::-1]

    def take_unsaved(self) -> list[Chunk]:
        """The same, which the queue then has no more."""
        chunks = self.unsaved()
        for _ in chunks:
            self.chunks.pop()
        return chunks

    def in_front(self) -> list["Flight | Chunk"]:
        """What is in memory only and can't be put behind what has a row: the flight, and chunks in front of others.

        Where such a chunk is in front of one that has a row, they came together when the topic got fewer partitions,
        and have no key in common.
        """
        front = len(self.chunks) - len(self.unsaved())
        items = [self.in_flight, *(chunk for chunk, _ in zip(self.chunks, range(front), strict=False))]
        return [item for item in items if item is not None and item.row is None]

    def take_off(self, fill: Callable[[list[Message]], int]) -> "Flight | None":
        """Take the oldest chunks for one batch; None when nothing waits.

        `fill` appends as many of the messages it is given to the batch as fit and says how many these are; it takes
        at least the first message of a batch, whatever its size.
        """
        assert self.in_flight is None, "one batch at a time keeps the order"
        if not self.chunks:
            return None
        flight = Flight(self, row=self.chunks[0].row, born=self.chunks[0].born)
        while self.chunks:
            chunk = self.chunks[0]
            if flight.messages and chunk.alone:
                break
            try:
                taken = fill(chunk.messages)
            except BaseException:
                if flight.messages:
                    # Nothing of it is on its way.
                    self.chunks.appendleft(Chunk(flight.messages, flight.size, True, flight.row, flight.born))
                raise
            self.chunks.popleft()
            if taken < len(chunk.messages):
                rest = chunk.messages[taken:]
                rest_size = memory_of(rest)
                self.chunks.appendleft(Chunk(rest, rest_size, chunk.alone, chunk.row, chunk.born))
                flight.messages += chunk.messages[:taken]
                flight.size += chunk.size - rest_size
                break
            flight.messages = flight.messages + chunk.messages if flight.messages else chunk.messages
            flight.size += chunk.size
            if chunk.alone:
                break
        self.in_flight = flight
        return flight


@dataclass(slots=True, eq=False)
class Flight(_Held):
    """One batch on its way: its messages come back, unless they are acknowledged or refused."""

    queue: PartitionQueue
    messages: list[Message] = field(default_factory=list[Message])
    size: int = 0
    row: Row | None = None
    """What holds the same messages on disk, perhaps with others."""
    born: float = 0.0

    @property
    def came(self) -> float | None:
        """When the oldest of its messages came; None: in an earlier run."""
        return self.born if self.row is None else self.row.born

    def acknowledged(self) -> None:
        """The broker has stored every message."""
        self._land()
        lane = self.queue.lane
        lane.acknowledged += len(self.messages)
        lane.acknowledged_by_schema.update(_schemas(self.messages))
        lane.waiting_bytes -= self.size
        lane.settle(self.row, len(self.messages))

    def returned(self) -> None:
        """Not stored: the messages are again the oldest that wait."""
        self._land()
        self._wait_again(self.messages, self.size)

    def restamped(self, now_ms: int) -> bool:
        """The broker does not accept a time in it: the odd ones become now, or else all; False when they are now.

        The messages are again the oldest that wait.
        """
        odd = [m for m in self.messages if abs(m[2] - now_ms) > _ODD_MS] or [m for m in self.messages if m[2] != now_ms]
        if not odd:
            return False
        self._land()
        changed = set(map(id, odd))
        self._wait_again([(m[0], m[1], now_ms) if id(m) in changed else m for m in self.messages], self.size)
        self.queue.lane.restamped += len(odd)
        return True

    def refused(self, reason: str) -> Message | None:
        """The broker will never take this batch: one message is dropped and returned, more are halved to try again."""
        self._land()
        if len(self.messages) == 1:
            lane = self.queue.lane
            lane.waiting_bytes -= self.size
            lane.drop(reason, self.messages)
            lane.settle(self.row, 1)
            return self.messages[0]
        middle = len(self.messages) // 2
        for half in (self.messages[middle:], self.messages[:middle]):
            self._wait_again(half, memory_of(half))
        return None

    def _wait_again(self, messages: list[Message], size: int) -> None:
        self.queue.chunks.appendleft(Chunk(messages, size, alone=True, row=self.row, born=self.born))

    def _land(self) -> None:
        assert self.queue.in_flight is self, "a flight lands once"
        self.queue.in_flight = None


def memory_of(messages: list[Message]) -> int:
    """Bytes that messages take while they wait; keys are shared with their PV."""
    return sum([len(value) for _, value, _ in messages]) + RECORD_OVERHEAD * len(messages)


def _schemas(messages: list[Message]) -> dict[str, int]:
    # A FlatBuffers message names its schema in bytes 4 to 8. Nearly always all are of one: counted that way, this
    # takes a third of the time of a Counter.
    counts: dict[str, int] = {}
    identifiers = [value[4:8] for _, value, _ in messages]
    while identifiers:
        identifier = identifiers[0]
        count = identifiers.count(identifier)
        counts[identifier.decode("ascii", "replace")] = count
        if count == len(identifiers):
            break
        identifiers = [each for each in identifiers if each != identifier]
    return counts
