"""Topics looked at, made, written to and read in a real Kafka, as the commands for people do it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from confluent_kafka import Producer

from forwarder.errors import ForwarderError
from forwarder.kafka import admin
from forwarder.kafka.admin import Made, NewTopic, Operation
from forwarder.kafka.cluster import Cluster
from forwarder.kafka.single import send
from forwarder.kafka.topic_reader import EARLIEST, LATEST, TopicReader, TopicTrouble
from forwarder.settings.types import ClusterSettings, TopicSettings
from tests.support.kafka import Broker

T = TypeVar("T")
Unique = Callable[[str], str]


def with_cluster(broker: Broker, use: Callable[[Cluster], Awaitable[T]]) -> T:
    async def main() -> T:
        cluster = Cluster(ClusterSettings((broker.address,)), "test", 10)
        try:
            return await use(cluster)
        finally:
            await cluster.close()

    return asyncio.run(main())


def test_a_topic_is_made_as_told_and_only_once(kafka_broker: Broker, unique: Unique) -> None:
    name = unique("made")
    new = NewTopic(name, 3, 1, {"cleanup.policy": "compact", "retention.ms": "1000"})

    async def use(cluster: Cluster) -> None:
        assert await admin.create(cluster, [new], only_try=True) == Made((name,))
        assert (await admin.describe(cluster, [name])).topics[name].missing
        assert await admin.create(cluster, [new]) == Made((name,))
        facts = (await admin.describe(cluster, None)).topics[name]
        assert (len(facts.partitions), facts.replication, facts.behind, facts.error) == (3, 1, 0, 0)
        wanted = ["cleanup.policy", "retention.ms"]
        assert await admin.configs(cluster, [name], wanted) == {name: dict(new.config)}
        assert await admin.create(cluster, [NewTopic(name, 7, 1)]) == Made()
        assert len((await admin.describe(cluster, [name])).topics[name].partitions) == 3

    with_cluster(kafka_broker, use)


def test_why_a_topic_is_not_made(kafka_broker: Broker, unique: Unique) -> None:
    copies, setting = unique("copies"), unique("setting")

    async def use(cluster: Cluster) -> Made:
        return await admin.create(
            cluster, [NewTopic(copies, 1, 3), NewTopic(setting, 1, 1, {"cleanup.policy": "burn"})]
        )

    reasons = with_cluster(kafka_broker, use).failed
    assert "not as many brokers as copies are wanted" in reasons[copies]
    assert "burn" in reasons[setting]


def test_the_cluster_says_who_it_is_and_what_may_be_done(kafka_broker: Broker) -> None:
    facts = with_cluster(kafka_broker, lambda cluster: admin.describe(cluster, []))
    assert facts.brokers == {1: kafka_broker.address}
    assert facts.controller == 1
    assert facts.topics == {}
    assert facts.allowed is not None
    assert Operation.IDEMPOTENT_WRITE in facts.allowed


def test_what_was_sent_is_read_from_anywhere(kafka_broker: Broker, unique: Unique) -> None:
    name = unique("data")
    kafka_broker.create_topic(name, 2)
    producer = Producer({"bootstrap.servers": kafka_broker.address, "compression.type": "lz4"})
    for number in range(10):
        producer.produce(name, f"v{number}", f"k{number}", partition=number % 2, timestamp=1_000 + number)
    assert producer.flush(10) == 0

    async def use(cluster: Cluster) -> None:
        topic = TopicReader(cluster, name)
        beginning = await topic.offsets(EARLIEST)
        assert beginning == {0: 0, 1: 0}
        assert await topic.offsets(LATEST) == {0: 5, 1: 5}
        assert await topic.offsets(1_004) == {0: 2, 1: 2}
        assert await topic.offsets(99_000) == {0: 5, 1: 5}
        positions, records = beginning, []
        while len(records) < 10:
            found, positions = await topic.fetch(positions, 500)
            records += found
        assert positions == {0: 5, 1: 5}
        assert {(r.partition, r.offset, r.time_ms, r.key, r.value) for r in records} == {
            (n % 2, n // 2, 1_000 + n, f"k{n}".encode(), f"v{n}".encode()) for n in range(10)
        }
        # An offset in the middle of a batch, nothing yet, and one that is not there.
        found, _ = await topic.fetch({0: 3}, 500)
        assert [record.offset for record in found] == [3, 4]
        assert await topic.fetch({0: 5, 1: 5}, 10) == ([], {0: 5, 1: 5})
        assert await topic.fetch({0: 99}, 10) == ([], {0: 5})

    with_cluster(kafka_broker, use)


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_one_message_is_sent_and_found_where_it_is_said_to_be(kafka_broker: Broker, unique: Unique, size: int) -> None:
    """A long one is compressed: so many streams in one command are larger than what a broker takes."""
    name = unique("orders")
    kafka_broker.create_topic(name)

    async def use(cluster: Cluster) -> None:
        for expected in range(2):
            assert await send(TopicSettings(cluster.settings, name), "test", b"x" * size) == (0, expected)
        topic = TopicReader(cluster, name)
        assert await topic.offsets(LATEST) == {0: 2}
        found, _ = await topic.fetch({0: 1}, 500)
        assert [record.value for record in found] == [b"x" * size]

    with_cluster(kafka_broker, use)


def test_what_is_wrong_names_the_topic(kafka_broker: Broker, unique: Unique) -> None:
    small, missing = unique("small"), unique("missing")
    kafka_broker.create_topic(small, max_message_bytes=1000)

    noise = b"".join(bytes([n % 251, n % 7]) for n in range(2500))

    async def use(cluster: Cluster) -> None:
        with pytest.raises(ForwarderError, match=f"the topic {small} takes no message of 5000 bytes"):
            await send(TopicSettings(cluster.settings, small), "test", noise)
        with pytest.raises(TopicTrouble, match=f"the topic {missing}: it does not exist"):
            await send(TopicSettings(cluster.settings, missing), "test", b"x")
        with pytest.raises(TopicTrouble, match=f"the topic {missing}: it does not exist"):
            await TopicReader(cluster, missing).offsets(LATEST)

    with_cluster(kafka_broker, use)
