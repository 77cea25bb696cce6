"""The alerts and the example of a scrape configuration: whether Prometheus takes them and they say what they should."""

import re
from pathlib import Path

import pytest

from forwarder.observe import blocks, metrics
from tests.deploy.promql import names_in
from tests.support.prometheus import promtool

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
TESTS = Path(__file__).with_name("alerts_test.yml")
THERE = {metric.full_name for metric in (*metrics.METRICS, *blocks.METRICS)}


def test_prometheus_takes_the_rules_and_the_example() -> None:
    promtool("check", "rules", str(ALERTS))
    promtool("check", "config", str(ROOT / "deploy/prometheus/prometheus.yml"))


def test_every_alert_fires_when_it_should_and_only_then() -> None:
    promtool("test", "rules", str(TESTS))
    fires = set(re.findall(r"labels: 'ALERTS\{alertname=\"(\w+)\"", TESTS.read_text()))
    assert fires == set(alerts())


def alerts() -> dict[str, str]:
    """The text of each alert, by name."""
    name, *rest = re.split(r"^      - alert: (\w+)$", ALERTS.read_text(), flags=re.MULTILINE)
    del name
    return dict(zip(rest[::2], rest[1::2], strict=True))


def test_every_alert_tells_the_person_on_call_what_is_and_what_to_do() -> None:
    assert len(alerts()) >= 10
    for name, text in alerts().items():
        assert re.search(r"severity: (critical|warning)", text), name
        summary = re.search(r'^          summary: "(.{20,})"$', text, re.MULTILINE)
        assert summary, name
        description = text.partition("description: >-")[2]
        assert len(description.split()) >= 20, name


def test_alerts_name_only_metrics_that_exist() -> None:
    named = names_in(re.sub(r"description: >-.*?(?=- alert|\Z)", "", ALERTS.read_text(), flags=re.DOTALL))
    assert len(named) > 10
    assert named <= THERE
    described = names_in(ALERTS.read_text()) - named
    assert described <= THERE, "a description sends nobody to look for what is not"


@pytest.mark.parametrize("job", ["forwarder", "forwarder-blocks"])
def test_the_dashboard_and_the_example_name_the_same_job(job: str) -> None:
    assert f"job_name: {job} #" in (ROOT / "deploy/prometheus/prometheus.yml").read_text()
    assert f'job=\\"{job}\\"' in (ROOT / "deploy/grafana/forwarder.json").read_text()
    assert f'job="{job}"' in ALERTS.read_text()
