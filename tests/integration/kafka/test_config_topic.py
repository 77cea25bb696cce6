"""Commands are received from when the reader says so: each once, in order, whatever becomes of the broker."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

from forwarder.kafka.config_topic import ConfigMessage, ConfigTopic
from forwarder.settings.types import ClusterSettings, TopicSettings
from tests.integration.kafka.rig import start_again, until
from tests.support.kafka import Broker

Unique = Callable[[str], str]


def say(broker: Broker, topic: str, *values: bytes | None) -> None:
    producer = Producer({"bootstrap.servers": broker.address})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(20) == 0


@asynccontextmanager
async def reading(
    broker: Broker, *topics: str, create_topics: bool = False
) -> AsyncIterator[tuple[list[ConfigMessage], list[ConfigTopic]]]:
    """What was received so far, and the readers."""
    received: list[ConfigMessage] = []
    cluster = ClusterSettings((broker.address,), create_topics=create_topics)
    readers = [ConfigTopic(TopicSettings(cluster, topic), "test", received.append) for topic in topics]
    tasks = [asyncio.create_task(reader.run()) for reader in readers]
    try:
        yield received, readers
        assert not any(task.done() for task in tasks), "the readers still run"
    finally:
        for task in tasks:
            task.cancel()
        _, late = await asyncio.wait(tasks, timeout=15)
        assert not late, "a reader ends when it is told to"


def values(received: list[ConfigMessage], topic: str) -> list[bytes]:
    return [message.value for message in received if message.topic == topic]


def test_reading_starts_at_the_end(kafka_broker: Broker, unique: Unique) -> None:
    topic = unique("config")
    kafka_broker.create_topic(topic)
    say(kafka_broker, topic, b"old 1", b"old 2")

    async def work() -> list[ConfigMessage]:
        async with reading(kafka_broker, topic) as (received, (reader,)):
            await asyncio.wait_for(reader.reading.wait(), 30)
            await asyncio.to_thread(say, kafka_broker, topic, b"new 1", b"", None, b"new 2")
            await until(lambda: len(received) >= 4, "the commands are received")
            return received

    assert asyncio.run(work()) == [
        ConfigMessage(b"new 1", topic, 0, 2),
        ConfigMessage(b"", topic, 0, 3),
        ConfigMessage(b"", topic, 0, 4),
        ConfigMessage(b"new 2", topic, 0, 5),
    ]


def test_several_topics_are_read_at_once_each_in_order(kafka_broker: Broker, unique: Unique) -> None:
    topics = [unique("a"), unique("b"), unique("c")]
    for topic in topics:
        kafka_broker.create_topic(topic)
    said = [str(number).encode() for number in range(200)]

    async def work() -> list[ConfigMessage]:
        async with reading(kafka_broker, *topics) as (received, readers):
            for reader in readers:
                await asyncio.wait_for(reader.reading.wait(), 30)
            for topic in topics:
                await asyncio.to_thread(say, kafka_broker, topic, *said)
            await until(lambda: len(received) >= 600, "the commands are received")
            return received

    received = asyncio.run(work())
    assert [values(received, topic) for topic in topics] == [said] * 3


def test_a_missing_topic_is_told_once_and_all_is_read_when_it_was_made(
    kafka_broker: Broker, unique: Unique, caplog: pytest.LogCaptureFixture
) -> None:
    missing, there = unique("missing"), unique("there")
    kafka_broker.create_topic(there)

    async def work() -> None:
        async with reading(kafka_broker, missing, there) as (received, (late, prompt)):
            await asyncio.wait_for(prompt.reading.wait(), 30)
            await until(lambda: "does not exist" in caplog.text, "it is told what is waited for")
            await asyncio.to_thread(say, kafka_broker, there, b"meanwhile")
            await until(lambda: values(received, there) == [b"meanwhile"], "the other topic is read")
            await asyncio.sleep(0)
            assert not late.reading.is_set()
            # Whoever makes the topic may speak before the reader has found it.
            await asyncio.to_thread(kafka_broker.create_topic, missing)
            await asyncio.to_thread(say, kafka_broker, missing, b"first")
            await asyncio.wait_for(late.reading.wait(), 30)
            await asyncio.to_thread(say, kafka_broker, missing, b"second")
            await until(lambda: len(received) >= 3, "the commands are received")
            assert values(received, missing) == [b"first", b"second"]

    with caplog.at_level(logging.INFO):
        asyncio.run(work())
    assert caplog.text.count(f"{missing}: it does not exist") == 1
    assert caplog.text.count(f"{missing}: over after") == 1


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_no_command_is_lost_or_repeated_when_the_broker_restarts(
    mortal_broker: Broker,
    unique: Unique,
    ending: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("forwarder.kafka.config_topic._WATCH_S", 0.1)
    topic = unique("config")
    mortal_broker.create_topic(topic)
    say(mortal_broker, topic, b"old")

    async def work() -> list[ConfigMessage]:
        async with reading(mortal_broker, topic) as (received, (reader,)):
            await asyncio.wait_for(reader.reading.wait(), 30)
            await asyncio.to_thread(say, mortal_broker, topic, b"before 1", b"before 2")
            await until(lambda: len(received) == 2, "the commands are received")
            await asyncio.to_thread(getattr(mortal_broker, ending))
            await until(lambda: "waiting for the config topic" in caplog.text, "it is told what is waited for")
            assert not reader.reading.is_set()
            await start_again(mortal_broker)
            await asyncio.wait_for(reader.reading.wait(), 30)
            await asyncio.to_thread(say, mortal_broker, topic, b"after 1", b"after 2")
            await until(lambda: len(received) >= 4, "the commands are received")
            return received

    assert values(asyncio.run(work()), topic) == [b"before 1", b"before 2", b"after 1", b"after 2"]


def test_a_reader_ends_although_its_broker_is_frozen(mortal_broker: Broker, unique: Unique) -> None:
    topic = unique("config")
    mortal_broker.create_topic(topic)

    async def work() -> None:
        try:
            async with reading(mortal_broker, topic) as (_, (reader,)):
                await asyncio.wait_for(reader.reading.wait(), 30)
                mortal_broker.freeze()
            # One that comes to a frozen broker.
            async with reading(mortal_broker, topic) as (_, (reader,)):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.reading.wait(), 0.2)
        finally:
            mortal_broker.thaw()

    asyncio.run(work())


def test_a_topic_that_is_made_again_is_read_from_its_beginning(kafka_broker: Broker, unique: Unique) -> None:
    topic = unique("config")
    kafka_broker.create_topic(topic)

    async def work() -> list[ConfigMessage]:
        async with reading(kafka_broker, topic) as (received, (reader,)):
            await asyncio.wait_for(reader.reading.wait(), 30)
            await asyncio.to_thread(say, kafka_broker, topic, b"1", b"2", b"3")
            await until(lambda: len(received) == 3, "the commands are received")
            await asyncio.to_thread(kafka_broker.delete_topic, topic)
            await asyncio.to_thread(kafka_broker.create_topic, topic)
            await asyncio.to_thread(say, kafka_broker, topic, b"4")
            await until(lambda: len(received) >= 4, "the command is received")
            return received

    assert values(asyncio.run(work()), topic) == [b"1", b"2", b"3", b"4"]


def test_partitions_that_are_added_are_read_from_their_beginning(
    kafka_broker: Broker, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forwarder.kafka.config_topic._WATCH_S", 0.1)
    topic = unique("config")
    kafka_broker.create_topic(topic)

    def add_partition_and_speak() -> None:
        admin = AdminClient({"bootstrap.servers": kafka_broker.address})
        admin.create_partitions([NewPartitions(topic, 2)])[topic].result(10)
        producer = Producer({"bootstrap.servers": kafka_broker.address})
        producer.produce(topic, b"2", partition=1)
        assert producer.flush(20) == 0

    async def work() -> list[ConfigMessage]:
        async with reading(kafka_broker, topic) as (received, (reader,)):
            await asyncio.wait_for(reader.reading.wait(), 30)
            await asyncio.to_thread(say, kafka_broker, topic, b"1")
            await until(lambda: len(received) == 1, "the command is received")
            await asyncio.to_thread(add_partition_and_speak)
            await until(lambda: len(received) >= 2, "the command in the new partition is received")
            return received

    assert [(m.partition, m.value) for m in asyncio.run(work())] == [(0, b"1"), (1, b"2")]
