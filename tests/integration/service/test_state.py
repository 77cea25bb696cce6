"""What the service knows after it was stopped or killed: the streams it was told, each command in effect once."""

import json
import random
import re
import time
from collections.abc import Callable, Iterable
from typing import Self

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, deserialise_fc00, serialise_fc00

from tests.integration.service.rig import stream
from tests.support.consume import Record, consume
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

Unique = Callable[[str], str]
PATIENCE_S = 30.0
_KILLS = 6


@pytest.fixture
def topics(kafka_broker: Broker, unique: Unique) -> Topics:
    topics = Topics(unique("config"), unique("status"), unique("storage"))
    kafka_broker.create_topic(topics.config)
    kafka_broker.create_topic(topics.status)
    kafka_broker.create_topic(topics.storage or "", cleanup_policy="compact")
    return topics


def fakes(topic: str, *names: str) -> list[StreamInfo]:
    return [stream(f"FAKE:{name}", topic, Protocol.FAKE) for name in names]


def wait_for(process: ForwarderProcess, *names: str) -> None:
    expected = sorted(f"FAKE:{name}" for name in names)

    def channels() -> bool:
        statuses = process.statuses()
        return bool(statuses) and sorted(s["channel_name"] for s in statuses[-1]["streams"]) == expected

    wait_until(channels, PATIENCE_S, what=f"the streams are {expected}")


def stored(broker: Broker, topics: Topics) -> list[str]:
    """The channels in the newest state, as other tools read it."""
    records = [record for record in consume(broker.address, topics.storage or "") if record.value is not None]
    return sorted(each.channel for each in deserialise_fc00(records[-1].value).streams) if records else []


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_streams_are_there_again_and_commands_sent_meanwhile_are_obeyed(
    kafka_broker: Broker, topics: Topics, topic: str, how: str
) -> None:
    process = ForwarderProcess(kafka_broker.address, topics, flags=["--status-interval", "200"])
    with process:
        process.order(UpdateType.ADD, fakes(topic, "A", "B", "C"))
        process.order(UpdateType.REMOVE, fakes(topic, "B"))
        wait_for(process, "A", "C")
        getattr(process, how)()
        process.order(UpdateType.ADD, fakes(topic, "D"))
        process.order(UpdateType.REMOVE, fakes(topic, "A"))
        process.start()
        wait_for(process, "C", "D")
        wait_until(lambda: stored(kafka_broker, topics) == ["FAKE:C", "FAKE:D"], PATIENCE_S, what="it is stored")
        process.stop()
        process.start()
        wait_for(process, "C", "D")


def test_a_kill_at_any_moment_ends_in_the_right_streams(kafka_broker: Broker, topic: str, unique: Unique) -> None:
    """Also between the records of a state, which needs several here; and each command has its effect once."""
    moment = random.Random(4)
    topics = Topics(unique("config"), unique("status"), unique("storage"))
    kafka_broker.create_topic(topics.config)
    kafka_broker.create_topic(topics.status)
    kafka_broker.create_topic(topics.storage or "", cleanup_policy="compact", max_message_bytes=700)
    end = End(kafka_broker, topics.storage or "")
    process = ForwarderProcess(kafka_broker.address, topics, flags=["--status-interval", "200"])
    expected: set[str] = set()
    commands = 0
    within_a_state = 0

    def order(change: int, names: Iterable[str]) -> None:
        nonlocal commands
        process.order(change, [stream(f"FAKE:{name}", topic, Protocol.FAKE, schema="no_op") for name in names])
        commands += 1

    with process, end:
        for turn in range(_KILLS):
            added = {f"{turn}-{number:03}-{moment.getrandbits(64):x}" for number in range(150)}
            gone = set(moment.sample(sorted(expected), len(expected) // 2))
            stored_up_to = end.now()
            order(UpdateType.REMOVE, gone or {"NOBODY"})
            order(UpdateType.ADD, added)
            expected = (expected - gone) | added
            if turn % 2:
                # So many records of a state are there.
                wanted = stored_up_to + moment.randint(1, 4)
                wait_until(lambda wanted=wanted: end.now() >= wanted, PATIENCE_S, what="a state is being stored")
            else:
                # Not a guess: any moment is one for a kill.
                time.sleep(moment.random() / 10)
            process.kill()
            complete, within_a_state = states(kafka_broker, topics)
            process.start()
            wait_for(process, *expected)
            obeyed = [int(offset) for offset in re.findall(r"@(\d+): \w+ opened", process.log)]
            assert obeyed == list(range(complete, commands)), "all that are not in the state, and each once"
            assert process.statuses()[-1]["storage"]["problem"] == ""
    assert states(kafka_broker, topics)[0] == commands, "a stop stores what is left to be stored"
    assert within_a_state >= 2


class End:
    """How many records a topic of one partition has had; it is quick to tell."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self._place = TopicPartition(topic, 0)
        self._consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "unused"})

    def now(self) -> int:
        return self._consumer.get_watermark_offsets(self._place, 10, cached=False)[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()


def states(broker: Broker, topics: Topics) -> tuple[int, int]:
    """The number of commands that the newest complete state holds, and how many states are not complete."""
    found: dict[bytes | None, list[Record]] = {}
    for record in consume(broker.address, topics.storage or ""):
        found.setdefault(record.headers["state-id"], []).append(record)
    complete = [parts for parts in found.values() if len(parts) == int(parts[0].headers["parts"] or b"")]
    offsets = json.loads(complete[-1][0].headers["config-offsets"] or b"")
    (of_topic,) = offsets.values()
    return of_topic["0"], len(found) - len(complete)


def test_an_old_removal_of_all_is_not_obeyed_again(kafka_broker: Broker, topics: Topics, topic: str) -> None:
    process = ForwarderProcess(kafka_broker.address, topics, flags=["--status-interval", "200"])
    with process:
        process.order(UpdateType.REMOVEALL)
        process.order(UpdateType.ADD, fakes(topic, "A"))
        wait_for(process, "A")
        process.stop()
        process.start()
        wait_for(process, "A")
        assert "RemoveAll" not in process.log


@pytest.mark.parametrize(("start", "expected"), [("end", ()), ("beginning", ("A",))])
def test_without_a_state_it_reads_from_where_the_setting_says(
    kafka_broker: Broker, topics: Topics, topic: str, start: str, expected: tuple[str, ...]
) -> None:
    process = ForwarderProcess(
        kafka_broker.address, topics, flags=["--status-interval", "200", "--read-config-from", start]
    )
    process.order(UpdateType.ADD, fakes(topic, "A"))
    with process:
        wait_for(process, *expected)
        process.order(UpdateType.ADD, fakes(topic, "B"))
        wait_for(process, *expected, "B")


def test_skipping_the_retrieval_begins_without_streams_and_replaces_the_state(
    kafka_broker: Broker, topics: Topics, topic: str
) -> None:
    with ForwarderProcess(kafka_broker.address, topics) as process:
        process.order(UpdateType.ADD, fakes(topic, "A"))
        wait_until(lambda: stored(kafka_broker, topics) == ["FAKE:A"], PATIENCE_S, what="it is stored")
    with ForwarderProcess(kafka_broker.address, topics, flags=["--skip-retrieval"]) as process:
        wait_for(process)
        process.order(UpdateType.ADD, fakes(topic, "B"))
        wait_until(lambda: stored(kafka_broker, topics) == ["FAKE:B"], PATIENCE_S, what="it is replaced")


def test_a_storage_topic_that_is_missing_is_told_and_used_when_it_appears(
    kafka_broker: Broker, topics: Topics, topic: str, unique: Unique
) -> None:
    missing = Topics(topics.config, topics.status, unique("late_storage"))
    with ForwarderProcess(kafka_broker.address, missing, flags=["--status-interval", "200"]) as process:
        process.order(UpdateType.ADD, fakes(topic, "A"))
        wait_for(process, "A")
        wait_until(lambda: process.statuses()[-1]["storage"]["problem"], 10, what="the missing topic is told")
        kafka_broker.create_topic(missing.storage or "")
        wait_until(lambda: stored(kafka_broker, missing) == ["FAKE:A"], 15, what="it is stored when the topic appears")
        wait_until(lambda: not process.statuses()[-1]["storage"]["problem"], 10, what="all is well")


def test_a_state_of_another_forwarder_is_taken_over(kafka_broker: Broker, topics: Topics, topic: str) -> None:
    kafka_broker.create_topic(storage := f"{topics.storage}_plain")
    producer = Producer({"bootstrap.servers": kafka_broker.address})
    producer.produce(storage, serialise_fc00(UpdateType.REPLACE, fakes(topic, "THEIRS")))
    assert producer.flush(10) == 0
    theirs = Topics(topics.config, topics.status, storage)
    with ForwarderProcess(kafka_broker.address, theirs, flags=["--status-interval", "200"]) as process:
        wait_for(process, "THEIRS")
        assert "state of another forwarder" in process.log


def test_twenty_thousand_streams_are_there_again(kafka_broker: Broker, topics: Topics, topic: str) -> None:
    process = ForwarderProcess(kafka_broker.address, topics, flags=["--status-interval", "200"])
    names = [f"PV:{number:05}" for number in range(20_000)]

    def count() -> int:
        statuses = process.statuses()
        return statuses[-1]["streams_count"] if statuses else -1

    with process:
        for first in range(0, 20_000, 5_000):
            some = [stream(name, topic, schema="no_op") for name in names[first : first + 5_000]]
            process.order(UpdateType.ADD, some)
        wait_until(lambda: count() == 20_000, PATIENCE_S, what="all are open")
        wait_until(lambda: len(stored(kafka_broker, topics)) == 20_000, PATIENCE_S, what="all are stored")
        process.kill()
        process.start()
        wait_until(lambda: count() == 20_000, PATIENCE_S, what="all are open again")
