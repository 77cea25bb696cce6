"""What waits to be acknowledged by Kafka.

Updates are appended to the lane of their topic, which costs them one `list.append`. A sender takes them from there at
every tick: each lane's new messages become a chunk in the queue of their partition, and a flight takes the oldest
chunks of a queue. Only `acknowledged` or `refused` ends a message's stay; `returned` puts a flight back in front.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .model import Message

RECORD_OVERHEAD = 200
"""Bytes that a waiting message takes beside its value: tuple, numbers and headers of the objects (CPython, 64 bit)."""

_ODD_MS = 3_600_000
"""Further from now, a time is the first suspect when the broker accepts one of a batch not; it is Kafka's own default
for the future (log.message.timestamp.after.max.ms)."""


@dataclass(slots=True)
class Chunk:
    """Messages of one partition, in order, that were appended between two ticks."""

    messages: list[Message]
    size: int
    """Bytes in memory."""
    alone: bool = False
    """Whether it must be a batch of its own, because a larger one with it in it was refused."""


class PartitionQueue:
    """The messages of one partition that are not in a flight, oldest first."""

    __slots__ = ("chunks", "in_flight", "lane", "partition")

    def __init__(self, lane: "Lane", partition: int) -> None:
        self.lane = lane
        self.partition = partition
        self.chunks: deque[Chunk] = deque()
        self.in_flight: Flight | None = None

    def take_off(self, fill: Callable[[list[Message]], int]) -> "Flight | None":
        """Take the oldest chunks for one batch; None when nothing waits.

        `fill` appends as many of the messages it is given to the batch as fit and says how many these are; it takes
        at least the first message of a batch, whatever its size.
        """
        assert self.in_flight is None, "one batch at a time keeps the order"
        if not self.chunks:
            return None
        flight = Flight(self)
        while self.chunks:
            chunk = self.chunks[0]
            if flight.messages and chunk.alone:
                break
            self.chunks.popleft()
            taken = fill(chunk.messages)
            if taken < len(chunk.messages):
                rest = chunk.messages[taken:]
                rest_size = memory_of(rest)
                self.chunks.appendleft(Chunk(rest, rest_size, chunk.alone))
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
class Flight:
    """One batch on its way: its messages come back, unless they are acknowledged or refused."""

    queue: PartitionQueue
    messages: list[Message] = field(default_factory=list[Message])
    size: int = 0

    def acknowledged(self) -> None:
        """The broker has stored every message."""
        self._land()
        lane = self.queue.lane
        lane.acknowledged += len(self.messages)
        lane.acknowledged_by_schema.update(_schemas(self.messages))
        lane.waiting_bytes -= self.size

    def returned(self) -> None:
        """Not stored: the messages are again the oldest that wait."""
        self._land()
        self.queue.chunks.appendleft(Chunk(self.messages, self.size, alone=True))

    def restamped(self, now_ms: int) -> bool:
        """The broker does not accept a time in it: the odd ones become now, or else all; False when they are now.

        The messages are again the oldest that wait.
        """
        odd = [m for m in self.messages if abs(m[2] - now_ms) > _ODD_MS] or [m for m in self.messages if m[2] != now_ms]
        if not odd:
            return False
        self._land()
        changed = set(map(id, odd))
        messages = [(key, value, now_ms) if id(m) in changed else m for m in self.messages for key, value, _ in (m,)]
        self.queue.chunks.appendleft(Chunk(messages, self.size, alone=True))
        self.queue.lane.restamped += len(odd)
        return True

    def refused(self, reason: str) -> Message | None:
        """The broker will never take this batch: one message is dropped and returned, more are halved to try again."""
        self._land()
        if len(self.messages) == 1:
            lane = self.queue.lane
            lane.waiting_bytes -= self.size
            lane.dropped[reason] += 1
            return self.messages[0]
        middle = len(self.messages) // 2
        for half in (self.messages[middle:], self.messages[:middle]):
            self.queue.chunks.appendleft(Chunk(half, memory_of(half), alone=True))
        return None

    def _land(self) -> None:
        assert self.queue.in_flight is self, "a flight lands once"
        self.queue.in_flight = None


class Lane:
    """All that waits for one topic of one cluster."""

    __slots__ = (
        "acknowledged",
        "acknowledged_by_schema",
        "append",
        "broker",
        "dropped",
        "incoming",
        "partitions",
        "queued",
        "restamped",
        "topic",
        "unplaced",
        "waiting_bytes",
    )

    def __init__(self, broker: str, topic: str) -> None:
        self.broker = broker
        self.topic = topic
        self.incoming: list[Message] = []
        self.append = self.incoming.append
        """Takes one message. This is the hot path: nothing else happens."""
        self.unplaced: deque[Chunk] = deque()
        """Chunks from before the number of partitions was known."""
        self.partitions: list[PartitionQueue] = []
        self.queued = 0
        """Messages taken from `incoming` so far."""
        self.acknowledged = 0
        self.acknowledged_by_schema: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        """Messages given up, by reason."""
        self.restamped = 0
        """Messages whose time the broker did not accept, and that were given the time of now in Kafka."""
        self.waiting_bytes = 0
        """Memory of what waits or flies; what came since the last tick is not yet in it."""

    @property
    def appended(self) -> int:
        """Messages that ever came."""
        return self.queued + len(self.incoming)

    @property
    def waiting(self) -> int:
        """Messages that are neither acknowledged nor dropped."""
        return self.appended - self.acknowledged - self.dropped.total()

    def collect(self, partition_of: Callable[[bytes, int], int]) -> None:
        """Move what came since the last tick to the queues of its partitions; the partition follows from the key."""
        if not self.incoming:
            return
        messages = self.incoming[:]
        self.incoming.clear()
        self.queued += len(messages)
        chunk = Chunk(messages, memory_of(messages))
        self.waiting_bytes += chunk.size
        if self.partitions:
            self._place(chunk, partition_of)
        else:
            self.unplaced.append(chunk)

    def place_on(self, count: int, partition_of: Callable[[bytes, int], int]) -> None:
        """The topic has this many partitions now: more than before, or fewer when it was deleted and made again.

        Nothing of a partition that is no more may be in a flight.
        """
        gone = self.partitions[count:]
        del self.partitions[count:]
        for partition in range(len(self.partitions), count):
            self.partitions.append(PartitionQueue(self, partition))
        for queue in gone:
            assert queue.in_flight is None, "a flight lands before its partition goes"
            self.unplaced += queue.chunks
        while self.unplaced:
            self._place(self.unplaced.popleft(), partition_of)

    def drop_oldest(self, reason: str) -> int:
        """Give up the oldest chunk that is not in a flight; the bytes that this frees, 0 when there is none."""
        queues = [self.unplaced, *(queue.chunks for queue in self.partitions)]
        fullest = max(queues, key=len)
        if not fullest:
            return 0
        chunk = fullest.popleft()
        self.dropped[reason] += len(chunk.messages)
        self.waiting_bytes -= chunk.size
        return chunk.size

    def _place(self, chunk: Chunk, partition_of: Callable[[bytes, int], int]) -> None:
        count = len(self.partitions)
        if count == 1:
            self.partitions[0].chunks.append(chunk)
            return
        parts: list[list[Message]] = [[] for _ in range(count)]
        for message in chunk.messages:
            parts[partition_of(message[0], count)].append(message)
        for queue, messages in zip(self.partitions, parts, strict=True):
            if messages:
                queue.chunks.append(Chunk(messages, memory_of(messages)))


class Outbox:
    """The lanes of all topics."""

    def __init__(self, max_waiting_bytes: int) -> None:
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._max_waiting_bytes = max_waiting_bytes

    def lane(self, broker: str, topic: str) -> Lane:
        """The lane of a topic, made when it is first asked for. `broker` is empty for the default cluster."""
        lane = self._lanes.get((broker, topic))
        if lane is None:
            lane = self._lanes[broker, topic] = Lane(broker, topic)
        return lane

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def lanes(self, broker: str) -> list[Lane]:
        """The lanes of one cluster."""
        return [lane for lane in self._lanes.values() if lane.broker == broker]

    @property
    def waiting(self) -> int:
        """Messages that are neither acknowledged nor dropped."""
        return sum(lane.waiting for lane in self)

    @property
    def waiting_bytes(self) -> int:
        """Memory of what waits or flies; what came since the last tick is not yet in it."""
        return sum(lane.waiting_bytes for lane in self)

    def keep_within_bound(self) -> int:
        """Drop the oldest of the largest lane until the rest fits in memory; how many messages that were.

        The largest lane is the one whose cluster or topic is in trouble: the others lose nothing for it.
        """
        excess = self.waiting_bytes - self._max_waiting_bytes
        if excess <= 0:
            return 0
        dropped = 0
        lanes = list(self)
        while excess > 0 and lanes:
            lane = max(lanes, key=lambda lane: lane.waiting_bytes)
            before = lane.dropped.total()
            freed = lane.drop_oldest("memory full")
            if not freed:
                # All it has is on its way.
                lanes.remove(lane)
            excess -= freed
            dropped += lane.dropped.total() - before
        return dropped


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
