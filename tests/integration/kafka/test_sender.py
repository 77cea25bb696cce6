"""What is appended arrives at a real broker: in order, once, in the right partition, at the right time."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

from forwarder.kafka import sender
from forwarder.settings.types import ProducerSettings
from tests.integration.kafka.rig import TIME_MS, each_once_in_order, numbers_by_key, producing, until
from tests.support.consume import consume
from tests.support.kafka import Broker

Unique = Callable[[str], str]


def pvs(count: int) -> list[str]:
    return [f"IN:DEMO:CS:SB:B{number}" for number in range(count)]


def add_partitions(broker: Broker, topic: str, count: int) -> None:
    admin = AdminClient({"bootstrap.servers": broker.address})
    admin.create_partitions([NewPartitions(topic, count)])[topic].result(10)


@pytest.fixture(scope="module")
def creating_broker() -> Iterator[Broker]:
    """A broker that makes topics when it is asked to."""
    with Broker(auto_create=True) as broker:
        yield broker


def test_thousands_of_messages_arrive_in_order_and_once(kafka_broker: Broker, unique: Unique) -> None:
    sizes = {unique("one"): 1, unique("five"): 5, unique("twelve"): 12}
    for topic, partitions in sizes.items():
        kafka_broker.create_topic(topic, partitions=partitions)

    async def work() -> None:
        async with producing(kafka_broker.address) as rig:
            for _ in range(40):
                for topic in sizes:
                    rig.append(topic, pvs(50), 3)
                await asyncio.sleep(0.005)
            await rig.acknowledged()
            for topic in sizes:
                lane = rig.lane(topic)
                assert (lane.acknowledged, lane.waiting_bytes, lane.dropped.total()) == (6_000, 0, 0)
                assert lane.acknowledged_by_schema == {"f142": 6_000}

    asyncio.run(work())
    for topic, partitions in sizes.items():
        records = consume(kafka_broker.address, topic)
        assert each_once_in_order(records, pvs(50), 120)
        assert all(len({r.partition for r in records if r.key == key.encode()}) == 1 for key in pvs(50))
        assert {r.partition for r in records} == set(range(partitions))
        first = [r.timestamp_ms for r in records if r.key == pvs(1)[0].encode()]
        assert first == [TIME_MS + number for number in range(120)]


def test_partitions_are_those_of_another_client(kafka_broker: Broker, unique: Unique) -> None:
    ours, theirs = unique("ours"), unique("theirs")
    keys = [*pvs(200), "ä:µ", "x", ""]
    for topic in (ours, theirs):
        kafka_broker.create_topic(topic, partitions=5)
    other = Producer({"bootstrap.servers": kafka_broker.address, "partitioner": "murmur2"})
    for key in keys:
        other.produce(theirs, b"value", key=key.encode())
    assert other.flush(10) == 0

    async def work() -> None:
        async with producing(kafka_broker.address) as rig:
            rig.append(ours, keys, 1)
            await rig.acknowledged()

    asyncio.run(work())
    where = [{r.key: r.partition for r in consume(kafka_broker.address, topic)} for topic in (ours, theirs)]
    assert len(where[0]) == len(keys)
    assert where[0] == where[1]


def test_a_missing_topic_waits_and_delays_no_other(
    kafka_broker: Broker, unique: Unique, caplog: pytest.LogCaptureFixture
) -> None:
    there, missing = unique("there"), unique("missing")
    kafka_broker.create_topic(there)

    async def work() -> None:
        async with producing(kafka_broker.address) as rig:
            rig.append(missing, pvs(3), 100)
            rig.append(there, pvs(3), 100)
            await rig.acknowledged(there)
            await until(lambda: missing in caplog.text, "the missing topic is reported")
            rig.append(there, pvs(3), 100)
            await rig.acknowledged(there)
            assert rig.lane(missing).waiting == 300
            assert rig.sender.problems() == {missing: "it does not exist"}
            await asyncio.to_thread(kafka_broker.create_topic, missing, partitions=2)
            rig.append(missing, pvs(3), 100)
            await rig.acknowledged(missing)
            assert rig.sender.problems() == {}

    with caplog.at_level(logging.INFO):
        asyncio.run(work())
    assert each_once_in_order(consume(kafka_broker.address, missing), pvs(3), 200)
    assert each_once_in_order(consume(kafka_broker.address, there), pvs(3), 200)
    said = [r.getMessage() for r in caplog.records if missing in r.getMessage()]
    assert len(said) == 2, said
    assert "it does not exist; its messages wait" in said[0]
    assert "over after" in said[1]


def test_a_topic_is_made_where_that_is_wanted(creating_broker: Broker, unique: Unique) -> None:
    wanted, unwanted = unique("wanted"), unique("unwanted")

    async def work(topic: str, create_topics: bool) -> None:
        async with producing(creating_broker.address, create_topics=create_topics) as rig:
            rig.append(topic, pvs(2), 10)
            if create_topics:
                await rig.acknowledged()
            else:
                await until(lambda: rig.sender.problems() == {topic: "it does not exist"}, "the topic is reported")

    asyncio.run(work(unwanted, create_topics=False))
    asyncio.run(work(wanted, create_topics=True))
    assert each_once_in_order(consume(creating_broker.address, wanted), pvs(2), 10)
    with pytest.raises(TimeoutError, match="no topic"):
        consume(creating_broker.address, unwanted, deadline_s=0.3)


class TestBadRecords:
    def test_a_record_that_is_too_large_is_dropped_alone(
        self, kafka_broker: Broker, unique: Unique, caplog: pytest.LogCaptureFixture
    ) -> None:
        small, other = unique("small"), unique("other")
        kafka_broker.create_topic(small, max_message_bytes=20_000)
        kafka_broker.create_topic(other)

        async def work() -> None:
            async with producing(kafka_broker.address) as rig:
                rig.append(small, pvs(4), 20)
                rig.append_odd(small, "IN:DEMO:IMAGE", bytes(50_000))
                rig.append(small, pvs(4), 20)
                rig.append_odd(small, "IN:DEMO:IMAGE", bytes(60_000))
                rig.append(small, pvs(4), 20)
                rig.append(other, pvs(4), 60)
                await rig.acknowledged()
                assert dict(rig.lane(small).dropped) == {"larger than the broker takes": 2}
                assert rig.lane(small).waiting_bytes == 0
                assert rig.lane(other).dropped.total() == 0
                assert rig.sender.refused_pvs == {"IN:DEMO:IMAGE": f"{small}: larger than the broker takes"}

        asyncio.run(work())
        for topic in (small, other):
            assert each_once_in_order(consume(kafka_broker.address, topic), pvs(4), 60)
        said = [r.getMessage() for r in caplog.records if "dropped a message" in r.getMessage()]
        assert len(said) == 1, said
        assert "dropped a message of IN:DEMO:IMAGE: larger than the broker takes" in said[0]

    def test_that_no_more_are_refused_is_told_too(
        self, kafka_broker: Broker, unique: Unique, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sender, "_QUIET_S", 0.2)
        monkeypatch.setattr(sender, "_REFRESH_S", 0.1)
        kafka_broker.create_topic(small := unique("small"), max_message_bytes=20_000)

        def said() -> list[str]:
            return [message for message in caplog.messages if f"of {small} at" in message]

        async def work() -> None:
            async with producing(kafka_broker.address) as rig:
                rig.append_odd(small, "IN:DEMO:IMAGE", bytes(50_000))
                await rig.acknowledged()
                await until(lambda: len(said()) > 1, "it is over")

        asyncio.run(work())
        dropped, over = said()
        assert "dropped a message" in dropped
        assert over.endswith("occurred 1 times")

    def test_a_batch_that_is_too_large_for_its_topic_arrives_in_parts(
        self, kafka_broker: Broker, unique: Unique
    ) -> None:
        topic = unique("small")
        kafka_broker.create_topic(topic, max_message_bytes=20_000)

        async def work() -> None:
            async with producing(kafka_broker.address) as rig:
                rig.append(topic, pvs(2), 100, size=1_000)
                await rig.acknowledged()
                assert rig.lane(topic).dropped.total() == 0

        asyncio.run(work())
        assert each_once_in_order(consume(kafka_broker.address, topic), pvs(2), 100)

    def test_a_time_that_the_topic_does_not_accept_becomes_now_and_others_stay(
        self, kafka_broker: Broker, unique: Unique
    ) -> None:
        topic = unique("recent")
        kafka_broker.create_topic(topic, message_timestamp_after_max_ms=60_000, message_timestamp_before_max_ms=10**8)
        began_ms = int(time.time() * 1000)

        async def work() -> None:
            async with producing(kafka_broker.address) as rig:
                rig.append(topic, pvs(2), 5)
                rig.append_odd(topic, "PV:FUTURE", b"\5\0\0\0", time_ms=4_000_000_000_000)
                rig.append(topic, pvs(2), 5)
                rig.append_odd(topic, "PV:OLD", b"\6\0\0\0", time_ms=631_152_000_000)
                # Too far in the future for this topic, and yet not the first suspect.
                rig.append_odd(topic, "PV:SOON", b"\7\0\0\0", time_ms=began_ms + 1_000_000)
                await rig.acknowledged()
                assert rig.lane(topic).dropped.total() == 0
                assert rig.lane(topic).restamped >= 3

        asyncio.run(work())
        records = consume(kafka_broker.address, topic)
        numbers = numbers_by_key(records)
        odd = {"PV:FUTURE": [5], "PV:OLD": [6], "PV:SOON": [7]}
        assert numbers == {**{key: list(range(10)) for key in pvs(2)}, **odd}
        for record in records:
            if record.key in (b"PV:FUTURE", b"PV:OLD", b"PV:SOON"):
                assert began_ms <= record.timestamp_ms <= int(time.time() * 1000)


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_each_compression_can_be_read_by_others(kafka_broker: Broker, unique: Unique, compression: str) -> None:
    topic = unique("packed")
    kafka_broker.create_topic(topic)

    async def work() -> None:
        async with producing(kafka_broker.address, settings=ProducerSettings(compression=compression)) as rig:
            rig.append(topic, pvs(20), 50, size=100)
            await rig.acknowledged()

    asyncio.run(work())
    assert each_once_in_order(consume(kafka_broker.address, topic), pvs(20), 50)


def test_a_backlog_larger_than_one_request_may_be_arrives(
    creating_broker: Broker, unique: Unique, caplog: pytest.LogCaptureFixture
) -> None:
    # A broker closes the connection on a request above 100 MiB: 130 partitions times 900 kB are more.
    topic = unique("wide")
    creating_broker.create_topic(topic, partitions=130)

    async def work() -> None:
        settings = ProducerSettings(max_waiting_bytes=400_000_000)
        async with producing(creating_broker.address, settings=settings) as rig:
            # Now each partition has its producer identity, so that all are due at once.
            rig.append(topic, pvs(3_000), 1)
            await rig.acknowledged()
            rig.append(topic, pvs(3_000), 1, size=50_000)
            await rig.acknowledged()
            assert rig.lane(topic).dropped.total() == 0

    asyncio.run(work())
    assert each_once_in_order(consume(creating_broker.address, topic), pvs(3_000), 2)
    assert "is away" not in caplog.text


class TestTopicsThatChange:
    @pytest.mark.parametrize("partitions", [2, 5])
    def test_a_topic_that_is_made_again_gets_what_comes_after(
        self, partitions: int, kafka_broker: Broker, unique: Unique, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic, other = unique("again"), unique("other")
        kafka_broker.create_topic(topic, partitions=3)
        kafka_broker.create_topic(other)

        async def work() -> None:
            async with producing(kafka_broker.address) as rig:
                rig.append(topic, pvs(10), 5)
                await rig.acknowledged()
                await asyncio.to_thread(kafka_broker.delete_topic, topic)
                rig.append(topic, pvs(10), 5)
                await until(lambda: rig.sender.problems(), "it is told that the topic is gone")
                rig.append(other, pvs(10), 5)
                await rig.acknowledged(other)
                assert rig.sender.problems() == {topic: "it does not exist"}
                assert rig.lane(topic).waiting == 50
                await asyncio.to_thread(kafka_broker.create_topic, topic, partitions)
                rig.append(topic, pvs(10), 5)
                await rig.acknowledged(topic)

        asyncio.run(work())
        records = consume(kafka_broker.address, topic)
        assert numbers_by_key(records) == {key: list(range(5, 15)) for key in pvs(10)}

    def test_partitions_that_are_added_are_used(
        self, kafka_broker: Broker, unique: Unique, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("forwarder.kafka.sender._REFRESH_S", 0.2)
        topic = unique("growing")
        kafka_broker.create_topic(topic, partitions=1)

        async def work() -> None:
            async with producing(kafka_broker.address) as rig:
                rig.append(topic, pvs(20), 5)
                await rig.acknowledged()
                await asyncio.to_thread(add_partitions, kafka_broker, topic, 3)
                await until(lambda: len(rig.lane(topic).partitions) == 3, "the new partitions are found")
                rig.append(topic, pvs(20), 5)
                await rig.acknowledged()

        asyncio.run(work())
        records = consume(kafka_broker.address, topic)
        by_partition = {p: numbers_by_key([r for r in records if r.partition == p]) for p in range(3)}
        assert Counter(n for numbers in by_partition.values() for ns in numbers.values() for n in ns) == dict.fromkeys(
            range(10), 20
        )
        assert all(ns == sorted(ns) for numbers in by_partition.values() for ns in numbers.values())
        assert by_partition[1]
        assert by_partition[2]
