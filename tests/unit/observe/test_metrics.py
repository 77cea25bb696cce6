"""The table of metrics: names as Prometheus wants them, told in the documents as they are, and what becomes of them."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from forwarder.observe.blocks import METRICS as BLOCKS
from forwarder.observe.blocks import MeasuredBlocks, SourceOf
from forwarder.observe.exposition import Metrics
from forwarder.observe.histogram import Histogram, Lags
from forwarder.observe.measured import ClusterOf, Condition, Measured, MessagesOf, PvsOf
from forwarder.observe.metric import Kind, Metric
from forwarder.observe.metrics import METRICS
from tests.support.prometheus import promtool

ALL: tuple[Metric[Any], ...] = (*METRICS, *BLOCKS)
"""Of the forwarder, and of the process beside an instrument."""

PAGE = Path(__file__).parents[3] / "docs/reference/metrics.md"

BOUNDED = {
    "version",
    "python",
    "protocol",
    "state",
    "cluster",
    "topic",
    "schema",
    "reason",
    "dialect",
    "result",
    "part",
    "source",
    "kind",
}
"""None of them has a value for each PV."""


def measured(histogram: Histogram | None = None) -> Measured:
    histogram = histogram or Histogram()
    messages = MessagesOf("output", "t", appended=10, restored=1, waiting=3, acknowledged={"f142": 6})
    messages.dropped = {"memory full": 2}
    return Measured(
        version="1.2.3",
        condition=Condition(
            busy=0.5,
            waiting=0.1,
            lag_s=0.01,
            overloaded=False,
            deaths={"sender": 0, "CA client": 2},
            stuck=("sender",),
            heartbeat_s=0.5,
            restored=True,
            stopping=False,
            last_command_at=1.7e9,
            spool_bytes=7,
            spool_problem="",
            storage_problem=None,
        ),
        streams=4,
        pvs=(PvsOf("ca", 10, {"connected": 3, "searching": 1}),),
        clients={
            "ca": Counter(search_datagrams=1, beacons=2, circuits=3, circuits_lost=4),
            "pva": Counter(lost_channels=5, full_queues=6, merged_updates=7),
        },
        updates=Counter(failed=1),
        messages=(messages,),
        clusters=(ClusterOf("output", 5, 1, 2, 1, 0),),
        outbox_limit_bytes=1000,
        spool_limit_bytes=None,
        lags=(histogram, histogram),
        commands={("fc00", "obeyed"): 3},
        streams_refused=0,
        config_topics={"b:1/c": True},
    )


def scraped(measured: Measured, accept: str = "") -> tuple[str, str]:
    body, content_type = Metrics(lambda _: measured, METRICS).exposition(accept)
    return body.decode(), content_type


def values(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text)
    samples = (sample for family in families for sample in family.samples)
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_name_says_the_kind_and_a_base_unit(metric: Metric[Any]) -> None:
    assert re.fullmatch(r"[a-z][a-z_]*[a-z]", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert not re.search(r"(_ms|_us|_ns|_milliseconds|_minutes|_kb|_mb|_percent|_s)(_total)?$", metric.name)
    assert (metric.kind is Kind.HISTOGRAM) == (metric.histogram is not None)
    assert metric.help.endswith(".")
    assert set(metric.labels) <= BOUNDED


def test_names_are_unique() -> None:
    assert len({metric.name for metric in ALL}) == len(ALL)


def test_what_is_measured_is_told() -> None:
    told = values(scraped(measured())[0])
    assert told["forwarder_pvs", (("protocol", "ca"), ("state", "connected"))] == 3
    assert told["forwarder_updates_received_total", (("protocol", "ca"),)] == 10
    place = (("cluster", "output"), ("topic", "t"))
    assert told["forwarder_messages_waiting", place] == 3
    assert told["forwarder_messages_dropped_total", (place[0], ("reason", "memory full"), place[1])] == 2
    assert told["forwarder_part_restarts_total", (("part", "CA client"),)] == 2
    assert told["forwarder_config_topic_reading", (("topic", "b:1/c"),)] == 1
    assert told["process_resident_memory_bytes", ()] > 1e6


def test_what_there_is_none_of_is_not_told() -> None:
    text, _ = scraped(measured())
    for name in ("spool_limit_bytes", "spool_working", "state_stored"):
        assert f"\nforwarder_{name} " not in text
        assert f"# HELP forwarder_{name} " in text


def test_prometheus_finds_no_fault_in_it_and_gets_the_format_that_it_asks_for() -> None:
    text, content_type = scraped(measured())
    assert content_type.startswith("text/plain; version=0.0.4")
    promtool("check", "metrics", text=text)
    open_metrics, content_type = scraped(measured(), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert open_metrics.endswith("# EOF\n")


def test_what_is_measured_beside_an_instrument_is_told() -> None:
    blocks = SourceOf("blocks", 3, changes=2, bad={"hex": 1}, reconnects=0, connected=True, age_s=1.5)
    archive = SourceOf("archive", 0, changes=0, bad={"rows": 0}, reconnects=0, connected=False, age_s=None)
    measured = MeasuredBlocks(
        version="1.2.3",
        sources=(blocks, archive),
        wanted=3,
        served=2,
        announced=4,
        held_back=0,
        unconfirmed={"add": 1},
        commands={("add", "sent"): 5},
        statuses=7,
        forwarder_alive=True,
        deaths={"status": 1},
        scrape_s=0.001,
    )
    text = Metrics(lambda _: measured, BLOCKS).exposition("")[0].decode()
    promtool("check", "metrics", text=text)
    told = values(text)
    assert told["forwarder_blocks_wanted_pvs", (("source", "blocks"),)] == 3
    assert told["forwarder_blocks_bad_values_total", (("reason", "hex"), ("source", "blocks"))] == 1
    assert told["forwarder_blocks_missing_streams", ()] == 1
    assert told["forwarder_blocks_commands_total", (("kind", "add"), ("result", "sent"))] == 5
    assert ("forwarder_blocks_last_good_value_age_seconds", (("source", "archive"),)) not in told
    text = Metrics(lambda _: replace(measured, served=None, forwarder_alive=None), BLOCKS).exposition("")[0].decode()
    assert "\nforwarder_blocks_missing_streams " not in text
    assert "\nforwarder_blocks_forwarder_running " not in text


def test_a_histogram_counts_all_up_to_each_bound() -> None:
    histogram = Histogram((0.1, 1.0))
    for value, count in ((0.05, 10), (0.1, 1), (0.5, 2), (7.0, 3)):
        histogram.observe(value, count)
    told = values(scraped(measured(histogram))[0])
    name = "forwarder_delivery_latency_seconds"
    buckets = {dict(labels)["le"]: value for (each, labels), value in told.items() if each == f"{name}_bucket"}
    assert buckets == {"0.1": 11, "1.0": 13, "+Inf": 16}
    assert told[f"{name}_count", ()] == 16
    assert told[f"{name}_sum", ()] == pytest.approx(22.6)


def test_a_beat_is_sampled_by_its_first_and_last_message() -> None:
    lags = Lags(wall_ns=lambda: 10_000_000_000)
    lags.came(7_500, 9_900, 5)
    lags.came(9_999, 9_999, 1)
    lags.came(20_000, 20_000, 1)
    by_bound = dict(zip((*lags.receive.bounds, float("inf")), lags.receive.counts, strict=True))
    assert {bound: count for bound, count in by_bound.items() if count} == {0.005: 2, 0.1: 3, 5.0: 2}
    assert lags.receive.sum == pytest.approx(0.1 * 3 + 2.5 * 2 + 0.001)


def rows() -> Iterator[str]:
    for metric in ALL:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.full_name}` | {metric.kind.value} | {labels} | {metric.help} |"


def test_the_page_of_metrics_is_the_table() -> None:
    table = [line for line in PAGE.read_text().splitlines() if line.startswith("| `forwarder_")]
    assert table == list(rows())
