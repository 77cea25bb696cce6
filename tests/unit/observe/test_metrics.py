"""What Prometheus is told."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import pytest
from prometheus_client.parser import text_string_to_metric_families

from forwarder.model import ConnectionState, Message, Transport
from forwarder.observe.http import Request
from forwarder.observe.load import Load
from forwarder.observe.metrics import Histogram, Latencies, Metrics, Sources


@dataclass
class FakeLane:
    """What became of the messages for one topic."""

    broker: str = ""
    topic: str = "topic"
    acknowledged_by_schema: Counter[str] = field(default_factory=Counter[str])
    dropped: Counter[str] = field(default_factory=Counter[str])
    restamped: int = 0
    restored: int = 0
    waiting_bytes: int = 0
    appended: int = 0
    waiting: int = 0
    on_disk: int = 0
    since: float | None = None

    def unsent_since(self) -> float | None:
        return self.since


@dataclass
class FakeRoute:
    transport: Transport
    state: ConnectionState | None


@dataclass
class FakeTimes:
    out_of_order: int = 1
    in_the_future: int = 2
    clamped: int = 3


@dataclass
class FakePipeline:
    """What became of the updates."""

    routes: list[FakeRoute] = field(default_factory=list[FakeRoute])
    times: FakeTimes = field(default_factory=FakeTimes)
    received: int = 10
    errors: int = 4
    type_changes: int = 5
    moves: int = 6
    stream_updates: int = 20

    def __iter__(self) -> Iterator[FakeRoute]:
        return iter(self.routes)

    def unsent(self) -> dict[str, int]:
        return {"refused by the schema": 2, "nothing to send": 3}

    def extra(self) -> dict[str, int]:
        return {"repeated": 7, "notice": 8}

    def refusals(self) -> list[str]:
        return ["one"]


@dataclass
class FakeCommands:
    obeyed: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    refused_streams: int = 0


@dataclass
class FakeClient:
    said: dict[str, int] = field(default_factory=dict[str, int])

    def counts(self) -> dict[str, int]:
        return self.said


@dataclass
class FakeSender:
    requests: int = 0
    troubles: dict[str, str] = field(default_factory=dict[str, str])

    def problems(self) -> dict[str, str]:
        return self.troubles


def sources(**changed: Any) -> Sources:
    """Those of a service that has done nothing yet, but for what is told."""
    usual: dict[str, Any] = {
        "version": "1.2.3",
        "service_id": "service-1",
        "lanes": list,
        "memory_limit_bytes": 1000,
        "pipeline": FakePipeline(),
        "streams": (),
        "commands": FakeCommands(),
        "command_at_s": lambda: 0.0,
        "config_topics": lambda: {"broker:9092/config": True},
        "clients": {Transport.CA: FakeClient(), Transport.PVA: FakeClient()},
        "senders": {"": FakeSender()},
        "latencies": {"": Latencies(lambda: 100.0)},
        "spool_bytes": lambda: 0,
        "spool_limit_bytes": 2000,
        "spool_works": lambda: True,
        "deaths": lambda: {"ticker": 0},
        "load": Load(lambda: 0.0, lambda: 0.0),
        "clock": lambda: 50.0,
    }
    return Sources(**usual | changed)


class Scrape:
    """One answer, as a reader of its format sees it."""

    def __init__(self, page: bytes) -> None:
        families = text_string_to_metric_families(page.decode())
        self.samples = [sample for family in families for sample in family.samples]

    @classmethod
    def of(cls, read: Sources) -> Self:
        return cls(Metrics(read).page())

    def value(self, name: str, **labels: str) -> float:
        """The one sample of this name, without our prefix, and exactly these labels."""
        found = [s.value for s in self.samples if s.name == f"forwarder_{name}" and s.labels == labels]
        assert len(found) == 1, f"{name} with {labels}: {[s for s in self.samples if s.name == f'forwarder_{name}']}"
        return found[0]

    def total(self, name: str) -> float:
        return sum(sample.value for sample in self.samples if sample.name == f"forwarder_{name}")


def test_pvs_are_counted_by_protocol_and_state_and_a_state_without_any_is_zero() -> None:
    routes = [
        FakeRoute(Transport.CA, ConnectionState.CONNECTED),
        FakeRoute(Transport.CA, ConnectionState.CONNECTED),
        FakeRoute(Transport.CA, None),
        FakeRoute(Transport.PVA, ConnectionState.NEVER_CONNECTED),
    ]
    scrape = Scrape.of(sources(pipeline=FakePipeline(routes)))
    assert scrape.value("pvs", protocol="ca", state="connected") == 2
    assert scrape.value("pvs", protocol="ca", state="searching") == 1
    assert scrape.value("pvs", protocol="pva", state="never_connected") == 1
    assert scrape.value("pvs", protocol="pva", state="disconnected") == 0
    assert scrape.total("pvs") == 4


def test_what_becomes_of_updates_and_messages_is_told_with_its_reasons() -> None:
    lane = FakeLane(
        acknowledged_by_schema=Counter(f142=30, ep00=2),
        dropped=Counter({"memory full": 5}),
        appended=40,
        waiting=3,
        waiting_bytes=600,
        on_disk=1,
        restored=4,
        restamped=9,
        since=20.0,
    )
    other = FakeLane(broker="other:9092", topic="topic", appended=7, waiting=7)
    scrape = Scrape.of(sources(lanes=lambda: [lane, other], drop_reasons=["memory full", "spool full"]))
    topic = {"broker": "default", "topic": "topic"}
    assert scrape.value("messages_appended_total", **topic) == 40
    assert scrape.value("messages_restored_total", **topic) == 4
    assert scrape.value("messages_restamped_total", **topic) == 9
    assert scrape.value("messages_acknowledged_total", **topic, schema="f142") == 30
    assert scrape.value("messages_acknowledged_total", **topic, schema="ep00") == 2
    assert scrape.value("messages_dropped_total", **topic, reason="memory full") == 5
    assert scrape.value("messages_dropped_total", **topic, reason="spool full") == 0
    assert scrape.value("messages_waiting", **topic) == 3
    assert scrape.value("messages_on_disk", **topic) == 1
    assert scrape.value("outbox_bytes", **topic) == 600
    assert scrape.value("oldest_unsent_seconds", **topic) == 30.0
    assert scrape.value("oldest_unsent_seconds", broker="other:9092", topic="topic") == 0.0
    assert scrape.value("messages_waiting", broker="other:9092", topic="topic") == 7
    assert scrape.value("updates_received_total") == 10
    assert scrape.value("stream_updates_total") == 20
    assert scrape.value("stream_updates_unsent_total", reason="refused by the schema") == 2
    assert scrape.value("messages_extra_total", kind="repeated") == 7
    assert scrape.value("updates_out_of_order_total") == 1


def test_commands_are_counted_by_dialect_and_result_and_have_a_time_once_there_was_one() -> None:
    commands = FakeCommands(Counter(fc00=3), Counter(unknown=1), refused_streams=2)
    scrape = Scrape.of(sources(commands=commands))
    assert scrape.value("commands_total", dialect="fc00", result="obeyed") == 3
    assert scrape.value("commands_total", dialect="fc00", result="refused") == 0
    assert scrape.value("commands_total", dialect="unknown", result="refused") == 1
    assert scrape.value("streams_refused_total") == 2
    assert not scrape.total("last_command_timestamp_seconds")
    scrape = Scrape.of(sources(command_at_s=lambda: 1.7e9))
    assert scrape.value("last_command_timestamp_seconds") == 1.7e9
    assert scrape.value("config_topic_reading", topic="broker:9092/config") == 1


def test_the_rest_of_the_service_is_told_too() -> None:
    clients = {
        Transport.CA: FakeClient({"circuits": 3, "circuits_lost": 2, "something_new": 1}),
        Transport.PVA: FakeClient({"updates": 8}),
    }
    read = sources(
        clients=clients,
        senders={"": FakeSender(5, {"gone": "it does not exist"})},
        deaths=lambda: {"ticker": 1, "status": 0},
        spool_bytes=lambda: 77,
    )
    read.load.busy, read.load.lag_s, read.load.overloaded = 0.5, 0.25, True
    scrape = Scrape.of(read)
    assert scrape.value("client_circuits", protocol="ca") == 3
    assert scrape.value("client_circuits_lost_total", protocol="ca") == 2
    assert scrape.value("client_updates_total", protocol="pva") == 8
    assert scrape.value("produce_requests_total", broker="default") == 5
    assert scrape.value("topics_in_trouble", broker="default") == 1
    assert scrape.value("parts_started_again_total", part="ticker") == 1
    assert scrape.value("parts_started_again_total", part="status") == 0
    assert scrape.value("spool_bytes") == 77
    assert scrape.value("loop_busy_ratio") == 0.5
    assert scrape.value("loop_lag_seconds") == 0.25
    assert scrape.value("overloaded") == 1
    build = next(sample for sample in scrape.samples if sample.name == "forwarder_build_info")
    assert (build.labels["version"], build.labels["service_id"], build.value) == ("1.2.3", "service-1", 1)
    assert any(sample.name == "process_cpu_seconds_total" for sample in scrape.samples)


def test_topics_beyond_a_number_are_told_as_one_so_that_the_answer_has_an_end() -> None:
    lanes = [FakeLane(topic=f"topic{number}", appended=1, since=float(number % 50)) for number in range(1000)]
    scrape = Scrape.of(sources(lanes=lambda: lanes))
    appended = {s.labels["topic"]: s.value for s in scrape.samples if s.name == "forwarder_messages_appended_total"}
    assert len(appended) == 501
    assert appended["topic499"] == 1
    assert appended["others"] == 500
    assert scrape.value("oldest_unsent_seconds", broker="others", topic="others") == 50.0


@pytest.mark.parametrize(
    ("amounts", "counts"),
    [
        ([], [0, 0, 0]),
        ([0.0, 1.0], [2, 0, 0]),
        ([1.1, 2.0, 2.1], [0, 2, 1]),
        ([float("inf")], [0, 0, 1]),
        ([-5.0], [1, 0, 0]),
    ],
)
def test_an_amount_is_in_the_first_bucket_whose_bound_it_does_not_exceed(
    amounts: list[float], counts: list[int]
) -> None:
    histogram = Histogram((1.0, 2.0))
    for amount in amounts:
        histogram.observe(amount)
    assert histogram.counts == counts
    assert histogram.total == sum(max(amount, 0.0) for amount in amounts)
    below = [count for _, count in histogram.buckets()]
    assert below == [counts[0], counts[0] + counts[1], len(amounts)]


def test_latencies_weigh_a_batch_by_its_messages() -> None:
    latencies = Latencies(lambda: 100.0)
    messages: list[Message] = [(b"PV", b"", 1_000), (b"PV", b"", 99_980)]
    latencies.taken(messages)
    latencies.taken([])
    latencies.landed(40, 0.2)
    scrape = Scrape.of(sources(latencies={"": latencies}))
    assert scrape.value("receive_lag_seconds_count", broker="default") == 2
    assert scrape.value("receive_lag_seconds_sum", broker="default") == pytest.approx(0.04)
    assert scrape.value("receive_lag_seconds_bucket", broker="default", le="0.025") == 2
    assert scrape.value("delivery_seconds_bucket", broker="default", le="0.1") == 0
    assert scrape.value("delivery_seconds_bucket", broker="default", le="0.25") == 40
    assert scrape.value("delivery_seconds_bucket", broker="default", le="+Inf") == 40


def test_the_page_is_at_its_usual_path_and_what_prometheus_says_of_it_is_nothing() -> None:
    lane = FakeLane(acknowledged_by_schema=Counter(f142=1), dropped=Counter({'odd "reason"\n': 1}))
    clients = {Transport.CA: FakeClient({"updates": 1, "searching": 2}), Transport.PVA: FakeClient()}
    endpoint = Metrics(sources(lanes=lambda: [lane], command_at_s=lambda: 1.0, clients=clients)).endpoint()
    assert endpoint.path == "/metrics"
    answer = asyncio.run(endpoint.answer(Request("/metrics", {}, {})))
    assert (answer.status, answer.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert isinstance(answer.body, bytes)
    checked = subprocess.run(["promtool", "check", "metrics"], input=answer.body, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
