"""What waits to be acknowledged by Kafka.

Updates are appended to the lane of their topic, which costs them one `list.append`. A sender takes them from there at
every tick: each lane's new messages become a chunk in the queue of their partition, and a flight takes the oldest
chunks of a queue. Only `acknowledged` or `refused` ends a message's stay; `returned` puts a flight back in front.

What waits too long goes to disk in rows. Then a lane holds, from the oldest to the newest: flights and chunks in the
queues of its partitions, rows, and chunks that are not placed yet. Rows are loaded into the queues in their order.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import attrgetter

from .flights import RECORD_OVERHEAD, Account, Chunk, PartitionQueue, Row, memory_of
from .model import Message

PartitionOf = Callable[[bytes, int], int]
"""The partition of a key among so many."""

_ROW_BYTES = 1_000_000
"""Memory of the messages in one row, about: as many as fit into a batch."""


class Lane(Account):
    """All that waits for one topic of one cluster."""

    __slots__ = (
        "append",
        "incoming",
        "loading",
        "partitions",
        "queued",
        "restored",
        "rows",
        "spools",
        "unplaced",
        "unwritten",
    )

    def __init__(self, broker: str, topic: str) -> None:
        super().__init__(broker, topic)
        self.incoming: list[Message] = []
        self.append = self.incoming.append
        """Takes one message. This is the hot path: nothing else happens."""
        self.unplaced: deque[Chunk] = deque()
        """Chunks from before the number of partitions was known, or from when there were rows already."""
        self.rows: deque[Row] = deque()
        """What is on disk and has to be loaded, oldest first."""
        self.unwritten: dict[Row, None] = {}
        """Those of them whose messages are in memory, oldest first."""
        self.loading = False
        """Whether the oldest row is being read."""
        self.partitions: list[PartitionQueue] = []
        self.queued = 0
        """Messages taken from `incoming` so far, and those restored."""
        self.spools = True
        """Whether its messages are worth keeping on disk."""
        self.restored = 0
        """Messages that an earlier run had left on disk."""

    @property
    def appended(self) -> int:
        """Messages that ever came."""
        return self.queued + len(self.incoming)

    @property
    def waiting(self) -> int:
        """Messages that are neither acknowledged nor dropped."""
        return self.appended - self.acknowledged - self.dropped.total()

    @property
    def on_disk(self) -> int:
        """Messages that wait and are on disk, whether they are in memory too or not."""
        return sum(row.left for row in (*self.rows, *self.loaded) if row.written)

    @property
    def has_idle_partition(self) -> bool:
        """Whether nothing waits for one of its partitions in memory."""
        return any(not queue.chunks and queue.in_flight is None for queue in self.partitions)

    def collect(self, partition_of: PartitionOf, now: float = 0.0) -> None:
        """Move what came since the last tick to the queues of its partitions; the partition follows from the key."""
        if self.unplaced:
            # The rows in front of it may have been given up since.
            self._place_all(partition_of)
        if not self.incoming:
            return
        messages = self.incoming[:]
        self.incoming.clear()
        self.queued += len(messages)
        chunk = Chunk(messages, memory_of(messages), born=now)
        self.waiting_bytes += chunk.size
        if self.partitions and not self.rows and not self.unplaced:
            self._place(chunk, partition_of)
        else:
            self.unplaced.append(chunk)

    def place_on(self, count: int, partition_of: PartitionOf) -> None:
        """The topic has this many partitions now: more than before, or fewer when it was deleted and made again.

        All is placed anew, so that a PV has one partition. What is in a flight stays where it is; nothing of a
        partition that is no more may be.
        """
        if count != len(self.partitions):
            assert all(queue.in_flight is None for queue in self.partitions[count:]), "a flight lands before"
            chunks = sorted([chunk for queue in self.partitions for chunk in queue.chunks], key=_age)
            for queue in self.partitions:
                queue.chunks.clear()
            del self.partitions[count:]
            self.partitions += [PartitionQueue(self, partition) for partition in range(len(self.partitions), count)]
            for chunk in chunks:
                self._place(chunk, partition_of)
        self._place_all(partition_of)

    def drop_oldest(self, reason: str) -> int:
        """Give up the oldest messages that are in memory only; the bytes that this frees, 0 when there are none."""
        queues = [queue.chunks for queue in self.partitions]
        droppable = [queue for queue in queues if any(chunk.only_in_memory for chunk in queue)]
        if not droppable:
            unwritten = next((row for row in self.unwritten if not row.writing), None)
            if unwritten is not None:
                return self._drop_unwritten(unwritten, reason)
            droppable = [self.unplaced] if self.unplaced else []
        if not droppable:
            return 0
        fullest = max(droppable, key=len)
        chunk = next(chunk for chunk in fullest if chunk.only_in_memory)
        fullest.remove(chunk)
        self.drop(reason, chunk.messages)
        self.waiting_bytes -= chunk.size
        self.settle(chunk.row, len(chunk.messages))
        return chunk.size

    def _drop_unwritten(self, row: Row, reason: str) -> int:
        assert row.messages is not None
        self.rows.remove(row)
        del self.unwritten[row]
        self.drop(reason, row.messages)
        freed = memory_of(row.messages)
        self.waiting_bytes -= freed
        return freed

    def oldest(self) -> float | None:
        """When the oldest message came that is in memory only; None when there is none."""
        born: list[float] = []
        if not self.rows:
            # Where there are rows, what is in the queues has one, too.
            for queue in self.partitions:
                flight = queue.in_flight
                if flight is not None and flight.row is None:
                    born.append(flight.born)
                born += [chunk.born for chunk in islice((each for each in queue.chunks if each.row is None), 1)]
        if self.unplaced:
            born.append(self.unplaced[0].born)
        if self.failed or any(not row.writing for row in self.unwritten):
            return 0.0
        return min(born, default=None)

    def oldest_waiting(self, earlier: float) -> float | None:
        """When the oldest message came that waits, wherever it is; None when none does.

        `earlier` is what to say of messages that came in an earlier run. What came since the last tick is not in it.
        """
        born: list[float | None] = []
        for queue in self.partitions:
            if queue.in_flight is not None:
                born.append(queue.in_flight.came)
            elif queue.chunks:
                chunk = queue.chunks[0]
                born.append(chunk.born if chunk.row is None else chunk.row.born)
        if self.rows:
            born.append(self.rows[0].born)
        if self.unplaced:
            born.append(self.unplaced[0].born)
        return min((earlier if each is None else each for each in born), default=None)

    def spill(self, identifiers: Iterator[int]) -> list[tuple[Row, list[Message]]]:
        """Turn all that is in memory only into rows to be written, oldest first; flights stay where they are, too."""
        writes = [(row, self._again(row)) for row in sorted(self.failed, key=lambda row: row.identifier)]
        self.failed.clear()
        for row in self.unwritten:
            if not row.writing:
                assert row.messages is not None
                row.writing = True
                writes.append((row, row.messages))
        chunks: list[Chunk] = []
        if not self.rows:
            # By age, as a PV may be in two partitions since there are more of them.
            for item in sorted([item for queue in self.partitions for item in queue.in_front()], key=_born):
                item.row = _row(next(identifiers), item.messages, item.born)
                if isinstance(item, Chunk):
                    # A batch is of one row.
                    item.alone = True
                self.loaded.add(item.row)
                writes.append((item.row, item.messages))
            chunks = sorted([chunk for queue in self.partitions for chunk in queue.take_unsaved()], key=_born)
        chunks += self.unplaced
        self.unplaced.clear()
        messages = [message for chunk in chunks for message in chunk.messages]
        for part in _parts(messages):
            row = _row(next(identifiers), part, chunks[0].born)
            row.messages = part
            self.rows.append(row)
            self.unwritten[row] = None
            writes.append((row, part))
        return writes

    def _again(self, row: Row) -> list[Message]:
        """The messages of a row that could not be written; it keeps its place among the others."""
        held = [each for queue in self.partitions for each in (queue.in_flight, *queue.chunks) if each is not None]
        messages = [message for each in held if each.row is row for message in each.messages]
        row.failed = False
        row.writing = True
        row.size = _size(messages)
        self.loaded.add(row)
        return messages

    def wrote(self, row: Row, success: bool) -> None:
        """A row is on disk now, or it could not be written: then its messages stay in memory, in their place."""
        row.writing = False
        row.written = success
        if success and row.messages is not None:
            self.waiting_bytes -= memory_of(row.messages)
            row.messages = None
            del self.unwritten[row]
        elif not success and row.messages is None:
            self._fail(row)

    def _fail(self, row: Row) -> None:
        row.failed = True
        self.loaded.discard(row)
        if row.left:
            self.failed.add(row)

    def next_row(self) -> Row | None:
        """The row to be loaded next, which now counts as being read; None when there is none."""
        if self.loading or not self.rows or not self.partitions:
            return None
        self.loading = True
        return self.rows[0]

    def load(
        self, messages: list[Message] | None, partition_of: PartitionOf, now: float, reason: str = "spool damaged"
    ) -> None:
        """The oldest row's messages are here; None when they can't be read any more, for a reason."""
        self.loading = False
        row = self.rows.popleft()
        if messages is None:
            self.dropped[reason] += row.left
            self.finished.append(row)
        else:
            size = memory_of(messages)
            if row.messages is None:
                self.waiting_bytes += size
            row.messages = None
            self.unwritten.pop(row, None)
            if row.written or row.writing:
                self.loaded.add(row)
            else:
                self._fail(row)
            self._place(Chunk(messages, size, alone=True, row=row, born=now), partition_of)
        self._place_all(partition_of)

    def drop_row(self, reason: str) -> int:
        """Give up the oldest row that is on disk; the bytes that this frees there, 0 when there is none."""
        for row in self.rows:
            if row.written and not (self.loading and row is self.rows[0]):
                self.rows.remove(row)
                self.dropped[reason] += row.left
                self.finished.append(row)
                return row.size
        return 0

    def restore(self, rows: Iterable[Row]) -> None:
        """Rows that an earlier run has left, oldest first: older than all that waits and is not in a queue."""
        rows = list(rows)
        self.rows.extendleft(reversed(rows))
        for row in rows:
            self.queued += row.left
            self.restored += row.left

    def _place_all(self, partition_of: PartitionOf) -> None:
        while self.unplaced and self.partitions and not self.rows:
            self._place(self.unplaced.popleft(), partition_of)

    def _place(self, chunk: Chunk, partition_of: PartitionOf) -> None:
        count = len(self.partitions)
        if count == 1:
            self.partitions[0].chunks.append(chunk)
            return
        parts: list[list[Message]] = [[] for _ in range(count)]
        for message in chunk.messages:
            parts[partition_of(message[0], count)].append(message)
        for queue, messages in zip(self.partitions, parts, strict=True):
            if messages:
                queue.chunks.append(Chunk(messages, memory_of(messages), chunk.alone, chunk.row, chunk.born))


class Outbox:
    """The lanes of all topics."""

    def __init__(self, max_waiting_bytes: int) -> None:
        self._lanes: dict[tuple[str, str], Lane] = {}
        self.max_waiting_bytes = max_waiting_bytes

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
        excess = self.waiting_bytes - self.max_waiting_bytes
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


_born = attrgetter("born")


def _age(chunk: Chunk) -> tuple[bool, float]:
    """What sorts chunks of several partitions, oldest first: what has a row is older than what has none."""
    return (False, chunk.row.identifier) if chunk.row is not None else (True, chunk.born)


def _row(identifier: int, messages: list[Message], born: float) -> Row:
    return Row(identifier, _size(messages), len(messages), born, writing=True)


def _size(messages: list[Message]) -> int:
    """Bytes on disk, about."""
    return sum([len(key) + len(value) + 16 for key, value, _ in messages])


def _parts(messages: list[Message]) -> Iterator[list[Message]]:
    """The messages in parts of about the size of a row."""
    start = size = 0
    for index, message in enumerate(messages):
        size += len(message[1]) + RECORD_OVERHEAD
        if size >= _ROW_BYTES:
            yield messages[start : index + 1]
            start, size = index + 1, 0
    if start < len(messages):
        yield messages[start:]
