"""The status while the service starts: what it waits for, soon, and that it goes on as soon as that is there."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType

from tests.integration.service.rig import stream
from tests.support.consume import consume
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.kafka import Broker
from tests.support.ports import LOOPBACK, free_port
from tests.support.waiting import wait_until

Unique = Callable[[str], str]
SOON_S = 10.0


@pytest.fixture
def topics(kafka_broker: Broker, unique: Unique) -> Topics:
    topics = Topics(unique("config"), unique("status"), unique("storage"))
    kafka_broker.create_topic(topics.status)
    return topics


@pytest.fixture
def launched(kafka_broker: Broker, topics: Topics) -> Iterator[Callable[..., ForwarderProcess]]:
    processes: list[ForwarderProcess] = []

    def launch(*flags: str) -> ForwarderProcess:
        flags = ("--fake-pv-period", "100", *flags)
        process = ForwarderProcess(kafka_broker.address, topics, flags=flags)
        processes.append(process)
        process.launch()
        return process

    yield launch
    for process in processes:
        process.__exit__(None, None, None)


def last(process: ForwarderProcess) -> dict[str, Any]:
    """The newest status; nothing when there is none yet."""
    statuses = process.statuses()
    return statuses[-1] if statuses else {"state": "", "waits_for": [], "storage": {"problem": ""}}


def test_a_missing_topic_is_in_the_status_within_ten_seconds_and_used_within_ten_when_it_appears(
    kafka_broker: Broker, topics: Topics, launched: Callable[..., ForwarderProcess], unique: Unique
) -> None:
    """Of each kind: config, storage and data."""
    process, data = launched(), unique("data")
    config = f"the config topic {kafka_broker.address}/{topics.config}: it does not exist"
    storage = f"the storage topic {kafka_broker.address}/{topics.storage}: it does not exist"

    wait_until(lambda: storage in last(process)["storage"]["problem"], SOON_S, what="the missing storage topic is told")
    wait_until(lambda: config in last(process)["waits_for"], SOON_S, what="the missing config topic is told")
    assert {status["state"] for status in process.statuses()} == {"starting"}

    kafka_broker.create_topic(topics.config)
    wait_until(lambda: last(process)["state"] == "running", SOON_S, what="it reads the config topic")
    assert last(process)["waits_for"] == []
    assert storage in last(process)["storage"]["problem"], "it is not waited for, and not forgotten"

    process.order(UpdateType.ADD, [stream("FAKE:A", data, Protocol.FAKE)])
    trouble = {data: "it does not exist"}
    wait_until(
        lambda: last(process)["statistics"]["topics_in_trouble"] == trouble, SOON_S, what="the data topic is told"
    )

    kafka_broker.create_topic(topics.storage or "")
    wait_until(lambda: last(process)["storage"]["problem"] == "", SOON_S, what="the storage topic is used")
    assert consume(kafka_broker.address, topics.storage or "", 1), "the streams are there"
    kafka_broker.create_topic(data)
    consume(kafka_broker.address, data, 5, deadline_s=SOON_S)
    wait_until(lambda: last(process)["statistics"]["topics_in_trouble"] == {}, SOON_S, what="the data topic is used")
    assert "running" in {status["state"] for status in process.statuses()}


def test_while_the_storage_topic_cannot_be_read_the_status_says_so(
    kafka_broker: Broker, topics: Topics, launched: Callable[..., ForwarderProcess]
) -> None:
    """What was forwarded is not known then, so commands that would change it are not obeyed."""
    kafka_broker.create_topic(topics.config)
    nowhere = f"{LOOPBACK}:{free_port()}/storage"
    process = launched("--storage-topic", nowhere)
    told = f"the storage topic {nowhere}: broker "
    wait_until(lambda: any(told in each for each in last(process)["waits_for"]), SOON_S, what="it is told")
    assert last(process)["state"] == "starting"
    process.stop()
    assert last(process)["state"] == "stopped"
