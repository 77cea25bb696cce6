"""Grafana's dashboard: whether its queries parse, and ask for what there is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forwarder.observe import blocks, metrics
from forwarder.observe.metric import Kind
from tests.deploy.promql import names_in
from tests.support.prometheus import promtool

DASHBOARD: dict[str, Any] = json.loads((Path(__file__).parents[2] / "deploy/grafana/forwarder.json").read_text())
METRICS = (*metrics.METRICS, *blocks.METRICS)
PROCESS = {
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> Iterator[str]:
    return (target["expr"] for panel in panels() for target in panel["targets"])


def test_every_query_parses(tmp_path: Path) -> None:
    values = {"$__rate_interval": "1m", "$instance": ".*", "$blocks": ".*"}
    expressions = [re.sub(r"\$\w+", lambda found: values[found[0]], query) for query in queries()]
    assert len(expressions) > 30
    rules = [{"record": f"q:{number}", "expr": expression} for number, expression in enumerate(expressions)]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


def test_every_query_asks_for_metrics_that_exist() -> None:
    there = {metric.full_name for metric in METRICS} | PROCESS
    asked = set[str]().union(*map(names_in, queries()))
    assert asked <= there
    # Who looks at the dashboard misses nothing that is measured.
    assert (
        not {metric.full_name for metric in METRICS}
        - asked
        - {
            "forwarder_values_introduced_total",
            "forwarder_values_repeated_total",
            "forwarder_messages_appended_total",
            "forwarder_messages_restored_total",
            "forwarder_messages_restamped_total",
            "forwarder_ca_beacons_total",
            "forwarder_event_loop_waiting_ratio",
        }
    )


def test_a_query_asks_the_job_that_has_the_metric() -> None:
    variables = {"forwarder": "instance", "forwarder-blocks": "blocks"}
    tables = {"forwarder": metrics.METRICS, "forwarder-blocks": blocks.METRICS}
    for query in queries():
        asked = dict(re.findall(r'\{job="([^"]+)", instance=~"\$(\w+)"', query))
        assert asked.items() <= variables.items(), query
        for job, table in tables.items():
            if names_in(query) & {metric.full_name for metric in table}:
                assert set(asked) == {job}, query


def test_counters_are_never_shown_as_they_are() -> None:
    counters = {metric.full_name for metric in METRICS if metric.kind is Kind.COUNTER}
    for query in queries():
        if names_in(query) & counters:
            assert "rate(" in query or "increase(" in query, query


def test_panels_do_not_overlap_and_have_names_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
