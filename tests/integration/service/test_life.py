"""How the service starts and ends."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.status_x5f2 import deserialise_x5f2

from forwarder.demo.child import Child
from tests.integration.service.rig import data, stream
from tests.support.consume import Record, consume
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

Unique = Callable[[str], str]


@pytest.fixture
def topics(kafka_broker: Broker, unique: Unique) -> Topics:
    topics = Topics(unique("config"), unique("status"))
    for topic in (topics.config, topics.status):
        kafka_broker.create_topic(topic)
    return topics


@pytest.fixture
def unstarted_broker() -> Iterator[Broker]:
    """One that nobody has started yet."""
    broker = Broker()
    yield broker
    if broker._child is not None:
        broker.close()


def streams_file(folder: Path, topic: str, *channels: str, provider: str = "ca") -> Path:
    converter = {"schema": "f142", "topic": topic}
    file = folder / "streams.json"
    streams = [{"channel": each, "channel_provider_type": provider, "converter": converter} for each in channels]
    file.write_text(json.dumps({"streams": streams}))
    return file


def last_status(process: ForwarderProcess) -> dict[str, Any]:
    return process.statuses()[-1]


def test_it_runs_on_plain_asyncio_starts_with_a_file_of_streams_and_ends_on_exit(
    kafka_broker: Broker, ioc: EpicsIoc, topics: Topics, topic: str, tmp_path: Path
) -> None:
    flags = [
        "--obey-exit",
        "yes",
        "--event-loop",
        "asyncio",
        "--streams-json",
        str(streams_file(tmp_path, topic, "SVC:COUNT", "SVC:A1")),
    ]
    with ForwarderProcess(kafka_broker.address, topics, ca_addresses=[ioc.ca_address], flags=flags) as process:
        first = next(status for status in process.statuses() if status["state"] == "running")
        assert sorted(s["channel_name"] for s in first["streams"]) == ["SVC:A1", "SVC:COUNT"]
        data(kafka_broker, topic, lambda d: len(d.values) > 15)
        process.order(UpdateType.REMOVE, [stream("SVC:A1", topic)])
        process.order_raw(b'{"cmd": "exit"}')
        assert process.child.wait(20) == 0
        assert last_status(process)["state"] == "stopped"
        assert [s["channel_name"] for s in last_status(process)["streams"]] == ["SVC:COUNT"]
    counts = [r.value for r in data(kafka_broker, topic).readings if r.pv == "SVC:COUNT"]
    assert counts == [counts[0] + number for number in range(len(counts))]
    assert "Traceback" not in process.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_it_has_counted_is_in_kafka_when_it_was_told_to_stop(
    kafka_broker: Broker, topics: Topics, topic: str, number: signal.Signals
) -> None:
    flags = ["--fake-pv-period", "2", "--linger", "300"]
    with ForwarderProcess(kafka_broker.address, topics, flags=flags) as process:
        process.order(UpdateType.ADD, [stream(f"FAKE:{i}", topic, Protocol.FAKE) for i in range(20)])
        data(kafka_broker, topic, lambda d: len(d.records) > 500)
        process.child.send(number)
        assert process.child.wait(20) == 0
        status = last_status(process)
    statistics = status["statistics"]
    assert status["state"] == "stopped"
    assert statistics["messages_waiting"] == statistics["messages_dropped"] == 0
    assert statistics["messages_appended"] == statistics["messages_acknowledged"]
    assert statistics["messages_by_schema"] == {"ep00": 20, "f142": statistics["updates_received"]}
    found = data(kafka_broker, topic)
    assert len(found.records) == statistics["messages_acknowledged"]
    assert len(found.readings) == statistics["updates_received"]
    assert "Traceback" not in process.log


@pytest.fixture
def stuck(unstarted_broker: Broker, ioc: EpicsIoc, tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Starts a forwarder that holds the two messages of a PV, for which there is no Kafka."""
    started: list[Child] = []

    def start(*flags: str, await_messages: bool = True) -> Child:
        process = ForwarderProcess(
            unstarted_broker.address,
            Topics("config", "status"),
            ca_addresses=[ioc.ca_address],
            flags=[
                *("--streams-json", str(streams_file(tmp_path, "data", "SVC:STATIC"))),
                *("--statistics-update-interval", "0.1"),
                *flags,
            ],
        )
        started.append(process._launch())
        if await_messages:
            wait_until(
                lambda: "'messages_waiting': 2" in started[-1].log() or "are sent first" in started[-1].log(), 30
            )
        return started[-1]

    yield start
    for child in started:
        child.kill()


def test_a_second_signal_ends_it_at_once(stuck: Callable[..., Child]) -> None:
    child = stuck("--stop-timeout", "60")
    child.send(signal.SIGTERM)
    wait_until(lambda: "stopping: 2 messages" in child.log(), 10)
    assert child.exit_code is None
    child.send(signal.SIGTERM)
    assert child.wait(10) == 1
    assert "told to stop a second time" in child.log()


def test_what_cannot_be_sent_in_time_is_told_and_changes_the_exit_code(stuck: Callable[..., Child]) -> None:
    child = stuck("--stop-timeout", "1", "--spool-directory", "none")
    child.send(signal.SIGTERM)
    assert child.wait(20) == 3
    assert "2 messages could neither be sent nor kept within 1 s and are lost" in child.log()


def test_what_cannot_be_sent_in_time_is_kept_and_sent_by_the_next_start(
    unstarted_broker: Broker, stuck: Callable[..., Child], tmp_path: Path
) -> None:
    directory = ("--spool-directory", str(tmp_path / "spool"))
    child = stuck("--stop-timeout", "1", *directory)
    child.send(signal.SIGTERM)
    assert child.wait(20) == 0
    assert "2 messages are kept in the spool for the next start" in child.log()
    broker = unstarted_broker
    broker.start()
    for topic in ("config", "status", "data"):
        broker.create_topic(topic)
    child = stuck(*directory, "--never-connected-after", "1000")
    assert "2 messages of an earlier run are in the spool and are sent first" in child.log()
    found = data(broker, "data", lambda d: len(d.values) == 2)
    assert (found.events, found.values) == (["CONNECTED"] * 2, [5.0, 5.0])
    assert found.readings[0] == found.readings[1], "once by each run"


def test_a_second_process_on_the_same_spool_is_refused(stuck: Callable[..., Child], tmp_path: Path) -> None:
    directory = ("--spool-directory", str(tmp_path / "spool"))
    stuck(*directory)
    second = stuck(*directory, await_messages=False)
    assert second.wait(20) == 2
    assert "spool-directory: " in second.log()
    assert "in use" in second.log()


def test_it_starts_before_kafka_and_before_its_topics(
    unstarted_broker: Broker, stuck: Callable[..., Child], ioc: EpicsIoc, tmp_path: Path
) -> None:
    broker = unstarted_broker
    child = stuck("--obey-exit", "yes")
    ioc.put("SVC:STATIC", 6)
    ioc.put("SVC:STATIC", 5)
    wait_until(lambda: "is away" in child.log(), 20)
    broker.start()
    for what in ("waiting for the config topic", "topic data", "topic status"):
        wait_until(lambda what=what: told(child, what, "it does not exist"), 30, what=what)
        name = {"waiting for the config topic": "config"}.get(what) or what.split()[-1]
        broker.create_topic(name)
    found = data(broker, "data", lambda d: len(d.values) == 3)
    assert (found.events, found.values) == (["CONNECTED"], [5.0, 6.0, 5.0])
    consume(broker.address, "status", lambda found: any(state(each) == "running" for each in found))
    # Whoever sees that is obeyed.
    producer = Producer({"bootstrap.servers": broker.address})
    producer.produce("config", b'{"cmd": "exit"}')
    assert producer.flush(10) == 0
    assert child.wait(20) == 0
    for what in ("waiting for the config topic", "topic data", "topic status"):
        assert len(told(child, what, "it does not exist")) == 1
        assert len(told(child, what, "over after")) == 1
    assert "Traceback" not in child.log()


def state(status: Record) -> str:
    return json.loads(deserialise_x5f2(status.value).status_json)["state"]


def told(child: Child, what: str, reason: str) -> list[str]:
    return [line for line in child.log().splitlines() if what in line and reason in line]
