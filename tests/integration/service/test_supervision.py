"""Whatever dies in the running service is started again, and forwarding goes on."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka import Producer
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import serialise_fc00

from forwarder.leaving import Guard
from forwarder.service import Service
from forwarder.settings.load import load
from forwarder.settings.types import Settings
from tests.integration.service.rig import data, stream
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

Unique = Callable[[str], str]
PATIENCE_S = 20.0
LONG_S = 40.0


@pytest.fixture
def topics(kafka_broker: Broker, unique: Unique) -> Topics:
    topics = Topics(unique("config"), unique("status"), unique("storage"))
    for topic in (topics.config, topics.status, topics.storage or ""):
        kafka_broker.create_topic(topic)
    return topics


@pytest.fixture
def settings(kafka_broker: Broker, topics: Topics, tmp_path: Path) -> Settings:
    flags = {
        "config-topic": [f"{kafka_broker.address}/{topics.config}"],
        "status-topic": [f"{kafka_broker.address}/{topics.status}"],
        "storage-topic": [f"{kafka_broker.address}/{topics.storage}"],
        "state-directory": [str(tmp_path)],
        "fake-pv-period": ["20"],
        "status-interval": ["200"],
        "pv-update-period": ["1000"],
        "statistics-update-interval": ["1"],
        "ca-auto-addr-list": ["no"],
        "ca-name-servers": ["127.0.0.1:1"],
        "pva-auto-addr-list": ["no"],
    }
    return load(flags, {})


async def until(predicate: Callable[[], object], what: str) -> None:
    async with asyncio.timeout(LONG_S):
        while not predicate():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert predicate(), what


def background_tasks() -> dict[str, list[asyncio.Task[object]]]:
    """All that run for ever, by name: those of the service, and those of aiokafka that bring commands."""
    tasks: dict[str, list[asyncio.Task[object]]] = {}
    for task in asyncio.all_tasks():
        name = task.get_name()
        if name.startswith("Task-"):
            name = getattr(task.get_coro(), "__qualname__", "")
            if name != "Fetcher._fetch_requests_routine":
                continue
        elif name.startswith(("keep ", "stop")):
            continue
        tasks.setdefault(name, []).append(task)
    return tasks


def test_each_task_in_the_background_can_die(
    kafka_broker: Broker, topics: Topics, topic: str, settings: Settings
) -> None:
    """One after the other is cancelled; after each, commands are obeyed and values arrive in Kafka."""

    def order(*names: str) -> None:
        producer = Producer({"bootstrap.servers": kafka_broker.address})
        streams = [stream(f"FAKE:{name}", topic, Protocol.FAKE) for name in names]
        producer.produce(topics.config, serialise_fc00(UpdateType.ADD, streams))
        assert producer.flush(10) == 0

    async def main() -> list[str]:
        guard = Guard()
        service = Service(settings, guard)
        running = asyncio.create_task(service.run(), name="stop me")
        killed: list[str] = []
        try:
            await until(lambda: all(reader.reading.is_set() for reader in service.readers), "it reads commands")
            lane = service.outbox.lane("", topic)
            for number, name in enumerate(sorted(background_tasks())):
                # Its part may have died with the one before, and rests a while before it is started again.
                await until(lambda name=name: name in background_tasks(), f"{name} runs")
                for task in background_tasks()[name]:
                    task.cancel()
                    killed.append(name)
                before = len(service.control.table)
                await asyncio.to_thread(order, str(number))
                await until(lambda before=before: len(service.control.table) > before, f"obeys after {name} died")
                acknowledged = lane.acknowledged
                await until(lambda sent=acknowledged: lane.acknowledged > sent + 2, f"sends after {name} died")
                assert not running.done()
            assert service.more()["parts_started_again"]
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(PATIENCE_S):
                assert await running == 0
            guard.release()
        return killed

    killed = asyncio.run(main())
    assert len(killed) >= 10, killed
    for kind in (
        "ticker",
        "sender",
        "spooling",
        "storage",
        "heartbeat",
        "start",
        "config",
        "status",
        "CA search",
        "PVA",
    ):
        assert any(kind in name for name in killed), kind
    found = data(kafka_broker, topic)
    assert len(found.values) == len({(r.pv, r.time_ns) for r in found.readings}), "each once"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def said(manager: socket.socket) -> list[bytes]:
    messages: list[bytes] = []
    with suppress(BlockingIOError):
        while True:
            messages.append(manager.recv(1000))
    return messages


def test_systemd_hears_that_it_is_ready_alive_as_long_as_it_is_and_stopping(
    kafka_broker: Broker, topics: Topics, manager: socket.socket, tmp_path: Path
) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
    with ForwarderProcess(kafka_broker.address, topics, environment=environment) as process:
        first = said(manager)
        assert first[0] == b"READY=1"
        assert b"WATCHDOG=1" in first
        wait_until(lambda: b"WATCHDOG=1" in said(manager), 5, what="it goes on to be fed")
        process.freeze()
        said(manager)
        with pytest.raises(TimeoutError):
            wait_until(lambda: said(manager), 1.5)
        process.thaw()
        wait_until(lambda: b"WATCHDOG=1" in said(manager), 5, what="it is fed again")
        process.stop()
        assert b"STOPPING=1" in said(manager)
