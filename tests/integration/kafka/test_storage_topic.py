"""What was stored is what is read, from any kind of topic; and no state that was not read is overwritten."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewPartitions,
    ResourcePatternType,
    ResourceType,
)
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, deserialise_fc00, serialise_fc00

from forwarder.commands.state import Headers, Label, encode
from forwarder.kafka.cluster import Cluster
from forwarder.kafka.storage_topic import StorageTopic, StoredState
from forwarder.model import Stream, Transport
from forwarder.settings.types import ClusterSettings, TopicSettings
from tests.integration.kafka.rig import PATIENCE_S, start_again, until
from tests.support.consume import Record, consume
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

Unique = Callable[[str], str]

SERVICE = "forwarder-1"
KEY = SERVICE.encode()
OFFSETS = {"config": {0: 12, 3: 0}, "host:9092/other": {0: 7}}


def some(count: int, mark: str = "") -> tuple[Stream, ...]:
    """Streams that differ in all that makes a difference."""
    return tuple(
        Stream(
            f"IN:DEMO:CS:SB:BLOCK{mark}_{number}",
            Transport(number % 3),
            "f142" if number % 2 else "f144",
            "DEMO_sampleEnv",
            "kafka.example:9092" if number % 5 == 0 else "",
            number % 4 == 0,
        )
        for number in range(count)
    )


def storage(broker: Broker, topic: str, service: str = SERVICE, *, overwrite: bool = False) -> StorageTopic:
    settings = TopicSettings(ClusterSettings((broker.address,)), topic)
    return StorageTopic(settings, service, overwrite=overwrite)


@asynccontextmanager
async def running(topic: StorageTopic) -> AsyncIterator[StorageTopic]:
    task = asyncio.create_task(topic.run())
    try:
        yield topic
        assert not task.done(), "it still runs"
    finally:
        task.cancel()
        await asyncio.wait([task])


async def flushed(topic: StorageTopic, within_s: float = PATIENCE_S) -> bool:
    return await topic.flush(asyncio.get_running_loop().time() + within_s)


async def stored(topic: StorageTopic, streams: Sequence[Stream], offsets: Mapping[str, Mapping[int, int]]) -> None:
    topic.store(streams, offsets)
    assert await flushed(topic), topic.problem


def read(broker: Broker, topic: str, service: str = SERVICE) -> tuple[StoredState | None, str]:
    """What the next start finds, and the problem it has."""

    async def work() -> tuple[StoredState | None, str]:
        reader = storage(broker, topic, service)
        state = await asyncio.wait_for(reader.read(), PATIENCE_S)
        return state, reader.problem

    return asyncio.run(work())


def keep(broker: Broker, topic: str, *states: Sequence[Stream], service: str = SERVICE) -> None:
    """Let a service store these, one after the other."""

    async def work() -> None:
        writer = storage(broker, topic, service)
        await writer.read()
        async with running(writer):
            for number, streams in enumerate(states):
                await stored(writer, streams, {"config": {0: number}})

    asyncio.run(work())


def whole(state: StoredState | None) -> list[tuple[Stream, bool]]:
    """Streams with the setting that their equality leaves out."""
    assert state is not None
    return [(stream, stream.periodic) for stream in state.streams]


def say(
    broker: Broker,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Headers | None = None,
    partition: int = 0,
) -> None:
    """A message by another client's hand."""
    producer = Producer({"bootstrap.servers": broker.address})
    producer.produce(topic, value, key, partition=partition, headers=headers or [])
    assert producer.flush(20) == 0


def say_part(broker: Broker, topic: str, label: Label, streams: Sequence[Stream], partition: int = 0) -> None:
    say(broker, topic, label.key(), encode(streams), label.headers(), partition)


def records(broker: Broker, topic: str) -> list[Record]:
    return consume(broker.address, topic)


class TestRoundTrip:
    @pytest.mark.parametrize("partitions", [1, 7])
    @pytest.mark.parametrize("policy", ["delete", "compact"])
    def test_what_was_stored_is_read(self, kafka_broker: Broker, unique: Unique, partitions: int, policy: str) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic, partitions, cleanup_policy=policy)

        async def work() -> None:
            writer = storage(kafka_broker, topic)
            assert await writer.read() is None
            async with running(writer):
                await stored(writer, some(50), OFFSETS)
                assert writer.problem == ""

        asyncio.run(work())
        state, problem = read(kafka_broker, topic)
        assert whole(state) == whole(StoredState(some(50), {}))
        assert state is not None
        assert state.offsets == OFFSETS
        assert problem == ""

    def test_older_tools_find_what_they_expect(self, kafka_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        keep(kafka_broker, topic, some(3))
        (record,) = records(kafka_broker, topic)
        assert record.key == KEY
        assert record.value is not None
        update = deserialise_fc00(record.value)
        assert [stream.channel for stream in update.streams] == [stream.channel for stream in some(3)]

    def test_no_streams_are_a_state(self, kafka_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        keep(kafka_broker, topic, some(3), ())
        assert read(kafka_broker, topic) == (StoredState((), {"config": {0: 1}}), "")

    def test_the_newest_wins_over_restarts(self, kafka_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic, 3)
        for start in range(3):
            keep(kafka_broker, topic, *(some(1 + number, f"{start}") for number in range(3)))
        assert read(kafka_broker, topic)[0] == StoredState(some(3, "2"), {"config": {0: 2}})

    def test_the_generation_counts_and_not_the_partition(self, kafka_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic, 2)
        say_part(kafka_broker, topic, Label(SERVICE, 5, "a", 1, 1, {}), some(5), partition=0)
        say_part(kafka_broker, topic, Label(SERVICE, 4, "b", 1, 1, {}), some(4), partition=1)
        assert read(kafka_broker, topic)[0] == StoredState(some(5), {})
        keep(kafka_broker, topic, some(6))
        assert read(kafka_broker, topic)[0] == StoredState(some(6), {"config": {0: 0}})

    def test_the_newest_is_read_after_partitions_were_added(self, kafka_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        keep(kafka_broker, topic, some(1))
        admin = AdminClient({"bootstrap.servers": kafka_broker.address})
        admin.create_partitions([NewPartitions(topic, 5)])[topic].result(10)
        assert read(kafka_broker, topic)[0] == StoredState(some(1), {"config": {0: 0}})
        keep(kafka_broker, topic, some(2))
        assert read(kafka_broker, topic)[0] == StoredState(some(2), {"config": {0: 0}})

    def test_services_share_a_topic(self, kafka_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic, cleanup_policy="compact")
        # One's name is like the key of a part of the other's.
        for count, service in enumerate((SERVICE, f"{SERVICE}/0/1", "another")):
            keep(kafka_broker, topic, some(10 + count), service=service)
        for count, service in enumerate((SERVICE, f"{SERVICE}/0/1", "another")):
            assert read(kafka_broker, topic, service) == (StoredState(some(10 + count), {"config": {0: 0}}), "")

    def test_many_old_states_are_passed_over_quickly(self, kafka_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        keep(kafka_broker, topic, some(3))
        producer = Producer({"bootstrap.servers": kafka_broker.address, "queue.buffering.max.kbytes": 1_000_000})
        other = encode(some(1800))
        assert len(other) > 100_000
        for _ in range(2000):
            producer.produce(topic, other)
            producer.poll(0)
        assert producer.flush(60) == 0
        # The whole topic has to be gone through to find the one at its beginning.
        state, _ = read(kafka_broker, topic)
        assert state == StoredState(some(3), {"config": {0: 0}})


class TestManyStreams:
    def test_twenty_thousand_fit_into_one_message_and_hold_up_nothing(
        self, kafka_broker: Broker, unique: Unique
    ) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        lags: list[float] = []

        async def watch() -> None:
            loop = asyncio.get_running_loop()
            while True:
                before = loop.time()
                await asyncio.sleep(0.001)
                lags.append(loop.time() - before)

        async def work() -> None:
            writer = storage(kafka_broker, topic)
            await writer.read()
            streams = some(20_000)
            async with running(writer):
                watching = asyncio.create_task(watch())
                await stored(writer, streams, OFFSETS)
                watching.cancel()

        asyncio.run(work())
        # A machine that is busy with something else is late as well, by so much hardly ever.
        assert sorted(lags)[-2] < 0.1
        (record,) = records(kafka_broker, topic)
        assert record.value is not None
        assert len(gzip.compress(record.value)) < 500_000
        state, problem = read(kafka_broker, topic)
        assert (whole(state), problem) == (whole(StoredState(some(20_000), {})), "")

    @pytest.mark.parametrize("policy", ["delete", "compact"])
    def test_a_topic_with_small_messages_holds_them_in_parts(
        self, kafka_broker: Broker, unique: Unique, policy: str
    ) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic, cleanup_policy=policy, max_message_bytes=4_000)
        for count in (2_000, 1_500, 2, 3_000):
            keep(kafka_broker, topic, some(count))
            state, problem = read(kafka_broker, topic)
            assert (whole(state), problem) == (whole(StoredState(some(count), {})), "")
        assert len(records(kafka_broker, topic)) > 10

    def test_a_topic_that_takes_hardly_anything_is_a_problem_and_not_the_end(
        self, kafka_broker: Broker, unique: Unique, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic, max_message_bytes=200)

        async def work() -> None:
            writer = storage(kafka_broker, topic)
            await writer.read()
            async with running(writer):
                writer.store(some(20), {})
                await until(lambda: "max.message.bytes" in writer.problem, "the problem is told")
                assert not await flushed(writer, 0.1)

        asyncio.run(work())
        assert caplog.text.count("too small") == 1

    @pytest.mark.parametrize("policy", ["delete", "compact"])
    def test_an_incomplete_state_leaves_the_one_before_valid(
        self, kafka_broker: Broker, unique: Unique, policy: str
    ) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic, cleanup_policy=policy)
        for part in (1, 2):
            say_part(kafka_broker, topic, Label(SERVICE, 8, "a", part, 2, {"config": {0: part}}), some(part))
        say_part(kafka_broker, topic, Label(SERVICE, 9, "b", 1, 2, {}), some(9))
        expected = StoredState(some(1) + some(2), {"config": {0: 2}})
        assert read(kafka_broker, topic) == (expected, "")
        # Killed again in the next try.
        say_part(kafka_broker, topic, Label(SERVICE, 11, "c", 2, 2, {}), some(9))
        assert read(kafka_broker, topic) == (expected, "")

    @pytest.mark.parametrize("incomplete", [1_000_001, 1_000_002])
    def test_a_new_state_in_parts_spares_the_keys_of_the_last_complete_one(
        self, kafka_broker: Broker, unique: Unique, incomplete: int
    ) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic, max_message_bytes=4_000)
        keep(kafka_broker, topic, some(2_000))
        before = records(kafka_broker, topic)
        # Killed in the middle of the next state.
        say_part(kafka_broker, topic, Label(SERVICE, incomplete, "x", 1, 2, {}), some(9))
        keep(kafka_broker, topic, some(2_000))
        keys = {record.key for record in before[-5:]}
        after = [record.key for record in records(kafka_broker, topic)[len(before) + 1 :]]
        assert keys.isdisjoint(after)


class TestCompaction:
    @pytest.mark.parametrize("max_message_bytes", [1_000_000, 4_000])
    def test_only_what_is_needed_is_left_and_it_is_read(
        self, odd_broker: Broker, unique: Unique, max_message_bytes: int
    ) -> None:
        topic = unique("storage")
        odd_broker.create_topic(
            topic,
            cleanup_policy="compact",
            segment_ms=100,
            min_cleanable_dirty_ratio=0.01,
            max_message_bytes=max_message_bytes,
        )
        for start in range(3):
            keep(odd_broker, topic, some(1_000 + start), some(1_200 - start))
        # The last segment is never compacted, so another service begins one; of the others, some may be gone already.
        count = records(odd_broker, topic)[-1].offset + 1

        def compacted() -> bool:
            keep(odd_broker, topic, some(1), service="another")
            own = [record for record in records(odd_broker, topic) if record.key != b"another"]
            return len(own) < count / 2

        wait_until(compacted, 60, what="old states are gone")
        state, problem = read(odd_broker, topic)
        assert (whole(state), problem) == (whole(StoredState(some(1_198), {})), "")


PLAIN = serialise_fc00(3, [StreamInfo("PV", "f144", "topic", 1, 0)])
PLAIN_STATE = StoredState((Stream("PV", Transport.CA, "f144", "topic"),), {})


class TestWhatOthersLeft:
    def test_the_newest_state_of_another_forwarder_is_adopted_and_followed_by_our_own(
        self, kafka_broker: Broker, unique: Unique, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        say(kafka_broker, topic, None, serialise_fc00(3, []))
        say(kafka_broker, topic, None, PLAIN)
        say(kafka_broker, topic, b"another", encode(some(5)))
        with caplog.at_level(logging.INFO):
            assert read(kafka_broker, topic) == (PLAIN_STATE, "")
        assert "1 streams in the state of another forwarder at [0]@1" in caplog.text
        keep(kafka_broker, topic, some(2))
        say(kafka_broker, topic, None, PLAIN)
        assert read(kafka_broker, topic) == (StoredState(some(2), {"config": {0: 0}}), "")

    def test_an_empty_topic_holds_nothing(self, kafka_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic, 3)
        assert read(kafka_broker, topic) == (None, "")

    def test_junk_is_told_once_and_passed_over(
        self, kafka_broker: Broker, unique: Unique, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        for junk in (b"", b"junk", b"{}", bytes(1000), None):
            say(kafka_broker, topic, None, junk)
        assert read(kafka_broker, topic) == (None, "")
        assert caplog.text.count("5 messages are no state") == 1
        keep(kafka_broker, topic, some(2))
        for junk in (b"", b"junk", b"{}", bytes(1000), None):
            say(kafka_broker, topic, None, junk)
        assert read(kafka_broker, topic) == (StoredState(some(2), {"config": {0: 0}}), "")

    def test_a_tombstone_is_no_state(self, kafka_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        keep(kafka_broker, topic, some(2))
        say(kafka_broker, topic, KEY, None)
        assert read(kafka_broker, topic) == (None, "")


OF_THE_FUTURE: Headers = [("state-format", b"2")]
UNREADABLE: dict[str, tuple[bytes | None, bytes, Headers]] = {
    "our key, bytes that are no fc00": (KEY, b"junk", Label(SERVICE, 99, "x", 1, 1, {}).headers()),
    "our key, a damaged fc00": (KEY, encode(some(5))[:-40], Label(SERVICE, 99, "x", 1, 1, {}).headers()),
    "our key, an unknown format": (KEY, encode(some(5)), OF_THE_FUTURE),
    "our key, no headers": (KEY, encode(some(5)), []),
    "the key of a part, an unknown format": (KEY + b"/1/3", encode(some(5)), OF_THE_FUTURE),
    "no key, a damaged fc00": (None, PLAIN[:-8], []),
    "no key, another command": (None, serialise_fc00(0, [StreamInfo("PV", "f144", "topic", 1, 0)]), []),
}


@pytest.mark.parametrize(("key", "value", "headers"), UNREADABLE.values(), ids=UNREADABLE)
class TestWhatCannotBeRead:
    def test_it_is_told_and_never_overwritten(
        self,
        kafka_broker: Broker,
        unique: Unique,
        key: bytes | None,
        value: bytes,
        headers: Headers,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        say(kafka_broker, topic, key, value, headers)

        async def work() -> None:
            writer = storage(kafka_broker, topic)
            assert await writer.read() is None
            async with running(writer):
                writer.store(some(3), {})
                assert not await flushed(writer), "and it is known at once"
                assert "[0]@0 can't be read" in writer.problem
                assert "--skip-retrieval" in writer.problem

        asyncio.run(work())
        assert len(records(kafka_broker, topic)) == 1
        assert caplog.text.count("can't be read") == 1

    def test_a_service_that_is_told_to_ignore_it_overwrites_it(
        self, kafka_broker: Broker, unique: Unique, key: bytes | None, value: bytes, headers: Headers
    ) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        say(kafka_broker, topic, key, value, headers)

        async def work() -> None:
            writer = storage(kafka_broker, topic, overwrite=True)
            async with running(writer):
                await stored(writer, some(3), OFFSETS)
                assert writer.problem == ""

        asyncio.run(work())
        assert read(kafka_broker, topic) == (StoredState(some(3), OFFSETS), "")


class TestWhatCannotBeReadLater:
    def test_the_state_before_it_is_used_but_nothing_is_stored(self, kafka_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        keep(kafka_broker, topic, some(1), some(2))
        for number in range(10):
            say(kafka_broker, topic, KEY, b"junk", Label(SERVICE, 50 + number, f"x{number}", 1, 1, {}).headers())
        state, problem = read(kafka_broker, topic)
        assert state == StoredState(some(2), {"config": {0: 1}})
        assert "[0]@11 can't be read" in problem
        assert "an older one is used" in problem

    def test_an_older_state_of_another_forwarder_is_not_used_instead(
        self, kafka_broker: Broker, unique: Unique
    ) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        say(kafka_broker, topic, None, PLAIN)
        say(kafka_broker, topic, KEY, b"junk")
        state, problem = read(kafka_broker, topic)
        assert state is None
        assert "[0]@1 can't be read" in problem
        say(kafka_broker, topic, None, PLAIN)
        assert read(kafka_broker, topic) == (PLAIN_STATE, "")

    def test_storing_begins_when_it_has_been_removed(
        self, kafka_broker: Broker, unique: Unique, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("forwarder.kafka.storage_topic._LOOK_AT_KEPT_S", 0.1)
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        say(kafka_broker, topic, KEY, b"junk")

        async def work() -> None:
            writer = storage(kafka_broker, topic)
            await writer.read()
            async with running(writer):
                writer.store(some(3), OFFSETS)
                await asyncio.to_thread(say, kafka_broker, topic, KEY, None)
                await until(lambda: not writer.problem, "the problem is over")
                assert await flushed(writer)

        asyncio.run(work())
        assert read(kafka_broker, topic) == (StoredState(some(3), OFFSETS), "")


class TestWaiting:
    def test_a_missing_topic_is_told_and_used_when_it_appears(
        self, kafka_broker: Broker, unique: Unique, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic = unique("storage")

        async def work() -> None:
            writer = storage(kafka_broker, topic)
            async with asyncio.timeout(10):
                assert await writer.read() is None
            assert "does not exist" in writer.problem
            async with running(writer):
                writer.store(some(3), OFFSETS)
                assert not await flushed(writer)
                await asyncio.to_thread(kafka_broker.create_topic, topic)
                async with asyncio.timeout(10):
                    await until(lambda: not writer.problem, "the topic is found")
                assert await flushed(writer)

        asyncio.run(work())
        assert read(kafka_broker, topic) == (StoredState(some(3), OFFSETS), "")
        assert caplog.text.count(f"{topic}: it does not exist") == 1

    @pytest.mark.parametrize("late", ["own", "foreign", "damaged"])
    def test_a_state_that_turns_up_after_the_start_is_not_overwritten(
        self, kafka_broker: Broker, unique: Unique, late: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        if late == "own":
            keep(kafka_broker, topic, some(7))
        else:
            say(kafka_broker, topic, None, PLAIN if late == "foreign" else PLAIN[:-8])

        async def work() -> None:
            # As after a read that was given up.
            writer = storage(kafka_broker, topic)
            async with running(writer):
                writer.store(some(3), OFFSETS)
                assert not await flushed(writer)
                assert "not overwritten" in writer.problem

        asyncio.run(work())
        assert len(records(kafka_broker, topic)) == 1
        assert caplog.text.count("not overwritten") == 1

    def test_a_topic_that_must_not_be_read_is_not_empty(self, odd_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        odd_broker.create_topic(topic)
        keep(odd_broker, topic, some(4))
        admin = AdminClient({"bootstrap.servers": odd_broker.address})
        for operation in (AclOperation.READ, AclOperation.DESCRIBE):
            rule = (ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", operation)
            (made,) = admin.create_acls([AclBinding(*rule, AclPermissionType.DENY)]).values()
            made.result(10)

        async def work() -> StoredState | None:
            writer = storage(odd_broker, topic)
            reading = asyncio.create_task(writer.read())
            await until(lambda: "may not be read" in writer.problem, "the problem is told")
            assert not reading.done()
            everything = AclBindingFilter(
                ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, None, None, AclOperation.ANY,
                AclPermissionType.ANY,
            )  # fmt: skip
            (removed,) = admin.delete_acls([everything]).values()
            await asyncio.to_thread(removed.result, 10)
            return await asyncio.wait_for(reading, PATIENCE_S)

        assert asyncio.run(work()) == StoredState(some(4), {"config": {0: 0}})

    def test_a_topic_that_must_not_be_written_is_told(self, odd_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        odd_broker.create_topic(topic)
        admin = AdminClient({"bootstrap.servers": odd_broker.address})
        rules = [
            (AclOperation.WRITE, AclPermissionType.DENY),
            (AclOperation.READ, AclPermissionType.ALLOW),
            (AclOperation.DESCRIBE, AclPermissionType.ALLOW),
        ]
        for operation, permission in rules:
            rule = (ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", operation)
            (made,) = admin.create_acls([AclBinding(*rule, permission)]).values()
            made.result(10)

        async def work() -> None:
            writer = storage(odd_broker, topic)
            assert await writer.read() is None
            async with running(writer):
                writer.store(some(3), OFFSETS)
                await until(lambda: "may not be written" in writer.problem, "the problem is told")

        asyncio.run(work())

    def test_a_broker_that_slows_readers_down_is_not_empty(
        self, kafka_broker: Broker, unique: Unique, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)
        keep(kafka_broker, topic, some(4))
        ask = Cluster.ask
        slowed: list[object] = []

        async def ask_beyond_the_quota(cluster: Cluster, broker: int, request: object) -> Any:
            if isinstance(request, FetchRequest) and not slowed:
                slowed.append(request)
                return SimpleNamespace(topics=[], throttle_time_ms=10)
            return await ask(cluster, broker, request)

        monkeypatch.setattr(Cluster, "ask", ask_beyond_the_quota)
        assert read(kafka_broker, topic) == (StoredState(some(4), {"config": {0: 0}}), "")
        assert slowed

    def test_a_broker_that_comes_later_is_waited_for(self, mortal_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        mortal_broker.create_topic(topic)
        keep(mortal_broker, topic, some(5))
        mortal_broker.stop()

        async def work() -> StoredState | None:
            writer = storage(mortal_broker, topic)
            reading = asyncio.create_task(writer.read())
            async with asyncio.timeout(10):
                await until(lambda: writer.problem, "the problem is told")
            await start_again(mortal_broker)
            state = await asyncio.wait_for(reading, PATIENCE_S)
            assert writer.problem == ""
            return state

        assert asyncio.run(work()) == StoredState(some(5), {"config": {0: 0}})

    def test_waiting_for_a_broker_ends_when_it_is_told_to(self, mortal_broker: Broker, unique: Unique) -> None:
        mortal_broker.stop()

        async def work() -> None:
            writer = storage(mortal_broker, unique("storage"))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(writer.read(), 0.5)
            async with running(writer):
                writer.store(some(3), OFFSETS)
                assert not await flushed(writer, 0.5)
                assert writer.problem

        asyncio.run(work())


class TestStoring:
    def test_only_the_newest_of_many_is_stored(self, kafka_broker: Broker, unique: Unique) -> None:
        topic = unique("storage")
        kafka_broker.create_topic(topic)

        async def work() -> float:
            writer = storage(kafka_broker, topic)
            await writer.read()
            async with running(writer):
                loop = asyncio.get_running_loop()
                writer.store(some(1), {})
                await until(lambda: not writer._pending, "the first is stored at once")
                began = loop.time()
                for number in range(100):
                    writer.store(some(number), {"config": {0: number}})
                    await asyncio.sleep(0)
                await until(lambda: not writer._pending, "the last is stored")
                return loop.time() - began

        assert asyncio.run(work()) > 0.9
        assert len(records(kafka_broker, topic)) == 2
        assert read(kafka_broker, topic) == (StoredState(some(99), {"config": {0: 99}}), "")

    @pytest.mark.parametrize("ending", ["stop", "kill", "freeze"])
    def test_what_was_not_stored_while_the_broker_was_away_is_stored_after(
        self,
        mortal_broker: Broker,
        unique: Unique,
        ending: str,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("forwarder.kafka.topic_requests.REQUEST_TIMEOUT_S", 2.0)
        monkeypatch.setattr("forwarder.kafka.storage_topic._CHECK_S", 0.5)
        topic = unique("storage")
        mortal_broker.create_topic(topic)

        async def work() -> None:
            writer = storage(mortal_broker, topic)
            await writer.read()
            async with running(writer):
                await stored(writer, some(1), OFFSETS)
                await asyncio.to_thread(getattr(mortal_broker, ending))
                try:
                    for number in range(50):
                        writer.store(some(number), {"config": {0: number}})
                        await asyncio.sleep(0.01)
                    await until(lambda: writer.problem, "the problem is told")
                    assert not await flushed(writer, 0.1)
                finally:
                    if ending == "freeze":
                        mortal_broker.thaw()
                    else:
                        await start_again(mortal_broker)
                assert await flushed(writer)
                assert writer.problem == ""
                await until(lambda: not writer._in_doubt and not writer._pending, "late requests have no effect")

        asyncio.run(work())
        assert read(mortal_broker, topic) == (StoredState(some(49), {"config": {0: 49}}), "")
        assert caplog.text.count(": over after") >= 1

    @pytest.mark.parametrize("how", ["topic made again", "records deleted"])
    def test_what_the_topic_has_lost_is_stored_again(
        self, kafka_broker: Broker, unique: Unique, how: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("forwarder.kafka.storage_topic._CHECK_S", 0.2)
        topic = unique("storage")
        kafka_broker.create_topic(topic)

        def lose() -> None:
            if how == "topic made again":
                kafka_broker.delete_topic(topic)
                kafka_broker.create_topic(topic)
            else:
                admin = AdminClient({"bootstrap.servers": kafka_broker.address})
                admin.delete_records([TopicPartition(topic, 0, 1)])[TopicPartition(topic, 0)].result(10)

        async def work() -> None:
            writer = storage(kafka_broker, topic)
            await writer.read()
            async with running(writer):
                await stored(writer, some(3), OFFSETS)
                first = writer._stored_at
                await asyncio.to_thread(lose)
                await until(lambda: writer._stored_at > first and not writer._pending, "it is stored again")

        asyncio.run(work())
        assert read(kafka_broker, topic) == (StoredState(some(3), OFFSETS), "")
