"""The watchdog is fed while every loop of the service gets on, and only then."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from forwarder.leaving import Guard
from forwarder.service import Service
from forwarder.settings.load import load
from forwarder.settings.types import Settings
from tests.support.kafka import Broker
from tests.support.ports import LOOPBACK, free_port

Unique = Callable[[str], str]
PATIENCE_S = 0.5
PERIOD_S = 0.1
SOON_S = 20.0
LOOPS = {
    # The task, by how its name begins: the loop that is stuck then, by how that begins.
    "ticker": "ticker",
    "sending to": "sender",
    "metadata of": "sender, metadata",
    "spooling": "spooling",
    "spool": "spool",
    "storage": "storage",
    "start": "start",
    "watching": "config",
    "CA search": "CA client",
    "CA watch": "CA client",
    "PVA client": "PVA client",
    "FAKE client": "FAKE client",
    "repeats": "repeats",
    "status": "status",
    "statistics": "statistics",
}


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What the service manager hears; time runs ten to twenty times faster than in production."""
    monkeypatch.setattr("forwarder.heartbeat.PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr("forwarder.pulse._SLICE_S", 0.1)
    monkeypatch.setattr("forwarder.epics.ca.client._WATCH_S", 0.1)
    monkeypatch.setattr("forwarder.kafka.cluster._OPEN_TIMEOUT_S", 0.3)
    monkeypatch.setattr("forwarder.kafka.topic_requests.REQUEST_TIMEOUT_S", 0.3)
    monkeypatch.setattr("forwarder.kafka.config_topic._START_S", 0.5)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", str(int(PERIOD_S * 3 * 1e6)))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def fed(manager: socket.socket) -> int:
    """How often since it was asked last."""
    count = 0
    with suppress(BlockingIOError):
        while True:
            count += manager.recv(1000) == b"WATCHDOG=1"
    return count


def settings_for(broker: str, config: str, status: str, storage: str, directory: Path) -> Settings:
    flags = {
        "config-topic": [f"{broker}/{config}"],
        "status-topic": [f"{broker}/{status}"],
        "storage-topic": [f"{broker}/{storage}"],
        "output-broker": [broker],
        "state-directory": [str(directory)],
        "request-timeout": ["1000"],
        "fake-pv-period": ["100"],
        "pv-update-period": ["100000"],
        "status-interval": ["100000"],
        "statistics-update-interval": ["1000"],
        "stop-timeout": ["2"],
        "ca-auto-addr-list": ["no"],
        "pva-auto-addr-list": ["no"],
    }
    return load(flags, {})


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[Service]:
    guard = Guard()
    service = Service(settings, guard)
    running = asyncio.create_task(service.run(), name="the service")
    try:
        yield service
        assert not running.done()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(SOON_S):
            assert await running == 0
        guard.release()


async def until(predicate: Callable[[], object], what: str) -> None:
    give_up = asyncio.get_running_loop().time() + SOON_S
    while not predicate():
        assert asyncio.get_running_loop().time() < give_up, what
        await asyncio.sleep(0.02)


@asynccontextmanager
async def wedged(name: str) -> AsyncIterator[None]:
    """A task that is never woken again, whatever happens to what it waits for, until the end of the block."""
    (task,) = [task for task in asyncio.all_tasks() if f"{task.get_name()} ".startswith(f"{name} ")]
    awaited: Any = None
    while awaited is None or not awaited._callbacks:
        await asyncio.sleep(0)
        awaited = task._fut_waiter  # type: ignore[attr-defined]
    wakers = [callback for callback, _ in awaited._callbacks]
    for waker in wakers:
        awaited.remove_done_callback(waker)
    try:
        yield
    finally:
        for waker in wakers:
            awaited.add_done_callback(waker)


def test_the_watchdog_starves_as_soon_as_one_loop_is_wedged_and_is_fed_again_when_it_goes_on(
    kafka_broker: Broker, unique: Unique, tmp_path: Path, manager: socket.socket
) -> None:
    topics = [unique(name) for name in ("config", "status", "storage")]
    for topic in topics:
        kafka_broker.create_topic(topic)

    async def main() -> None:
        async with served(settings_for(kafka_broker.address, *topics, tmp_path)) as service:
            await until(lambda: all(reader.reading.is_set() for reader in service.readers), "it reads commands")
            for task, loop in LOOPS.items():
                async with wedged(task):
                    await until(lambda: service.condition().stuck, f"it is seen that {task} is wedged")
                    assert service.condition().stuck[0].startswith(loop), (task, service.condition().stuck)
                    # Who waits for the ticker is stuck with it.
                    assert len(service.condition().stuck) == (3 if task == "ticker" else 1), (
                        task,
                        service.condition().stuck,
                    )
                    fed(manager)
                    await asyncio.sleep(3 * PERIOD_S)
                    assert fed(manager) == 0, f"{task} is wedged"
                await until(lambda: not service.condition().stuck, f"{task} goes on")
                await until(lambda: fed(manager), f"the watchdog is fed after {task}")
            async with wedged("heartbeat"):
                fed(manager)
                await asyncio.sleep(3 * PERIOD_S)
                assert fed(manager) == 0
            await until(lambda: fed(manager), "the watchdog is fed again")

    asyncio.run(main())


def test_a_kafka_that_is_away_is_not_a_service_that_is_stuck(
    tmp_path: Path, manager: socket.socket, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    """One that takes connections and never answers, which is waited for longest."""
    monkeypatch.setattr("forwarder.kafka.storage_topic._LOOK_AGAIN_S", 0.1)

    async def main() -> None:
        async with served(settings_for(silent, "config", "status", "storage", tmp_path)) as service:
            await until(lambda: any("broker" in each for each in service.more()["waits_for"]), "Kafka is missed")
            stuck: list[str] = []
            food = -fed(manager)
            for _ in range(30):
                await asyncio.sleep(PERIOD_S)
                stuck += service.condition().stuck
                food += fed(manager)
            assert stuck == []
            assert food > 15

    asyncio.run(main())


@pytest.fixture
def silent() -> Iterator[str]:
    with socket.create_server((LOOPBACK, free_port())) as listening:
        yield f"{LOOPBACK}:{listening.getsockname()[1]}"
