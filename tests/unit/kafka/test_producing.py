"""Batches of one partition: their identity, their sequence, and what the broker's answers mean."""

import pytest
from aiokafka.record.default_records import DefaultRecordBatch

from forwarder.kafka.partitions import partition_of
from forwarder.kafka.producing import ANONYMOUS, REASONS, Identity, Outcome, Partition, outcome
from forwarder.outbox import Lane

JAVA = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
]
"""From UtilsTest.testMurmur2 of Kafka's own tests."""


@pytest.mark.parametrize(("key", "hash_of_java"), JAVA)
@pytest.mark.parametrize("partitions", [1, 5, 12, 1000])
def test_a_key_is_in_the_partition_that_java_clients_choose(key: bytes, hash_of_java: int, partitions: int) -> None:
    assert partition_of(key, partitions) == (hash_of_java & 0x7FFFFFFF) % partitions


@pytest.mark.parametrize(
    ("error_code", "meaning"),
    [
        pytest.param(0, Outcome.STORED, id="NONE"),
        pytest.param(46, Outcome.STORED, id="DUPLICATE_SEQUENCE_NUMBER"),
        pytest.param(2, Outcome.REFUSED, id="CORRUPT_MESSAGE"),
        pytest.param(10, Outcome.REFUSED, id="MESSAGE_TOO_LARGE"),
        pytest.param(18, Outcome.REFUSED, id="RECORD_LIST_TOO_LARGE"),
        pytest.param(32, Outcome.ANOTHER_TIME, id="INVALID_TIMESTAMP"),
        pytest.param(87, Outcome.REFUSED, id="INVALID_RECORD"),
        pytest.param(45, Outcome.ANOTHER_IDENTITY, id="OUT_OF_ORDER_SEQUENCE_NUMBER"),
        pytest.param(47, Outcome.ANOTHER_IDENTITY, id="INVALID_PRODUCER_EPOCH"),
        pytest.param(59, Outcome.ANOTHER_IDENTITY, id="UNKNOWN_PRODUCER_ID"),
        pytest.param(-1, Outcome.LATER, id="UNKNOWN_SERVER_ERROR"),
        pytest.param(3, Outcome.LATER, id="UNKNOWN_TOPIC_OR_PARTITION"),
        pytest.param(5, Outcome.LATER, id="LEADER_NOT_AVAILABLE"),
        pytest.param(6, Outcome.LATER, id="NOT_LEADER_OR_FOLLOWER"),
        pytest.param(7, Outcome.LATER, id="REQUEST_TIMED_OUT"),
        pytest.param(13, Outcome.LATER, id="NETWORK_EXCEPTION"),
        pytest.param(19, Outcome.LATER, id="NOT_ENOUGH_REPLICAS"),
        pytest.param(20, Outcome.LATER, id="NOT_ENOUGH_REPLICAS_AFTER_APPEND"),
        pytest.param(29, Outcome.LATER, id="TOPIC_AUTHORIZATION_FAILED"),
        pytest.param(56, Outcome.LATER, id="KAFKA_STORAGE_ERROR"),
        pytest.param(9999, Outcome.LATER, id="an error of the future"),
    ],
)
def test_what_an_answer_means_for_the_batch(error_code: int, meaning: Outcome) -> None:
    assert outcome(error_code) is meaning


@pytest.mark.parametrize("meaning", [Outcome.REFUSED, Outcome.ANOTHER_TIME])
def test_every_refusal_has_a_reason_for_people(meaning: Outcome) -> None:
    assert all(REASONS[code] for code in range(-1, 200) if outcome(code) is meaning)


SOMEBODY = Identity(7, 1)


def partition_with(*values: bytes, identity: Identity | None = SOMEBODY) -> Partition:
    lane = Lane("", "topic")
    lane.place_on(1, lambda _key, _count: 0)
    partition = Partition(lane.partitions[0])
    partition.identity = identity
    add(partition, *values)
    return partition


def add(partition: Partition, *values: bytes) -> None:
    lane = partition.queue.lane
    for number, value in enumerate(values):
        lane.append((b"PV", value, 1_700_000_000_000 + number))
    lane.collect(lambda _key, _count: 0)


def batch_of(partition: Partition) -> DefaultRecordBatch:
    batch = DefaultRecordBatch(partition.batch)
    assert batch.validate_crc()
    return batch


class TestBatches:
    def test_a_batch_has_the_records_as_they_came(self) -> None:
        partition = partition_with(b"first", b"second")
        assert partition.prepare(1_000, "none")
        assert [(r.offset, r.timestamp, r.key, r.value) for r in batch_of(partition)] == [
            (0, 1_700_000_000_000, b"PV", b"first"),
            (1, 1_700_000_000_001, b"PV", b"second"),
        ]

    def test_nothing_is_prepared_without_messages_or_identity(self) -> None:
        assert not partition_with().prepare(1_000, "none")
        assert not partition_with(b"value", identity=None).prepare(1_000, "none")

    def test_the_sequence_counts_the_records_that_were_stored(self) -> None:
        partition = partition_with(b"1", b"2", b"3")
        partition.prepare(1_000, "none")
        assert (batch_of(partition).producer_id, batch_of(partition).base_sequence) == (7, 0)
        partition.stored()
        add(partition, b"4")
        partition.prepare(1_000, "none")
        assert batch_of(partition).base_sequence == 3

    def test_the_sequence_begins_again_after_the_largest_number(self) -> None:
        partition = partition_with(b"1", b"2", b"3")
        partition.sequence = 2**31 - 2
        partition.prepare(1_000, "none")
        partition.stored()
        assert partition.sequence == 1

    def test_a_batch_without_an_answer_is_sent_again_byte_by_byte(self) -> None:
        partition = partition_with(b"1")
        partition.prepare(1_000, "none")
        before = partition.batch
        add(partition, b"2")
        partition.put_off(0.0)
        assert partition.prepare(1_000, "none")
        assert partition.batch == before

    def test_a_refused_batch_used_up_no_sequence_numbers(self) -> None:
        partition = partition_with(b"1", b"2")
        partition.prepare(1_000, "none")
        partition.refused("too large")
        partition.prepare(1_000, "none")
        assert ([r.value for r in batch_of(partition)], batch_of(partition).base_sequence) == ([b"1"], 0)

    def test_another_identity_begins_its_own_sequence_with_the_same_messages(self) -> None:
        partition = partition_with(b"1")
        partition.prepare(1_000, "none")
        partition.stored()
        add(partition, b"2", b"3")
        partition.prepare(1_000, "none")
        partition.forget_identity()
        assert not partition.prepare(1_000, "none")
        partition.identity = Identity(8, 0)
        assert partition.prepare(1_000, "none")
        batch = batch_of(partition)
        assert (batch.producer_id, batch.base_sequence, [r.value for r in batch]) == (8, 0, [b"2", b"3"])

    def test_a_producer_without_identity_numbers_nothing(self) -> None:
        partition = partition_with(b"1", identity=ANONYMOUS)
        for _ in range(2):
            add(partition, b"2")
            partition.prepare(1_000, "none")
            assert (batch_of(partition).producer_id, batch_of(partition).base_sequence) == (-1, -1)
            partition.stored()

    def test_a_record_larger_than_a_batch_is_a_batch_of_its_own(self) -> None:
        partition = partition_with(b"small", bytes(5_000), b"small too")
        sizes: list[list[int]] = []
        while partition.prepare(1_000, "none"):
            sizes.append([len(r.value) for r in batch_of(partition)])
            partition.stored()
        assert sizes == [[5], [5_000], [9]]


def test_each_failure_in_a_row_waits_longer_up_to_a_bound() -> None:
    partition = partition_with()
    waits: list[float] = []
    for _ in range(12):
        partition.put_off(100.0)
        waits.append(partition.retry_at - 100.0)
    assert waits == sorted(waits)
    assert (round(waits[0], 3), waits[-1]) == (0.1, 2.0)
