"""A running service as those see it who watch it: Prometheus and probes, while everything around it is real."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError

import pytest
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, serialise_fc00

from forwarder.leaving import EXIT_LOST, Guard
from forwarder.observe import health
from forwarder.service import Service as Forwarder
from forwarder.settings.load import load
from forwarder.settings.types import Settings
from tests.integration.service.rig import stream
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.http import Answer, ask
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import spawn
from tests.support.prometheus import Prometheus, promtool
from tests.support.scrape import Scrape
from tests.support.waiting import wait_until

ALERTS = Path(__file__).parents[3] / "deploy/prometheus/alerts.yml"
PVS = 200
DATABASE = "\n".join(
    f'record(calc, "WATCH:{number}") {{ field(SCAN, ".1 second") field(CALC, "VAL+1") field(EGU, "K") }}'
    for number in range(PVS)
)
PATIENCE_S = 30.0
LOAD_S = 2.5


class Watched:
    """A forwarder that serves HTTP, and the topics its streams go to: each PV to both, in two schemas."""

    def __init__(self, process: ForwarderProcess, port: int, topics: tuple[str, str]) -> None:
        self.process = process
        self.address = f"{LOOPBACK}:{port}"
        self.topics = topics

    def ask(self, path: str) -> Answer:
        return ask(f"http://{self.address}{path}")

    def scrape(self) -> Scrape:
        return Scrape(self.ask("/metrics").text)

    def scrape_when(self, predicate: Callable[[Scrape], bool], what: str) -> Scrape:
        def scrape() -> Scrape | None:
            found = self.scrape()
            return found if predicate(found) else None

        found = wait_until(scrape, PATIENCE_S, what=what)
        assert found is not None
        return found

    def streams(self, first: int, last: int) -> list[StreamInfo]:
        f142, f144 = self.topics
        return [
            stream(f"WATCH:{number}", topic, schema=schema)
            for number in range(first, last)
            for topic, schema in ((f142, "f142"), (f144, "f144"))
        ]


@pytest.fixture(scope="module")
def loaded_ioc() -> Iterator[EpicsIoc]:
    with EpicsIoc(DATABASE) as ioc:
        yield ioc


@pytest.fixture(scope="module")
def watched(kafka_broker: Broker, loaded_ioc: EpicsIoc) -> Iterator[Watched]:
    topics = Topics("watched_config", "watched_status", "watched_storage")
    data = ("watched_f142", "watched_f144")
    for topic in (topics.config, topics.status, topics.storage or "", *data):
        kafka_broker.create_topic(topic)
    port = free_port()
    process = ForwarderProcess(
        kafka_broker.address, topics, ca_addresses=[loaded_ioc.ca_address], flags=["--http", str(port)]
    )
    with process:
        yield Watched(process, port, data)


def test_the_equation_holds_in_every_scrape_while_streams_come_and_go(watched: Watched) -> None:
    watched.process.order(UpdateType.ADD, watched.streams(0, PVS))
    watched.scrape_when(lambda s: s.total("pvs", state="connected") == PVS, "all PVs are connected")
    end = time.monotonic() + LOAD_S
    scrapes: list[Scrape] = []
    for turn in range(1000):
        if time.monotonic() > end:
            break
        change = UpdateType.REMOVE if turn % 2 else UpdateType.ADD
        watched.process.order(change, watched.streams(0, PVS // 2))
        scrapes += [watched.scrape() for _ in range(5)]
    assert len(scrapes) > 20
    assert any(scrape.total("messages_waiting") for scrape in scrapes), "something was on its way"
    for scrape in scrapes:
        received = scrape.total("updates_received_total", protocol="ca")
        for topic, schema in zip(watched.topics, ("f142", "f144"), strict=True):
            assert scrape.came(topic) == scrape.known(topic)
            # Each update is one message in each topic; what else was made of the PVs comes on top.
            assert received <= scrape.total("messages_appended_total", topic=topic)
            sent = scrape.total("messages_acknowledged_total", topic=topic, schema=schema)
            assert sent <= received <= sent + scrape.total("messages_waiting", topic=topic)
    assert scrapes[-1].total("updates_received_total") > scrapes[0].total("updates_received_total")

    watched.process.order(UpdateType.REMOVEALL)
    settled = watched.scrape_when(lambda s: not s.total("streams") and not s.total("messages_waiting"), "all is sent")
    received = settled.total("updates_received_total", protocol="ca")
    assert received > PVS * LOAD_S
    for name in ("refused_total", "failed_total", "dropped_total"):
        assert settled.total(f"updates_{name}") == 0
    events = {"f142": ("ep00",), "f144": ("ep01", "al00", "un00")}
    for topic, schema in zip(watched.topics, ("f142", "f144"), strict=True):
        sent = {
            each: settled.total("messages_acknowledged_total", topic=topic, schema=each)
            for each in (schema, *events[schema])
        }
        assert sent[schema] == received
        assert sum(sent.values()) == settled.total("messages_appended_total", topic=topic)
        assert all(count >= PVS for count in sent.values())


def test_prometheus_counts_what_was_received(watched: Watched) -> None:
    with Prometheus(watched.address, rules=ALERTS) as prometheus:
        watched.process.order(UpdateType.ADD, watched.streams(0, PVS))
        connected = 'sum(forwarder_pvs{job="forwarder", protocol="ca", state="connected"})'
        wait_until(lambda: prometheus.value(connected) == PVS, PATIENCE_S, what="Prometheus sees all PVs")
        watched.process.order(UpdateType.REMOVEALL)
        settled = watched.scrape_when(
            lambda s: not s.total("streams") and not s.total("messages_waiting"), "all is sent"
        )
        received = settled.total("updates_received_total")
        assert received > PVS
        wait_until(
            lambda: prometheus.value("sum(forwarder_updates_received_total)") == received,
            PATIENCE_S,
            what=f"Prometheus has counted {received:.0f} updates",
        )
        account = "sum(forwarder_messages_appended_total) - sum(forwarder_messages_acknowledged_total)"
        wait_until(lambda: prometheus.value(account) == 0, PATIENCE_S, what="Prometheus has all acknowledgements")
        assert prometheus.value("up") == 1
        wait_until(lambda: not prometheus.alerts(), PATIENCE_S, what="no alert is left from before the first scrape")


def test_a_scrape_is_as_prometheus_wants_it_and_keeps_the_loop_but_shortly(watched: Watched) -> None:
    promtool("check", "metrics", text=watched.ask("/metrics").text)
    best = min(watched.scrape().total("scrape_seconds") for _ in range(10))
    assert 0 < best < 0.02


def test_a_process_that_hangs_does_not_answer_its_probe(watched: Watched) -> None:
    assert watched.ask("/live").json == {"live": True, "checks": {"parts": "ok", "heartbeat": "ok"}}
    watched.process.freeze()
    try:
        with pytest.raises(TimeoutError):
            ask(f"http://{watched.address}/live", timeout_s=0.5)
    finally:
        watched.process.thaw()
    assert wait_until(lambda: watched.ask("/live").status == 200, PATIENCE_S)


def test_a_port_that_is_taken_is_one_line_and_exit_code_2(watched: Watched, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "forwarder", "run", "--http", watched.address, "--state-directory", str(tmp_path)]
    with spawn("second forwarder", command) as second:
        assert second.wait(PATIENCE_S) == 2
        (line,) = [line for line in second.log().splitlines() if "cannot listen" in line]
    assert line.startswith(f"forwarder: http: cannot listen at {watched.address}: Address already in use; allowed: ")
    assert watched.ask("/live").status == 200


@pytest.fixture
def broker_of_its_own() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


def settings_for(broker: Broker, state: Path) -> Settings:
    flags = {
        "config-topic": [f"{broker.address}/config"],
        "status-topic": [f"{broker.address}/status"],
        "storage-topic": [f"{broker.address}/storage"],
        "state-directory": [str(state)],
        "http": [str(free_port())],
        "request-timeout": ["2000"],
        "stop-timeout": ["1"],
        "fake-pv-period": ["50"],
        "ca-auto-addr-list": ["no"],
        "pva-auto-addr-list": ["no"],
    }
    return load(flags, {})


class Probes:
    """What `/live` and `/ready` say."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def asked(self, path: str, method: str = "GET") -> Answer:
        return await asyncio.to_thread(ask, f"http://{self._address}{path}", method=method)

    async def until(self, path: str, status: int) -> dict[str, str]:
        """The checks, as soon as it answers with this status."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(URLError):
                    if (answer := await self.asked(path)).status == status:
                        return answer.json["checks"]
                await asyncio.sleep(0.05)


def serving(settings: Settings, test: Callable[[Forwarder, Probes], Awaitable[None]]) -> None:
    """Test a service in this process."""

    async def main() -> None:
        guard = Guard()
        service = Forwarder(settings, guard)
        assert settings.http is not None
        running = asyncio.create_task(service.run(), name="service")
        try:
            await test(service, Probes(f"{settings.http.host}:{settings.http.port}"))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(PATIENCE_S):
                assert await running in (0, EXIT_LOST)
            guard.release()

    asyncio.run(main())


def test_probes_of_a_service_whose_broker_hangs_and_whose_part_is_stuck(
    broker_of_its_own: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = broker_of_its_own
    monkeypatch.setattr(health, "PROGRESS_S", 1.5)
    monkeypatch.setattr("forwarder.heartbeat.PATIENCE_S", 3.0)
    broker.freeze()

    async def test(service: Forwarder, probes: Probes) -> None:
        # Nothing is read yet: it may live, and is not ready.
        await probes.until("/live", 200)
        checks = await probes.until("/ready", 503)
        assert checks == {
            "service": "ok",
            "state": "the stored state is not read yet",
            "config": f"not read: {broker.address}/config",
            "kafka": "ok",
        }
        broker.thaw()
        for topic in ("config", "status", "storage", "data"):
            broker.create_topic(topic)
        await probes.until("/ready", 200)
        # However long it is that a cluster was given nothing.
        with monkeypatch.context() as impatient:
            impatient.setattr(health, "PROGRESS_S", 0.0)
            assert (await probes.asked("/ready")).status == 200

        service.control.receive(
            serialise_fc00(UpdateType.ADD, [stream("FAKE:1", "data", Protocol.FAKE), stream("NOT:THERE", "data")]),  # pyright: ignore[reportArgumentType]
            "test",
        )
        lane = service.outbox.lane("", "data")
        async with asyncio.timeout(PATIENCE_S):
            while lane.acknowledged < 5:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        # A PV that is not there is not the service's fault.
        assert (await probes.asked("/ready")).status == 200

        broker.freeze()
        checks = await probes.until("/ready", 503)
        assert checks["kafka"].startswith("output acknowledged nothing for 2 s, and ")
        assert (await probes.asked("/live")).status == 200
        head = await probes.asked("/ready", "HEAD")
        assert (head.status, head.text) == (503, "")
        broker.thaw()
        await probes.until("/ready", 200)

        async def never() -> None:
            await asyncio.get_running_loop().create_future()

        sender = service.senders[""]
        monkeypatch.setattr(sender, "_tick_comes", never)
        checks = await probes.until("/live", 503)
        assert checks["parts"] == "stuck: sender"

    try:
        serving(settings_for(broker, tmp_path), test)
    finally:
        broker.thaw()
