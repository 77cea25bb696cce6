"""What waits for Kafka: nothing is lost, doubled or out of order, whatever becomes of the batches."""

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from forwarder.flights import RECORD_OVERHEAD, Flight, PartitionQueue, memory_of
from forwarder.model import Message
from forwarder.outbox import Lane, Outbox

KEYS = tuple(f"PV{number}".encode() for number in range(7))


def partition_of(key: bytes, count: int) -> int:
    return key[-1] % count


def message(number: int, key: bytes = b"PV", size: int = 0) -> Message:
    return key, b"\0\0\0\0f142" + number.to_bytes(4, "little") + bytes(size), number


def numbers(messages: list[Message]) -> list[int]:
    return [number for _, _, number in messages]


def at_most(count: int) -> Callable[[list[Message]], int]:
    """A batch with room for so many messages."""
    room = count

    def fill(messages: list[Message]) -> int:
        nonlocal room
        taken = min(room, len(messages))
        room -= taken
        return taken

    return fill


def take_off(queue: PartitionQueue, count: int = 1_000_000) -> Flight:
    flight = queue.take_off(at_most(count))
    assert flight is not None
    return flight


def lane_with(*chunks: int, partitions: int = 1) -> Lane:
    """A lane with chunks of so many messages, numbered in the order in which they came."""
    lane = Lane("", "topic")
    lane.place_on(partitions, partition_of)
    number = 0
    for count in chunks:
        for _ in range(count):
            lane.append(message(number))
            number += 1
        lane.collect(partition_of)
    return lane


def drain(queue: PartitionQueue) -> list[int]:
    sent: list[int] = []
    while queue.chunks:
        flight = take_off(queue)
        sent += numbers(flight.messages)
        flight.acknowledged()
    return sent


class TestTakingOff:
    def test_chunks_that_fit_fly_together(self) -> None:
        (queue,) = lane_with(2, 3, 1).partitions
        assert numbers(take_off(queue).messages) == [0, 1, 2, 3, 4, 5]

    def test_a_chunk_that_a_batch_has_no_room_for_is_split(self) -> None:
        (queue,) = lane_with(2, 5).partitions
        flight = take_off(queue, count=4)
        assert numbers(flight.messages) == [0, 1, 2, 3]
        assert flight.size == memory_of(flight.messages)
        flight.acknowledged()
        assert drain(queue) == [4, 5, 6]

    def test_a_batch_that_is_full_before_the_second_chunk_leaves_it_whole(self) -> None:
        (queue,) = lane_with(2, 2).partitions
        assert numbers(take_off(queue, count=2).messages) == [0, 1]
        assert [numbers(chunk.messages) for chunk in queue.chunks] == [[2, 3]]

    def test_a_batch_that_can_not_be_built_leaves_everything_where_it_was(self) -> None:
        lane = lane_with(2, 2)
        (queue,) = lane.partitions
        calls: list[int] = []

        def fill(messages: list[Message]) -> int:
            calls.append(len(messages))
            if len(calls) == 2:
                raise ValueError("no")
            return len(messages)

        with pytest.raises(ValueError, match="no"):
            queue.take_off(fill)
        assert queue.in_flight is None
        assert drain(queue) == [0, 1, 2, 3]
        assert (lane.waiting, lane.waiting_bytes) == (0, 0)

    def test_nothing_takes_off_from_an_empty_queue(self) -> None:
        (queue,) = lane_with().partitions
        assert queue.take_off(at_most(1)) is None
        assert queue.in_flight is None

    def test_two_batches_of_a_partition_are_never_under_way(self) -> None:
        (queue,) = lane_with(1, 1).partitions
        take_off(queue)
        with pytest.raises(AssertionError, match="one batch at a time"):
            take_off(queue)


class TestLanding:
    def test_what_came_back_flies_first_and_alone(self) -> None:
        lane = lane_with(2)
        (queue,) = lane.partitions
        flight = take_off(queue)
        lane.append(message(2))
        lane.collect(partition_of)
        flight.returned()
        again = take_off(queue)
        assert numbers(again.messages) == [0, 1]
        again.acknowledged()
        assert drain(queue) == [2]

    def test_a_refused_batch_is_halved_until_one_message_is_alone(self) -> None:
        lane = lane_with(5)
        (queue,) = lane.partitions
        flown: list[list[int]] = []
        while queue.chunks:
            flight = take_off(queue)
            flown.append(numbers(flight.messages))
            if 3 in flown[-1]:
                flight.refused("too large")
            else:
                flight.acknowledged()
        assert flown == [[0, 1, 2, 3, 4], [0, 1], [2, 3, 4], [2], [3, 4], [3], [4]]
        assert (lane.acknowledged, dict(lane.dropped), lane.waiting) == (4, {"too large": 1}, 0)

    def test_only_the_last_refusal_names_the_message_that_was_dropped(self) -> None:
        (queue,) = lane_with(2).partitions
        assert take_off(queue).refused("too large") is None
        assert take_off(queue).refused("too large") == message(0)

    def test_halves_of_a_refused_batch_do_not_join_again(self) -> None:
        (queue,) = lane_with(4, 1).partitions
        take_off(queue, count=4).refused("too large")
        first = take_off(queue)
        assert numbers(first.messages) == [0, 1]

    def test_odd_times_become_now_first_then_all_and_then_it_is_over(self) -> None:
        lane = Lane("", "topic")
        now = 10**12
        for time_ms in (now - 1000, 631_152_000_000, now + 10**9, now):
            lane.append((b"PV", b"....f142", time_ms))
        lane.collect(partition_of)
        lane.place_on(1, partition_of)
        (queue,) = lane.partitions
        for expected in ([now - 1000, now, now, now], [now, now, now, now]):
            assert take_off(queue).restamped(now)
            assert [time_ms for chunk in queue.chunks for _, _, time_ms in chunk.messages] == expected
        assert not take_off(queue).restamped(now)
        assert (lane.restamped, lane.waiting, queue.in_flight is not None) == (3, 4, True)

    @pytest.mark.parametrize("landing", [Flight.acknowledged, Flight.returned, lambda f: f.refused("no")])
    def test_a_flight_lands_once(self, landing: Callable[[Flight], object]) -> None:
        (queue,) = lane_with(2).partitions
        flight = take_off(queue)
        landing(flight)
        with pytest.raises(AssertionError, match="lands once"):
            landing(flight)

    def test_acknowledged_messages_are_counted_by_the_schema_they_name(self) -> None:
        lane = lane_with(2)
        lane.append((b"PV", b"\0\0\0\0ep00....", 0))
        lane.collect(partition_of)
        take_off(lane.partitions[0]).acknowledged()
        assert lane.acknowledged_by_schema == {"f142": 2, "ep00": 1}


class TestPlacing:
    def test_messages_from_before_the_partitions_were_known_keep_their_order(self) -> None:
        lane = Lane("", "topic")
        for number in range(4):
            lane.append(message(number))
            lane.collect(partition_of)
        assert lane.waiting == 4
        lane.place_on(1, partition_of)
        assert drain(lane.partitions[0]) == [0, 1, 2, 3]

    def test_every_message_is_in_the_partition_of_its_key(self) -> None:
        lane = Lane("", "topic")
        lane.place_on(3, partition_of)
        for number in range(30):
            lane.append(message(number, KEYS[number % len(KEYS)]))
        lane.collect(partition_of)
        placed = {q.partition: {key for c in q.chunks for key, _, _ in c.messages} for q in lane.partitions}
        assert placed == {p: {key for key in KEYS if partition_of(key, 3) == p} for p in range(3)}

    @pytest.mark.parametrize(("before", "after"), [(1, 2), (3, 2), (2, 3)])
    def test_with_another_number_of_partitions_a_pv_has_one_of_them(self, before: int, after: int) -> None:
        lane = lane_with(1, partitions=before)
        lane.append(message(1))
        lane.collect(partition_of, 1.0)
        lane.place_on(after, lambda _key, count: count - 1)
        lane.append(message(2))
        lane.collect(lambda _key, count: count - 1, 2.0)
        assert [drain(queue) for queue in lane.partitions] == [*([[]] * (after - 1)), [0, 1, 2]]

    def test_what_is_on_its_way_stays_there_when_partitions_are_added(self) -> None:
        lane = lane_with(2, partitions=1)
        flight = lane.partitions[0].take_off(at_most(1))
        lane.place_on(2, lambda _key, count: count - 1)
        assert flight is not None
        flight.acknowledged()
        assert [drain(queue) for queue in lane.partitions] == [[], [1]]


class TestBound:
    def outbox(self, **waiting: int) -> Outbox:
        outbox = Outbox(10_000)
        for topic, chunks in waiting.items():
            lane = outbox.lane("", topic)
            lane.place_on(1, partition_of)
            for number in range(chunks):
                lane.append(message(number, size=1000 - RECORD_OVERHEAD - 12))
                lane.collect(partition_of)
        return outbox

    def test_the_oldest_of_the_largest_lane_go(self) -> None:
        outbox = self.outbox(stuck=12, fine=3)
        assert outbox.keep_within_bound() == 5
        stuck, fine = outbox
        assert dict(stuck.dropped) == {"memory full": 5}
        assert (drain(stuck.partitions[0]), drain(fine.partitions[0])) == (list(range(5, 12)), [0, 1, 2])

    def test_nothing_goes_as_long_as_all_fits(self) -> None:
        assert self.outbox(one=5, other=5).keep_within_bound() == 0

    def test_what_flies_is_never_dropped(self) -> None:
        outbox = self.outbox(stuck=12)
        (lane,) = outbox
        flight = take_off(lane.partitions[0])
        assert len(flight.messages) == 12
        assert outbox.keep_within_bound() == 0
        flight.returned()
        assert outbox.keep_within_bound() == 12
        assert (lane.waiting, lane.waiting_bytes) == (0, 0)

    def test_what_flies_does_not_save_another_lane_from_the_bound(self) -> None:
        outbox = self.outbox(flying=9, stuck=8)
        take_off(outbox.lane("", "flying").partitions[0])
        assert outbox.keep_within_bound() == 7
        assert outbox.lane("", "stuck").waiting == 1

    def test_messages_of_an_unknown_topic_are_bounded_too(self) -> None:
        outbox = Outbox(1)
        lane = outbox.lane("", "missing")
        lane.append(message(0))
        lane.collect(partition_of)
        assert outbox.keep_within_bound() == 1
        assert (lane.waiting, lane.waiting_bytes) == (0, 0)


def test_lanes_of_one_topic_in_two_clusters_are_two() -> None:
    outbox = Outbox(1)
    here, there = outbox.lane("", "topic"), outbox.lane("host:9092", "topic")
    assert here is not there
    assert outbox.lane("", "topic") is here
    assert outbox.lanes("host:9092") == [there]


def test_what_is_dropped_in_memory_is_counted_by_key_and_reason() -> None:
    lane = Lane("", "topic")
    lane.place_on(1, partition_of)
    for number, key in enumerate([b"A", b"B", b"A"]):
        lane.append(message(number, key))
    lane.collect(partition_of)
    lane.drop_oldest("memory full")
    lane.append(message(3, b"B"))
    lane.collect(partition_of)
    take_off(lane.partitions[0]).refused("too large")
    assert (lane.losses(b"A"), lane.losses(b"B"), lane.losses(b"C")) == (
        {"memory full": 2},
        {"memory full": 1, "too large": 1},
        {},
    )
    assert lane.dropped_unread == 0


class OutboxLife(RuleBasedStateMachine):
    """Anything that can happen, in any order; the partitions grow, but never while keys wait for the old ones."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(4_000)
        self.lanes = [self.outbox.lane("", "one"), self.outbox.lane("", "two")]
        self.appended = [0, 0]
        self.stored: list[defaultdict[bytes, list[int]]] = [defaultdict(list), defaultdict(list)]
        self.counts = [0, 0]

    @rule(which=st.integers(0, 1), keys=st.lists(st.sampled_from(KEYS), max_size=8), size=st.integers(0, 300))
    def append(self, which: int, keys: list[bytes], size: int) -> None:
        for key in keys:
            self.lanes[which].append(message(self.appended[which], key, size))
            self.appended[which] += 1

    @rule(which=st.integers(0, 1))
    def collect(self, which: int) -> None:
        self.lanes[which].collect(partition_of)

    @rule(which=st.integers(0, 1), more=st.integers(1, 2))
    def grow(self, which: int, more: int) -> None:
        lane = self.lanes[which]
        if not any(queue.chunks or queue.in_flight for queue in lane.partitions):
            self.counts[which] = min(self.counts[which] + more, 4)
            lane.place_on(self.counts[which], partition_of)

    @rule(which=st.integers(0, 1), pick=st.integers(0, 3), room=st.integers(1, 9))
    def take_off(self, which: int, pick: int, room: int) -> None:
        lane = self.lanes[which]
        for queue in lane.partitions[pick : pick + 1]:
            if queue.in_flight is None:
                queue.take_off(at_most(room))

    @precondition(lambda self: self.flights())
    @rule(pick=st.integers(0, 7), ending=st.sampled_from(["acknowledged", "returned", "refused"]))
    def land(self, pick: int, ending: str) -> None:
        flights = self.flights()
        flight = flights[pick % len(flights)]
        if ending == "acknowledged":
            for key, _, number in flight.messages:
                self.stored[self.lanes.index(flight.queue.lane)][key].append(number)
            flight.acknowledged()
        elif ending == "returned":
            flight.returned()
        else:
            flight.refused("not acceptable")

    @rule()
    def bound(self) -> None:
        before = sum(lane.dropped["memory full"] for lane in self.lanes)
        dropped = self.outbox.keep_within_bound()
        assert sum(lane.dropped["memory full"] for lane in self.lanes) == before + dropped

    def flights(self) -> list[Flight]:
        return [queue.in_flight for lane in self.lanes for queue in lane.partitions if queue.in_flight]

    @invariant()
    def nothing_is_unaccounted_for(self) -> None:
        for lane, appended in zip(self.lanes, self.appended, strict=True):
            held = [chunk for queue in [lane.unplaced, *(q.chunks for q in lane.partitions)] for chunk in queue]
            flying = [flight for flight in self.flights() if flight.queue.lane is lane]
            waiting = sum(len(each.messages) for each in [*held, *flying]) + len(lane.incoming)
            assert lane.appended == appended
            assert appended == lane.acknowledged + waiting + lane.dropped.total()
            assert lane.dropped_unread == 0
            assert {reason: keys.total() for reason, keys in lane.dropped_by_key.items()} == lane.dropped
            assert lane.waiting == waiting
            assert lane.waiting_bytes == sum(memory_of(each.messages) for each in [*held, *flying])
            assert all(each.size == memory_of(each.messages) for each in [*held, *flying])

    @invariant()
    def every_pv_is_in_order_and_once(self) -> None:
        for by_key in self.stored:
            for sent in by_key.values():
                assert all(earlier < later for earlier, later in pairwise(sent))

    def teardown(self) -> None:
        for lane, count in zip(self.lanes, self.counts, strict=True):
            lane.collect(partition_of)
            lane.place_on(max(count, 1), partition_of)
            for queue in lane.partitions:
                if queue.in_flight:
                    queue.in_flight.returned()
                drain(queue)
            assert (lane.waiting, lane.waiting_bytes) == (0, 0)


TestOutboxLife = OutboxLife.TestCase
TestOutboxLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
