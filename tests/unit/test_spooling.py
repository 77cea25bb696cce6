"""From memory to disk and back: nothing is lost, doubled or out of order, whatever becomes of disk and broker."""

from forwarder.flights import memory_of
from forwarder.settings.types import SpoolSettings
from forwarder.spooling import Spooling
from tests.unit.spooling_rig import AFTER_S, KEYS, Bench, Left, left, message, partition_of


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
    assert len(bench.disk.jobs) == 2, "each row keeps its place"
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


def test_a_full_spool_gives_up_what_is_of_the_topic_with_most_bytes_there() -> None:
    bench = Bench(max_bytes=3 * 1031, partitions=0)
    small = bench.outbox.lane("", "small")
    for number in range(5):
        small.append(message(number))
        small.collect(partition_of, bench.now)
        bench.append(number >= 2, size=1000)
        bench.later()
        bench.disk.work_all()
    bench.later(0)
    assert (bench.lane.dropped, small.dropped) == ({"spool full": 1}, {})


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


def test_a_disk_that_stays_unreadable_holds_up_nothing_for_ever() -> None:
    bench = Bench(partitions=0)
    for _ in range(3):
        bench.append(2)
        bench.later()
        bench.disk.work_all()
    bench.disk.readable = False
    bench.lane.place_on(1, partition_of)
    waited_s = 0
    while bench.lane.dropped.total() < 6:
        bench.append(1)
        bench.later(1.0)
        waited_s += 1
        while bench.disk.jobs:
            bench.disk.work(works=False)
    assert 25 <= waited_s <= 40
    assert bench.lane.dropped == {"spool unreadable": 6}
    assert bench.drain() == list(range(6, 6 + waited_s))


def test_what_came_back_from_disk_leaves_room_for_what_is_new() -> None:
    """Many topics that can't be sent to, each with rows on disk: what they have in memory can't be dropped."""
    bench = Bench(memory=400_000)
    lanes = [bench.outbox.lane("", f"topic{number}") for number in range(20)]
    for number in range(12):
        for lane in lanes:
            lane.place_on(1, partition_of)
            lane.append(message(number, size=5_000))
            lane.collect(partition_of, bench.now)
            bench.outbox.keep_within_bound()
        bench.later()
        bench.disk.work_all()
    assert sum(bool(lane.loaded) for lane in lanes) > 10, "most have their next batch ready"
    assert all(not lane.dropped for lane in lanes)
    assert bench.outbox.waiting_bytes < 250_000


def test_one_partition_that_cannot_be_sent_to_does_not_stop_the_others() -> None:
    bench = Bench(partitions=2)
    for number in range(40):
        for key in KEYS[:2]:
            bench.lane.append(message(number, key))
        bench.lane.collect(partition_of, bench.now)
        bench.later()
        bench.disk.work_all()
    sent: list[int] = []
    for _ in range(200):
        flight = bench.lane.partitions[1].take_off(len)
        if flight is not None:
            sent += [number for _, _, number in flight.messages]
            flight.acknowledged()
        bench.spooling.look(bench.now)
        bench.disk.work_all()
    assert sent == list(range(40))
    assert bench.lane.waiting == 40


def test_a_disk_that_hangs_is_waited_for() -> None:
    bench = Bench(partitions=0)
    bench.append(6)
    bench.later()
    bench.disk.work_all()
    bench.disk.readable = bench.disk.answers = False
    bench.lane.place_on(1, partition_of)
    for _ in range(100):
        bench.later()
        bench.disk.work_all()
    bench.disk.answers = True
    bench.later()
    bench.disk.work_all()
    assert bench.lane.dropped.total() == 0, "that it hung says nothing of what is on it"
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
    bench.spooling.restore([Left(1, 5)])
    assert bench.lane.oldest_waiting(earlier=42.0) == 42.0
