"""From memory to disk and back: nothing is lost, doubled or out of order, whatever becomes of disk and broker."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from forwarder.flights import Flight, memory_of
from forwarder.model import Message
from forwarder.outbox import Lane, Outbox
from forwarder.settings.types import SpoolSettings
from forwarder.spooling import Spooling

KEYS = tuple(f"PV{number}".encode() for number in range(5))
AFTER_S = 1.0


def partition_of(key: bytes, count: int) -> int:
    return key[-1] % count


def message(number: int, key: bytes = b"PV0", size: int = 0) -> Message:
    return key, b"\0\0\0\0f142" + number.to_bytes(4, "little") + bytes(size), number


class MemoryDisk:
    """Does what it is asked for when it is told to, in order; once a write fails, all that are asked for already do."""

    def __init__(self) -> None:
        self.rows: dict[int, list[Message]] = {}
        self.jobs: deque[tuple[str, Callable[[bool], None]]] = deque()
        self.readable = True

    def write(
        self, identifier: int, broker: str, topic: str, messages: list[Message], done: Callable[[bool], None]
    ) -> None:
        copy = list(messages)

        def finish(works: bool) -> None:
            if works:
                self.rows[identifier] = copy
            done(works)

        self.jobs.append(("write", finish))

    def read(self, identifier: int, got: Callable[[list[Message] | None], None], failed: Callable[[], None]) -> None:
        self.jobs.append(("read", lambda _: got(self.rows[identifier]) if self.readable else failed()))

    def delete(self, identifiers: Iterable[int]) -> None:
        for identifier in list(identifiers):
            self.jobs.append(("delete", lambda _, identifier=identifier: self.rows.pop(identifier, None) and None))

    def work(self, works: bool = True) -> None:
        """Do the oldest job; all the writes that wait fail with one that does."""
        if not self.jobs:
            return
        kind, finish = self.jobs.popleft()
        finish(works)
        if kind == "write" and not works:
            others = [job for job in self.jobs if job[0] != "write"]
            writes = [job for job in self.jobs if job[0] == "write"]
            self.jobs.clear()
            for _, each in writes:
                each(False)
            self.jobs += others

    def work_all(self) -> None:
        while self.jobs:
            self.work()


class Left(NamedTuple):
    """A row of an earlier run."""

    identifier: int
    count: int
    broker: str = ""
    topic: str = "topic"
    size: int = 100


def left(disk: MemoryDisk) -> list[Left]:
    return [Left(identifier, len(messages)) for identifier, messages in sorted(disk.rows.items())]


class Bench:
    def __init__(self, partitions: int = 1, max_bytes: int = 10**9, memory: int = 10**9) -> None:
        self.disk = MemoryDisk()
        self.outbox = Outbox(memory)
        self.spooling = Spooling(self.outbox, self.disk, SpoolSettings(None, max_bytes, AFTER_S), partition_of)
        self.lane = self.outbox.lane("", "topic")
        if partitions:
            self.lane.place_on(partitions, partition_of)
        self.now = 0.0
        self.next = 0

    def append(self, count: int, size: int = 0) -> None:
        for _ in range(count):
            self.lane.append(message(self.next, size=size))
            self.next += 1
        self.lane.collect(partition_of, self.now)

    def later(self, seconds: float = AFTER_S) -> None:
        self.now += seconds
        self.spooling.look(self.now)

    def flight(self) -> Flight | None:
        return self.lane.partitions[0].take_off(len)

    def drain(self) -> list[int]:
        """What is sent until nothing waits, while the disk works."""
        sent: list[int] = []
        while self.lane.waiting:
            flight = self.lane.partitions[0].in_flight or self.flight()
            if flight is not None:
                sent += [number for _, _, number in flight.messages]
                flight.acknowledged()
            self.spooling.look(self.now)
            self.disk.work_all()
        self.spooling.look(self.now)
        self.disk.work_all()
        return sent


def test_what_is_young_stays_in_memory() -> None:
    bench = Bench()
    bench.append(3)
    bench.later(AFTER_S / 2)
    assert not bench.disk.jobs
    assert bench.drain() == [0, 1, 2]


def test_what_waits_goes_to_disk_and_comes_back_in_order_before_what_is_newer() -> None:
    bench = Bench()
    bench.append(3)
    stuck = bench.flight()
    bench.append(3)
    bench.later()
    bench.disk.work_all()
    assert len(bench.disk.rows) == 2, "the flight has a copy on disk too"
    bench.append(3)
    assert stuck is not None
    stuck.returned()
    assert bench.drain() == list(range(9))
    assert (bench.disk.rows, bench.spooling.bytes, bench.lane.waiting_bytes) == ({}, 0, 0)


def test_messages_for_a_topic_that_does_not_exist_go_to_disk_too() -> None:
    bench = Bench(partitions=0)
    for _ in range(3):
        bench.append(2)
        bench.later()
        bench.disk.work_all()
    assert (len(bench.disk.rows), bench.lane.waiting_bytes, bench.lane.waiting) == (3, 0, 6)
    bench.lane.place_on(1, partition_of)
    assert bench.drain() == list(range(6))


def test_a_disk_that_fails_costs_nothing_and_is_tried_again() -> None:
    bench = Bench()
    bench.append(2)
    bench.later()
    bench.append(2)
    bench.later()
    bench.disk.work(works=False)
    assert not bench.disk.rows
    assert bench.lane.waiting_bytes == memory_of([message(n) for n in range(4)])
    bench.later(0)
    assert not bench.disk.jobs, "not at once again"
    bench.later()
    assert len(bench.disk.jobs) == 1
    assert bench.drain() == list(range(4))
    assert (bench.spooling.bytes, bench.spooling.pending) == (0, 0)


def test_without_a_disk_that_works_the_oldest_in_memory_go_when_it_is_full() -> None:
    bench = Bench(memory=1000)
    for _ in range(6):
        bench.append(1)
        bench.later()
        bench.disk.work(works=False)
        bench.outbox.keep_within_bound()
    dropped = bench.lane.dropped["memory full"]
    assert dropped >= 2
    assert bench.outbox.waiting_bytes <= 1000
    assert bench.drain() == list(range(dropped, 6))


def test_a_full_spool_gives_up_its_oldest_rows_and_counts_their_messages() -> None:
    bench = Bench(max_bytes=3 * 1031, partitions=0)
    for _ in range(5):
        bench.append(1, size=1000)
        bench.later()
        bench.disk.work_all()
    bench.later(0)
    bench.disk.work_all()
    assert bench.lane.dropped == {"spool full": 2}
    assert len(bench.disk.rows) == 3
    bench.lane.place_on(1, partition_of)
    assert bench.drain() == [2, 3, 4]


def test_crowded_memory_goes_to_disk_at_once() -> None:
    bench = Bench(memory=2000)
    bench.append(6)
    bench.later(0.01)
    bench.disk.work_all()
    assert [len(messages) for messages in bench.disk.rows.values()] == [6]
    assert bench.drain() == list(range(6))


def test_a_damaged_row_is_counted_and_the_next_ones_come() -> None:
    bench = Bench(partitions=0)
    for _ in range(3):
        bench.append(2)
        bench.later()
        bench.disk.work_all()
    bench.disk.rows[2] = None  # type: ignore[assignment]
    bench.lane.place_on(1, partition_of)
    assert bench.drain() == [0, 1, 4, 5]
    assert bench.lane.dropped == {"spool damaged": 2}
    assert bench.disk.rows == {}


def test_a_disk_that_cannot_be_read_for_a_while_costs_nothing() -> None:
    bench = Bench(partitions=0)
    for _ in range(3):
        bench.append(2)
        bench.later()
        bench.disk.work_all()
    bench.disk.readable = False
    bench.lane.place_on(1, partition_of)
    for _ in range(3):
        bench.later()
        bench.disk.work_all()
    assert bench.lane.dropped.total() == 0
    bench.disk.readable = True
    bench.later()
    assert bench.drain() == list(range(6))


def test_the_next_run_sends_what_the_last_one_left() -> None:
    first = Bench()
    first.append(2)
    assert first.flight() is not None
    first.append(2)
    first.spooling.save_all([first.lane], first.now)
    first.disk.work_all()
    second = Bench()
    second.disk = first.disk
    second.spooling = Spooling(second.outbox, first.disk, SpoolSettings(), partition_of, first_identifier=10)
    second.spooling.restore(left(first.disk))
    second.next = 4
    second.append(2)
    assert (second.lane.restored, second.lane.waiting) == (4, 6)
    assert second.drain() == list(range(6))
    assert second.disk.rows == {}


def test_what_is_found_late_goes_before_all_that_is_not_on_its_way() -> None:
    """The disk could not be read at the start; what came meanwhile is younger, in memory, and on disk from now on."""
    first = Bench()
    first.append(4)
    first.spooling.save_all([first.lane], first.now)
    first.disk.work_all()
    late = Bench()
    late.disk = first.disk
    late.next = 4
    late.append(2)
    flight = late.flight()
    assert flight is not None
    late.append(2)
    late.spooling = Spooling(late.outbox, first.disk, SpoolSettings(), partition_of, first_identifier=10)
    late.spooling.restore(left(first.disk))
    late.append(2)
    late.disk.work_all()
    assert [row.identifier for row in left(first.disk)] == [1, 10, 11], "a crash now would lose and disorder nothing"
    assert (late.lane.restored, late.lane.waiting) == (4, 10)
    flight.returned()
    assert late.drain() == [4, 5, 0, 1, 2, 3, 6, 7, 8, 9]
    assert late.lane.dropped.total() == 0
    assert late.disk.rows == {}


def test_what_is_found_late_keeps_its_place_when_nothing_can_be_written() -> None:
    first = Bench()
    first.append(4)
    first.spooling.save_all([first.lane], first.now)
    first.disk.work_all()
    late = Bench(partitions=0)
    late.disk, late.next = first.disk, 4
    late.append(2)
    late.spooling = Spooling(late.outbox, first.disk, SpoolSettings(), partition_of, first_identifier=10)
    late.spooling.restore(left(first.disk))
    late.disk.work(works=False)
    late.lane.place_on(1, partition_of)
    assert late.drain() == list(range(6))


def test_nothing_is_loaded_that_its_topic_has_no_need_of() -> None:
    bench = Bench(partitions=0)
    for _ in range(20):
        bench.append(1)
        bench.later()
        bench.disk.work_all()
    bench.lane.place_on(1, partition_of)
    for _ in range(50):
        bench.later(0.01)
        bench.disk.work_all()
    assert len(bench.lane.partitions[0].chunks) == 4


def test_how_old_the_oldest_is_does_not_depend_on_where_it_waits() -> None:
    bench = Bench()
    lane = bench.outbox.lane("", "not known yet")
    lane.append(message(1))
    lane.collect(partition_of, 100.0)
    assert lane.oldest_waiting(0.0) == 100.0
    bench.spooling.look(102.0)
    bench.disk.work_all()
    assert lane.waiting_bytes == 0, "it is on disk alone"
    assert lane.oldest_waiting(0.0) == 100.0
    lane.place_on(1, partition_of)
    bench.spooling.look(150.0)
    bench.disk.work_all()
    assert lane.oldest_waiting(0.0) == 100.0, "it is in memory again"
    flight = lane.partitions[0].take_off(len)
    assert flight is not None
    assert (flight.came, lane.oldest_waiting(0.0)) == (100.0, 100.0)
    flight.acknowledged()
    assert lane.oldest_waiting(0.0) is None


def test_what_an_earlier_run_left_is_as_old_as_one_says() -> None:
    bench = Bench()
    bench.spooling.restore("", "topic", 1, 5, 100)
    assert bench.lane.oldest_waiting(earlier=42.0) == 42.0


class SpooledLife(RuleBasedStateMachine):
    """Anything that can happen to the messages of two topics, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = MemoryDisk()
        self.outbox = Outbox(10**9)
        self.spooling = Spooling(self.outbox, self.disk, SpoolSettings(None, 10**9, AFTER_S), partition_of)
        self.lanes: list[Lane] = [self.outbox.lane("", "one"), self.outbox.lane("", "two")]
        self.stored: list[defaultdict[bytes, list[int]]] = [defaultdict(list), defaultdict(list)]
        self.appended = [0, 0]
        self.now = 0.0

    @rule(which=st.integers(0, 1), keys=st.lists(st.sampled_from(KEYS), max_size=8))
    def append(self, which: int, keys: list[bytes]) -> None:
        for key in keys:
            self.lanes[which].append(message(self.appended[which], key))
            self.appended[which] += 1
        self.lanes[which].collect(partition_of, self.now)

    @rule(which=st.integers(0, 1))
    def the_topic_appears(self, which: int) -> None:
        self.lanes[which].place_on(3, partition_of)

    @rule(seconds=st.sampled_from([0.0, 0.6, 1.2]))
    def look(self, seconds: float) -> None:
        self.now += seconds
        self.spooling.look(self.now)

    @rule(works=st.sampled_from([True, True, True, False]), count=st.integers(1, 4))
    def disk_works(self, works: bool, count: int) -> None:
        for _ in range(count):
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
        elif ending == "returned":
            flight.returned()
        else:
            flight.refused("not acceptable")

    def take_note(self, flight: Flight) -> None:
        stored = self.stored[self.lanes.index(flight.queue.lane)]  # type: ignore[arg-type]
        for key, _, number in flight.messages:
            stored[key].append(number)
        flight.acknowledged()

    def flights(self) -> list[Flight]:
        return [queue.in_flight for lane in self.lanes for queue in lane.partitions if queue.in_flight]

    @invariant()
    def nothing_is_unaccounted_for(self) -> None:
        for lane, appended in zip(self.lanes, self.appended, strict=True):
            assert appended == lane.acknowledged + lane.waiting + lane.dropped.total()
            chunks = [chunk for queue in lane.partitions for chunk in queue.chunks] + list(lane.unplaced)
            flights = [queue.in_flight for queue in lane.partitions if queue.in_flight]
            rows = [row for row in lane.rows if row.messages is not None]
            held = [each.messages for each in [*chunks, *flights]] + [row.messages for row in rows]
            assert lane.waiting_bytes == sum(map(memory_of, held))
            oldest = lane.oldest_waiting(earlier=-1.0)
            assert (oldest is None) == (lane.waiting == len(lane.incoming))
            assert oldest is None or 0.0 <= oldest <= self.now
            on_disk_only = sum(row.left for row in lane.rows if row.messages is None)
            assert lane.waiting == sum(map(len, held)) + on_disk_only + len(lane.incoming)

    @invariant()
    def every_pv_is_in_order_and_once(self) -> None:
        for by_key in self.stored:
            for sent in by_key.values():
                assert all(earlier < later for earlier, later in pairwise(sent))

    def teardown(self) -> None:
        for lane in self.lanes:
            lane.place_on(3, partition_of)
        for _ in range(1000):
            if not any(lane.waiting for lane in self.lanes):
                break
            self.spooling.look(self.now)
            self.disk.work_all()
            for lane in self.lanes:
                for queue in lane.partitions:
                    flight = queue.in_flight or queue.take_off(len)
                    if flight is not None:
                        self.take_note(flight)
        assert all(lane.waiting == 0 for lane in self.lanes)
        self.spooling.look(self.now)
        self.disk.work_all()
        assert (self.disk.rows, self.spooling.bytes, self.spooling.pending) == ({}, 0, 0)
        self.every_pv_is_in_order_and_once()


TestSpooledLife = SpooledLife.TestCase
TestSpooledLife.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
