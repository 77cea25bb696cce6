"""Anything that can happen to messages between memory, disk and broker, in any order."""

from collections import Counter, defaultdict
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from forwarder.flights import Flight, PartitionQueue, Row, memory_of
from forwarder.model import Message
from forwarder.outbox import Lane, Outbox
from forwarder.settings.types import SpoolSettings
from forwarder.spooling import Spooling
from tests.unit.spooling_rig import AFTER_S, KEYS, Left, MemoryDisk, message, partition_of

TOPICS = ("one", "two")
AMPLE = 10**9
TICK_S = 0.001


class SpooledLife(RuleBasedStateMachine):
    """The messages of two topics, each with a number of its own. Neither memory nor disk is ever full."""

    max_waiting_bytes = AMPLE
    max_spool_bytes = AMPLE

    def __init__(self) -> None:
        super().__init__()
        self.disk = MemoryDisk()
        self.appended = [0, 0]
        self.sent: list[set[int]] = [set(), set()]
        """Numbers that the broker has, by topic."""
        self.twice: list[set[int]] = [set(), set()]
        """Those that it has more than once."""
        self.killed: list[set[int]] = [set(), set()]
        """What was in memory only when the process was killed."""
        self.dropped: list[Counter[str]] = [Counter(), Counter()]
        """By earlier runs."""
        self.now = 0.0
        self.begin()

    def begin(self) -> None:
        """A run, with what is on disk."""
        self.outbox = Outbox(self.max_waiting_bytes)
        spool = SpoolSettings(None, self.max_spool_bytes, AFTER_S)
        first = 1 + max(self.disk.topics, default=0)
        self.spooling = Spooling(self.outbox, self.disk, spool, partition_of, first)
        self.lanes: list[Lane] = [self.outbox.lane("", topic) for topic in TOPICS]
        self.stored: list[defaultdict[bytes, list[int]]] = [defaultdict(list), defaultdict(list)]
        """What this run has sent, by topic and key."""
        self.appended_before = list(self.appended)
        self.spooling.restore(
            Left(identifier, len(messages), topic=self.disk.topics[identifier], size=bytes_of(messages))
            for identifier, messages in sorted(self.disk.rows.items())
        )

    @rule(which=st.integers(0, 1), keys=st.lists(st.sampled_from(KEYS), max_size=8))
    def append(self, which: int, keys: list[bytes]) -> None:
        for key in keys:
            self.lanes[which].append(message(self.appended[which], key))
            self.appended[which] += 1
        self.now += TICK_S
        self.lanes[which].collect(partition_of, self.now)

    @rule(which=st.integers(0, 1))
    def the_topic_appears(self, which: int) -> None:
        if not self.lanes[which].partitions:
            self.lanes[which].place_on(3, partition_of)

    @rule(which=st.integers(0, 1), count=st.integers(1, 3))
    def the_topic_has_another_number_of_partitions(self, which: int, count: int) -> None:
        """Fewer, as it was deleted and made again, or more. What was on its way to a partition that is left lands."""
        lane = self.lanes[which]
        for partition, queue in enumerate(lane.partitions):
            flight = queue.in_flight
            if flight is not None and partition < count:
                self.take_note(flight)
                flight.acknowledged()
            elif flight is not None:
                flight.returned()
        if lane.partitions:
            lane.place_on(count, partition_of)

    @rule(seconds=st.sampled_from([0.0, 0.6, 1.2]))
    def look(self, seconds: float) -> None:
        self.now += seconds
        self.spooling.look(self.now)

    @rule(works=st.sampled_from([True, True, True, False]), count=st.integers(1, 4))
    def disk_works(self, works: bool, count: int) -> None:
        for _ in range(count):
            self.disk.work(works)

    @rule(keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=4), jobs=st.lists(st.booleans(), max_size=3))
    def a_second_of_an_outage(self, keys: list[bytes], jobs: list[bool]) -> None:
        for which in range(2):
            self.append(which, keys)
        self.look(1.2)
        for works in jobs:
            self.disk.work(works)

    @rule(which=st.integers(0, 1), partition=st.integers(0, 2), room=st.integers(1, 9))
    def take_off(self, which: int, partition: int, room: int) -> None:
        for queue in self.lanes[which].partitions[partition : partition + 1]:
            if queue.in_flight is None:
                left = [room]

                def fill(messages: list[Message], left: list[int] = left) -> int:
                    taken = min(left[0], len(messages))
                    left[0] -= taken
                    return taken

                queue.take_off(fill)

    @precondition(lambda self: self.flights())
    @rule(pick=st.integers(0, 5), ending=st.sampled_from(["acknowledged", "acknowledged", "returned", "refused"]))
    def land(self, pick: int, ending: str) -> None:
        flights = self.flights()
        flight = flights[pick % len(flights)]
        if ending == "acknowledged":
            self.take_note(flight)
            flight.acknowledged()
        elif ending == "returned":
            flight.returned()
        else:
            flight.refused("not acceptable")

    def take_note(self, flight: Flight) -> None:
        """The broker has it."""
        which = self.lanes.index(flight.queue.lane)  # type: ignore[arg-type]
        for key, _, number in flight.messages:
            self.stored[which][key].append(number)
            if number in self.sent[which]:
                self.twice[which].add(number)
            self.sent[which].add(number)

    def flights(self) -> list[Flight]:
        return [queue.in_flight for queue in self.queues() if queue.in_flight]

    def queues(self) -> list[PartitionQueue]:
        return [queue for lane in self.lanes for queue in lane.partitions]

    @invariant()
    def received_is_acknowledged_and_waiting_and_dropped(self) -> None:
        for which, lane in enumerate(self.lanes):
            came = self.appended[which] - self.appended_before[which] + lane.restored
            assert came == lane.acknowledged + lane.waiting + lane.dropped.total()
            held = held_by(lane)
            assert lane.waiting_bytes == sum(map(memory_of, held))
            oldest = lane.oldest_waiting(earlier=-1.0)
            assert (oldest is None) == (lane.waiting == len(lane.incoming))
            assert oldest is None or 0.0 <= oldest <= self.now or (oldest == -1.0 and lane.restored)
            on_disk_only = sum(row.left for row in lane.rows if row.messages is None)
            assert lane.waiting == sum(map(len, held)) + on_disk_only + len(lane.incoming)

    @invariant()
    def nothing_is_gone_that_was_not_counted(self) -> None:
        for which, lane in enumerate(self.lanes):
            here = {number for messages in [*held_by(lane), lane.incoming] for _, _, number in messages}
            on_disk = {n for row, some in self.disk.rows.items() if self.of(which, row) for _, _, n in some}
            gone = set(range(self.appended[which])) - self.sent[which] - self.killed[which] - here - on_disk
            assert len(gone) <= (self.dropped[which] + lane.dropped).total()

    def of(self, which: int, identifier: int) -> bool:
        return self.disk.topics[identifier] == TOPICS[which]

    @invariant()
    def every_pv_is_in_order_and_once(self) -> None:
        for by_key in self.stored:
            for sent in by_key.values():
                assert all(earlier < later for earlier, later in pairwise(sent))

    @invariant()
    def what_is_counted_as_on_disk_is_there_or_is_being_written(self) -> None:
        rows = rows_of(self.lanes)
        assert self.spooling.bytes == sum(row.size for row in rows if row.counted)
        assert self.spooling.pending >= sum(row.writing for row in rows)

    def send_all(self) -> None:
        """Go on, with a disk and a broker that work, until nothing waits."""
        for lane in self.lanes:
            if not lane.partitions:
                lane.place_on(3, partition_of)
        for _ in range(1000):
            if not any(lane.waiting for lane in self.lanes):
                break
            self.spooling.look(self.now)
            self.disk.work_all()
            for lane in self.lanes:
                lane.collect(partition_of, self.now)
            for queue in self.queues():
                flight = queue.in_flight or queue.take_off(len)
                if flight is not None:
                    self.take_note(flight)
                    flight.acknowledged()
        assert all(lane.waiting == 0 for lane in self.lanes)
        self.spooling.look(self.now)
        self.disk.work_all()

    def teardown(self) -> None:
        self.send_all()
        assert (self.disk.rows, self.spooling.bytes, self.spooling.pending) == ({}, 0, 0)
        self.every_pv_is_in_order_and_once()
        self.nothing_is_gone_that_was_not_counted()


class CrampedLife(SpooledLife):
    """Memory and disk have room for a few messages, and the process is stopped and killed now and then."""

    max_waiting_bytes = 2500
    max_spool_bytes = 300

    @rule()
    def tick(self) -> None:
        self.outbox.keep_within_bound()
        fixed = [
            memory_of(some)
            for lane in self.lanes
            for some in [
                *(queue.in_flight.messages for queue in lane.partitions if queue.in_flight),
                *(chunk.messages for queue in lane.partitions for chunk in queue.chunks if not chunk.only_in_memory),
                *(row.messages for row in lane.unwritten if row.writing and row.messages is not None),
            ]
        ]
        assert self.outbox.waiting_bytes <= max(self.max_waiting_bytes, sum(fixed))

    @rule()
    def look_at_a_full_disk(self) -> None:
        """As much as may be there, and what can't be given up: what is written, read or sent just now."""
        self.spooling.look(self.now)
        held = {row for lane in self.lanes for row in (*lane.loaded, *(row for row in lane.rows if not row.written))}
        held |= {lane.rows[0] for lane in self.lanes if lane.loading and lane.rows}
        assert self.spooling.bytes <= max(self.max_spool_bytes, sum(row.size for row in held))

    @rule(stored=st.booleans(), done=st.integers(0, 3))
    def killed_and_started_again(self, stored: bool, done: int) -> None:
        """Of what the disk was asked for, some is done; what was on its way has arrived or not."""
        for _ in range(done):
            self.disk.work()
        self.disk.jobs.clear()
        if stored:
            for flight in self.flights():
                self.take_note(flight)
        for which in range(2):
            on_disk = {n for row, some in self.disk.rows.items() if self.of(which, row) for _, _, n in some}
            self.killed[which] |= set(range(self.appended[which])) - self.sent[which] - on_disk
        self.end()

    @rule()
    def stopped_and_started_again(self) -> None:
        for flight in self.flights():
            flight.returned()
        self.spooling.save_all(self.lanes, self.now)
        self.disk.work_all()
        assert not self.spooling.pending
        for lane in self.lanes:
            assert lane.on_disk == lane.waiting
        self.end()

    def end(self) -> None:
        for dropped, lane in zip(self.dropped, self.lanes, strict=True):
            dropped.update(lane.dropped)
        self.begin()


def held_by(lane: Lane) -> list[list[Message]]:
    """What of a lane is in memory, beside what came since the last tick."""
    chunks = [chunk for queue in lane.partitions for chunk in queue.chunks] + list(lane.unplaced)
    flights = [queue.in_flight for queue in lane.partitions if queue.in_flight]
    return [each.messages for each in (*chunks, *flights)] + [row.messages for row in lane.rows if row.messages]


def rows_of(lanes: list[Lane]) -> set[Row]:
    return {row for lane in lanes for row in (*lane.rows, *lane.loaded, *lane.finished)}


def bytes_of(messages: list[Message]) -> int:
    return sum(len(key) + len(value) + 16 for key, value, _ in messages)


TestSpooledLife = SpooledLife.TestCase
TestSpooledLife.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestCrampedLife = CrampedLife.TestCase
TestCrampedLife.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
