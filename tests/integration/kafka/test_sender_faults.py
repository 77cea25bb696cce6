"""The broker goes away in every way it can, and no message is lost, doubled or out of order."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from forwarder.flights import RECORD_OVERHEAD
from forwarder.settings.types import ProducerSettings
from tests.integration.kafka.rig import Producing, each_once_in_order, numbers_by_key, producing, start_again, until
from tests.support.consume import consume
from tests.support.kafka import Broker
from tests.support.ports import LOOPBACK, free_port

Unique = Callable[[str], str]

PVS = [f"IN:DEMO:CS:SB:B{number}" for number in range(20)]


@asynccontextmanager
async def feeding(rig: Producing, topic: str) -> AsyncIterator[Callable[[], int]]:
    """Appends one message for each PV every few milliseconds; the function says how many each has got."""
    count = 0

    async def feed() -> None:
        nonlocal count
        while True:
            rig.append(topic, PVS, 1)
            count += 1
            await asyncio.sleep(0.005)

    task = asyncio.create_task(feed())
    try:
        yield lambda: count
    finally:
        task.cancel()
        await asyncio.wait([task])


def balanced(rig: Producing) -> bool:
    return all(
        lane.appended == lane.acknowledged + lane.waiting + lane.dropped.total() and lane.dropped.total() == 0
        for lane in rig.outbox
    )


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_a_broker_that_restarts_gets_all_once(
    mortal_broker: Broker, unique: Unique, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    topic = unique("data")
    mortal_broker.create_topic(topic, partitions=3)
    sent = 0

    async def work() -> None:
        nonlocal sent
        async with producing(mortal_broker.address) as rig:
            async with feeding(rig, topic) as count:
                await until(lambda: rig.lane(topic).acknowledged > 500, "messages arrive")
                await asyncio.to_thread(getattr(mortal_broker, ending))
                before = rig.lane(topic).acknowledged
                await until(lambda: "is away" in caplog.text, "it is told that Kafka is away")
                assert balanced(rig)
                await start_again(mortal_broker)
                await until(lambda: rig.lane(topic).acknowledged > before + 500, "messages arrive again")
                await until(lambda: "is away: over after" in caplog.text, "it is told that Kafka is back")
            await rig.acknowledged()
            sent = count()
            assert balanced(rig)

    with caplog.at_level(logging.INFO):
        asyncio.run(work())
    assert each_once_in_order(consume(mortal_broker.address, topic), PVS, sent)


def test_a_broker_that_freezes_for_longer_than_the_timeout_gets_all_once(
    mortal_broker: Broker, unique: Unique, caplog: pytest.LogCaptureFixture
) -> None:
    topic = unique("data")
    mortal_broker.create_topic(topic, partitions=3)
    sent = 0

    async def work() -> None:
        nonlocal sent
        async with producing(mortal_broker.address, settings=ProducerSettings(request_timeout_s=0.5)) as rig:
            async with feeding(rig, topic) as count:
                await until(lambda: rig.lane(topic).acknowledged > 500, "messages arrive")
                mortal_broker.freeze()
                try:
                    # The same batch is sent more than once before anything is answered.
                    requests = rig.sender.requests
                    frozen_at = time.monotonic()
                    await until(lambda: "is away" in caplog.text, "it is told that Kafka is away")
                    await until(lambda: rig.sender.requests >= requests + 3, "it is tried again")
                    assert time.monotonic() - frozen_at > 0.5
                    # A request that timed out has told of the broker; once all are known to be away, that is said once.
                    away = f"Kafka at {mortal_broker.address} is away"
                    await until(lambda: away in {fault.what for fault in rig.sender.faults()}, "all of it is away")
                    assert [fault.what for fault in rig.sender.faults()] == [away]
                    assert rig.sender.problem(rig.lane(topic)).startswith(f"{away}: ")
                finally:
                    mortal_broker.thaw()
                before = rig.lane(topic).acknowledged
                await until(lambda: rig.lane(topic).acknowledged > before + 500, "messages arrive again")
                await until(lambda: not rig.sender.faults(), "all is well again")
                assert rig.sender.problem(rig.lane(topic)) == ""
            await rig.acknowledged()
            sent = count()
            assert balanced(rig)

    asyncio.run(work())
    assert each_once_in_order(consume(mortal_broker.address, topic), PVS, sent)


def test_a_broker_that_comes_back_at_another_address_gets_all_once(unique: Unique) -> None:
    topic = unique("data")
    another_port = free_port()
    with Broker() as broker:
        broker.create_topic(topic, partitions=2)

        async def work() -> int:
            # Both addresses are given, as those of a cluster are whose brokers come and go.
            async with producing(broker.address, f"{LOOPBACK}:{another_port}") as rig:
                async with feeding(rig, topic) as count:
                    await until(lambda: rig.lane(topic).acknowledged > 500, "messages arrive")
                    await asyncio.to_thread(broker.stop)
                    before = rig.lane(topic).acknowledged
                    broker.moves_to(another_port)
                    await start_again(broker)
                    await until(lambda: rig.lane(topic).acknowledged > before + 500, "messages arrive again")
                    sent = count()
                await rig.acknowledged()
                assert balanced(rig)
                return max(sent, count())

        sent = asyncio.run(work())
        assert each_once_in_order(consume(broker.address, topic), PVS, sent)


def test_a_cluster_that_is_not_there_yet_is_told_once_and_waited_for(
    mortal_broker: Broker, unique: Unique, caplog: pytest.LogCaptureFixture
) -> None:
    topic = unique("data")
    mortal_broker.create_topic(topic)
    mortal_broker.kill()

    async def work() -> None:
        async with producing(mortal_broker.address) as rig:
            rig.append(topic, PVS, 10)
            await until(lambda: "is away" in caplog.text, "it is told that Kafka is away")
            await start_again(mortal_broker)
            rig.append(topic, PVS, 10)
            await rig.acknowledged()

    asyncio.run(work())
    assert each_once_in_order(consume(mortal_broker.address, topic), PVS, 20)
    said = [r.getMessage() for r in caplog.records if "is away" in r.getMessage()]
    assert len(said) <= 4, said
    assert said[-1].partition(": over after")[1]


def test_the_memory_is_bounded_and_the_oldest_of_the_stuck_topic_go(
    kafka_broker: Broker, unique: Unique, caplog: pytest.LogCaptureFixture
) -> None:
    stuck, fine = unique("stuck"), unique("fine")
    kafka_broker.create_topic(fine)
    size = 1_000 - RECORD_OVERHEAD - 8

    async def work() -> None:
        settings = ProducerSettings(max_waiting_bytes=1_000_000)
        async with producing(kafka_broker.address, settings=settings) as rig:
            lane = rig.lane(stuck)
            for _ in range(20):
                appended = lane.appended
                rig.append(stuck, PVS, 5, size=size)
                rig.append(fine, PVS, 1, size=size)
                await until(lambda appended=appended: lane.queued > appended, "they are looked at")
            await rig.acknowledged(fine)
            await until(lambda: lane.waiting_bytes <= 1_000_000, "the bound holds")
            assert rig.lane(fine).dropped.total() == 0
            assert (lane.appended, lane.acknowledged) == (2_000, 0)
            assert lane.dropped["memory full"] == lane.appended - lane.waiting
            assert 900 <= lane.waiting <= 1_000
            await asyncio.to_thread(kafka_broker.create_topic, stuck)
            await rig.acknowledged(stuck)

    asyncio.run(work())
    assert each_once_in_order(consume(kafka_broker.address, fine), PVS, 20)
    newest = numbers_by_key(consume(kafka_broker.address, stuck))
    assert set(newest) == set(PVS)
    assert all(numbers == list(range(numbers[0], 100)) for numbers in newest.values())
    assert caplog.text.count("the memory for waiting messages is full: the oldest messages are dropped") == 1


def test_draining_ends_at_its_deadline(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with producing(f"{LOOPBACK}:{free_port()}") as rig:
            rig.append("data", PVS, 1)
            now = asyncio.get_running_loop().time
            begun = now()
            assert not await rig.sender.drained(begun + 0.2, [rig.lane("data")])
            assert 0.2 <= now() - begun < 5
            assert rig.lane("data").waiting == len(PVS)

    asyncio.run(work())


def test_draining_ends_when_what_waited_was_dropped() -> None:
    async def work() -> None:
        settings = ProducerSettings(max_waiting_bytes=1_000)
        async with producing(f"{LOOPBACK}:{free_port()}", settings=settings) as rig:
            rig.append("data", PVS, 1)
            await rig.acknowledged()
            assert rig.lane("data").dropped.total() == len(PVS)

    asyncio.run(work())
