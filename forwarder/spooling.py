"""When messages go from memory to disk, and when they come back.

Whatever is neither acknowledged nor on disk for a while goes there, so that a process that is killed loses no more
than what came in that while. From there it comes back, oldest first, as fast as its topic takes it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count
from typing import Protocol

from .flights import RECORD_OVERHEAD, Row
from .model import Message
from .outbox import Lane, Outbox, PartitionOf
from .settings.types import SpoolSettings

_LOADED_ROWS = 4
"""Of one topic, in memory at a time: enough to have the next batch ready when one is acknowledged. More only while a
partition of it has nothing to send, because what the rows hold is for one that can't be sent to."""
_FIRST_ROOM, _MORE_ROOM = 0.5, 0.25
"""Parts of the memory that rows which came back may take when a topic asks for its first one, and for more. What they
take can't be dropped: the rest is for what is new."""
_TRY_AGAIN_S = 1.0
"""How long nothing is written after a write has failed."""
_GIVE_UP_S = 30.0
"""How long a disk may be unreadable: all that came later waits for what is there, and goes on without it then."""
_ASKED_AT_ONCE = 8
"""So many dropped rows are read for their keys at a time, and of others it stays unknown whose they were: what is to be
written must not wait long."""
_SPOOL_FULL = "spool full"
_FULL = 0.5
"""Part of the memory for waiting messages from which on all goes to disk, however young it is."""


class Disk(Protocol):
    """Where rows are kept. Results are told later, in the order in which things were asked for."""

    def write(
        self, identifier: int, broker: str, topic: str, messages: list[Message], done: Callable[[bool], None]
    ) -> None: ...
    def read(
        self, identifier: int, got: Callable[[list[Message] | None], None], failed: Callable[[], None]
    ) -> None: ...
    def delete(self, identifiers: Iterable[int]) -> None: ...
    @property
    def answers(self) -> bool:
        """False while it hangs."""
        ...


class Stored(Protocol):
    """A row on disk."""

    @property
    def identifier(self) -> int:
        """Grows from row to row."""
        ...

    @property
    def broker(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def count(self) -> int:
        """Messages in it."""
        ...

    @property
    def size(self) -> int:
        """Bytes on disk."""
        ...


class Spooling:
    """Moves messages of an outbox to disk and back."""

    def __init__(
        self, outbox: Outbox, disk: Disk, settings: SpoolSettings, partition_of: PartitionOf, first_identifier: int = 1
    ) -> None:
        """`first_identifier` is above those of all rows that the disk has already."""
        self.bytes = 0
        """On disk, about."""
        self.pending = 0
        """Rows that are being written."""
        self._asking = 0
        """Dropped rows that are being read."""
        self._now = 0.0
        self._write_at = self._read_at = 0.0
        self._unreadable_since: float | None = None
        self._outbox = outbox
        self._disk = disk
        self._settings = settings
        self._partition_of = partition_of
        self._identifiers: Iterator[int] = count(first_identifier)

    def restore(self, rows: Iterable[Stored]) -> None:
        """What is on disk from an earlier run, oldest first. It goes before all that waits and is not on its way."""
        of_lanes: defaultdict[Lane, list[Row]] = defaultdict(list)
        for each in rows:
            row = Row(each.identifier, each.size, each.count, written=True)
            of_lanes[self._outbox.lane(each.broker, each.topic)].append(row)
            self._count(row, True)
        for lane, of_lane in of_lanes.items():
            # In memory there may be what came before the disk could be read: that is younger.
            self._write(lane)
            lane.restore(of_lane)

    def look(self, now: float) -> None:
        """Do what is due; `now` is by the clock by which the outbox collects."""
        self._now = now
        crowded = self._outbox.waiting_bytes > _FULL * self._outbox.max_waiting_bytes
        held = sum(map(_memory_of_rows, self._outbox))
        for lane in self._outbox:
            if not lane.spools:
                continue
            oldest = lane.oldest() if lane.waiting else None
            if oldest is not None and now >= self._write_at and (crowded or now - oldest >= self._settings.after_s):
                self._write(lane)
            if now >= self._read_at and self._may_load(lane, held):
                before = _memory_of_rows(lane)
                self._read(lane, now)
                held += _memory_of_rows(lane) - before
            if lane.finished:
                self._delete(lane)
        self._keep_within_bound()

    def _may_load(self, lane: Lane, held: int) -> bool:
        """Whether it has a row that is to be in its queues, while rows of all topics take so many bytes of memory."""
        if not lane.rows or (len(lane.loaded) >= _LOADED_ROWS and not lane.has_idle_partition):
            return False
        first = lane.rows[0]
        if not held or (first.messages is not None and not first.writing):
            # One that could not be written is in memory anyway.
            return True
        return held < (_MORE_ROOM if lane.loaded else _FIRST_ROOM) * self._outbox.max_waiting_bytes

    def save_all(self, lanes: Iterable[Lane], now: float) -> None:
        """Write all that is in memory only, to be sent by the next run."""
        for lane in lanes:
            lane.collect(self._partition_of, now)
            self._write(lane)

    def _write(self, lane: Lane) -> None:
        for row, messages in lane.spill(self._identifiers):
            self.pending += 1
            self._count(row, True)
            self._disk.write(row.identifier, lane.broker, lane.topic, messages, _Written(self, lane, row))

    def wrote(self, lane: Lane, row: Row, success: bool) -> None:
        """A row is on disk, or could not be written."""
        self.pending -= 1
        lane.wrote(row, success)
        if not success:
            self._count(row, False)
            self._write_at = self._now + _TRY_AGAIN_S

    def _count(self, row: Row, counted: bool) -> None:
        """Whether a row is a part of what is on disk."""
        if row.counted != counted:
            row.counted = counted
            self.bytes += row.size if counted else -row.size

    def _read(self, lane: Lane, now: float) -> None:
        row = lane.next_row()
        if row is None:
            return
        if row.messages is not None:
            lane.load(row.messages, self._partition_of, now)
        else:
            self._disk.read(row.identifier, partial(self._got, lane), partial(self._not_read, lane))

    def _got(self, lane: Lane, messages: list[Message] | None) -> None:
        self._unreadable_since = None
        lane.load(messages, self._partition_of, self._now)

    def _not_read(self, lane: Lane) -> None:
        """The disk fails, which says nothing of the row; one that hangs may still have it all."""
        if not self._disk.answers:
            self._unreadable_since = None
        elif self._unreadable_since is None:
            self._unreadable_since = self._now
        if self._unreadable_since is None or self._now - self._unreadable_since < _GIVE_UP_S:
            lane.loading = False
            self._read_at = self._now + _TRY_AGAIN_S
        else:
            lane.load(None, self._partition_of, self._now, "spool unreadable")

    def _delete(self, lane: Lane) -> None:
        rows = lane.finished[:]
        lane.finished.clear()
        for row in rows:
            self._count(row, False)
        self._disk.delete(row.identifier for row in rows)

    def _keep_within_bound(self) -> None:
        """Drop the oldest of the lane that has the most on disk, until the rest fits there."""
        excess = self.bytes - self._settings.max_bytes
        sizes = {lane: sum([row.size for row in lane.rows]) for lane in self._outbox} if excess > 0 else {}
        while excess > 0 and sizes:
            lane = max(sizes, key=sizes.__getitem__)
            freed = lane.drop_row(_SPOOL_FULL)
            if not freed:
                del sizes[lane]
                continue
            sizes[lane] -= freed
            excess -= freed
            self._ask_whose(lane, lane.finished[-1])
            self._delete(lane)

    def _ask_whose(self, lane: Lane, row: Row) -> None:
        """Have a dropped row read for its keys: the disk does that before it deletes what is asked for later."""
        if self._asking < _ASKED_AT_ONCE:
            self._asking += 1
            found = partial(self._found_whose, lane, row.left)
            self._disk.read(row.identifier, found, partial(found, None))

    def _found_whose(self, lane: Lane, dropped: int, messages: list[Message] | None) -> None:
        self._asking -= 1
        # Of a row that is damaged, or not as it is remembered, nobody knows.
        if messages is not None and len(messages) == dropped:
            lane.attribute(_SPOOL_FULL, messages)


def _memory_of_rows(lane: Lane) -> int:
    """Bytes that rows of a topic take in memory, those that are being read included."""
    rows = [*lane.loaded, lane.rows[0]] if lane.loading else lane.loaded
    return sum([row.size + RECORD_OVERHEAD * row.left for row in rows])


class _Written:
    """What is to be done when a row was written."""

    __slots__ = ("_lane", "_row", "_spooling")

    def __init__(self, spooling: Spooling, lane: Lane, row: Row) -> None:
        self._spooling = spooling
        self._lane = lane
        self._row = row

    def __call__(self, success: bool) -> None:
        self._spooling.wrote(self._lane, self._row, success)
