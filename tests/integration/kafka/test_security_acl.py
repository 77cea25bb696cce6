"""What an account may not do concerns only the topics it may not do it with, and works as soon as it may."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation

from forwarder.kafka.storage_topic import StorageTopic
from forwarder.settings.types import ClusterSettings, TopicSettings
from tests.integration.kafka.rig import PATIENCE_S, each_once_in_order, until
from tests.integration.kafka.test_security import (
    PVS,
    STREAMS,
    Unique,
    reading,
    say,
    sending,
    storing,
    warnings,
)
from tests.support.consume import consume
from tests.support.secure_kafka import SecureBroker

GRANTED_WITHIN_S = 10.0

DESCRIBE, READ, WRITE = AclOperation.DESCRIBE, AclOperation.READ, AclOperation.WRITE


@pytest.fixture
def bob(secure_broker: SecureBroker) -> ClusterSettings:
    """An account that may only do what is granted."""
    return secure_broker.cluster("SASL_PLAINTEXT", "SCRAM-SHA-256", user=SecureBroker.LIMITED)


class TestData:
    @pytest.mark.parametrize("seen", [True, False], ids=["seen", "hidden"])
    def test_a_topic_that_may_not_be_written_to_delays_no_other_and_loses_nothing(
        self, secure_broker: SecureBroker, bob: ClusterSettings, unique: Unique, caplog: Any, seen: bool
    ) -> None:
        denied, allowed = unique("denied"), unique("allowed")
        for topic in (denied, allowed):
            secure_broker.create_topic(topic)
        secure_broker.grant(allowed, WRITE)
        if seen:
            secure_broker.grant(denied, DESCRIBE)

        async def work() -> None:
            async with sending(bob) as rig:
                for _ in range(10):
                    rig.append(denied, PVS, 10)
                    rig.append(allowed, PVS, 10)
                    await rig.acknowledged(allowed)
                await until(lambda: any(denied in text for text in warnings(caplog)), "it is told")
                assert rig.sender.problems() == {denied: "it may not be written to with these credentials"}
                assert rig.lane(denied).waiting == 200
                await asyncio.to_thread(secure_broker.grant, denied, WRITE)
                async with asyncio.timeout(GRANTED_WITHIN_S):
                    await rig.acknowledged()
                assert rig.sender.problems() == {}
                assert rig.lane(denied).dropped.total() == 0
                await until(lambda: "over after" in caplog.text, "it is told that it works")

        asyncio.run(work())
        for topic in (denied, allowed):
            assert each_once_in_order(consume(secure_broker.address, topic), PVS, 100)
        said = warnings(caplog)
        assert len(said) == 2, said
        assert denied in said[0]
        assert "may not be written to" in said[0]
        assert "over after" in said[1]

    def test_a_right_that_is_taken_away_and_given_back_costs_nothing(
        self, secure_broker: SecureBroker, bob: ClusterSettings, unique: Unique, caplog: Any
    ) -> None:
        topic, other = unique("data"), unique("other")
        for each in (topic, other):
            secure_broker.create_topic(each, partitions=3)
            secure_broker.grant(each, WRITE)

        async def work() -> None:
            async with sending(bob) as rig:
                rig.append(topic, PVS, 10)
                await rig.acknowledged()
                await asyncio.to_thread(secure_broker.revoke, topic, WRITE)
                rig.append(topic, PVS, 10)
                await until(lambda: any(topic in text for text in warnings(caplog)), "it is told")
                assert list(rig.sender.problems()) == [topic]
                rig.append(other, PVS, 10)
                await rig.acknowledged(other)
                await asyncio.to_thread(secure_broker.grant, topic, WRITE)
                rig.append(topic, PVS, 10)
                async with asyncio.timeout(GRANTED_WITHIN_S):
                    await rig.acknowledged()

        asyncio.run(work())
        assert sum(topic in text and "over" not in text for text in warnings(caplog)) == 1
        assert each_once_in_order(consume(secure_broker.address, topic), PVS, 30)
        assert each_once_in_order(consume(secure_broker.address, other), PVS, 10)

    def test_who_gets_no_producer_identity_delivers_without(
        self, secure_broker: SecureBroker, unique: Unique, caplog: Any
    ) -> None:
        # An account may have an identity as soon as it may write to anything: this one may not, when it asks.
        topic = unique("data")
        secure_broker.create_topic(topic)
        secure_broker.set_password("erin", "any")
        secure_broker.grant(topic, DESCRIBE, user="erin")
        erin = secure_broker.cluster("SASL_PLAINTEXT", "SCRAM-SHA-512", user="erin", password="any")

        async def work() -> None:
            async with sending(erin) as rig:
                rig.append(topic, PVS, 10)
                await until(lambda: "gives no producer identity" in caplog.text, "it is told")
                await asyncio.to_thread(secure_broker.grant, topic, WRITE, user="erin")
                async with asyncio.timeout(GRANTED_WITHIN_S):
                    await rig.acknowledged()

        asyncio.run(work())
        assert each_once_in_order(consume(secure_broker.address, topic), PVS, 10)


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "hidden"])
def test_a_config_topic_that_may_not_be_read_is_told_once_and_read_as_soon_as_it_may(
    secure_broker: SecureBroker, bob: ClusterSettings, unique: Unique, caplog: Any, seen: bool
) -> None:
    topic = unique("config")
    secure_broker.create_topic(topic)
    if seen:
        secure_broker.grant(topic, DESCRIBE)

    async def work() -> None:
        async with reading(bob, topic) as (reader, received):
            await until(lambda: warnings(caplog), "it is told")
            await until(lambda: reader._waiting.count >= 3, "it is tried again")
            await asyncio.to_thread(secure_broker.grant, topic, READ)
            async with asyncio.timeout(GRANTED_WITHIN_S):
                await reader.reading.wait()
                await asyncio.to_thread(say, secure_broker, topic, b"command")
                await until(lambda: received, "the command is received")
            assert [message.value for message in received] == [b"command"]

    with caplog.at_level(logging.INFO):
        asyncio.run(work())
    said = warnings(caplog)
    assert len(said) == 2, said
    assert topic in said[0]
    assert "it may not be read" in said[0]
    assert "over after" in said[1]


@pytest.mark.parametrize("granted", [(), (DESCRIBE,), (READ,)], ids=["nothing", "describe", "read"])
def test_a_storage_topic_that_may_not_be_used_is_told_once_and_used_as_soon_as_it_may(
    secure_broker: SecureBroker, bob: ClusterSettings, unique: Unique, caplog: Any, granted: tuple[AclOperation, ...]
) -> None:
    topic = unique("state")
    secure_broker.create_topic(topic)
    if granted:
        secure_broker.grant(topic, *granted)

    async def work() -> None:
        async with storing(bob, topic) as storage:
            storage.store(STREAMS, {})
            await until(lambda: storage._fault.count >= 2, "it is tried again")
            assert "with these credentials" in storage.problem
            await asyncio.to_thread(secure_broker.grant, topic, READ, WRITE)
            assert await storage.flush(asyncio.get_running_loop().time() + GRANTED_WITHIN_S)
            assert storage.problem == ""
        found = await asyncio.wait_for(StorageTopic(TopicSettings(bob, topic), "test").read(), PATIENCE_S)
        assert found is not None
        assert found.streams == STREAMS

    asyncio.run(work())
    said = warnings(caplog)
    assert len(said) == 2, said
    assert topic in said[0]
    assert "over after" in said[1]


def test_where_topics_are_made_on_demand_one_that_may_not_be_made_waits(
    secure_broker: SecureBroker, bob: ClusterSettings, unique: Unique, caplog: Any
) -> None:
    topic, allowed = unique("unmade"), unique("allowed")
    secure_broker.create_topic(allowed)
    secure_broker.grant(allowed, WRITE)

    async def work() -> None:
        async with sending(replace(bob, create_topics=True)) as rig:
            rig.append(topic, PVS, 10)
            rig.append(allowed, PVS, 10)
            await rig.acknowledged(allowed)
            await until(lambda: any(topic in text for text in warnings(caplog)), "it is told")

    asyncio.run(work())
