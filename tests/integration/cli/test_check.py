"""`forwarder check` with a real Kafka, a real forwarder and a real IOC."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.integration.cli.rig import Said, Site, command, say


def findings(said: Said) -> list[dict[str, str]]:
    return [json.loads(line) for line in said.lines]


def epics(site: Site) -> dict[str, str]:
    return {
        "EPICS_CA_ADDR_LIST": site.ioc.ca_address,
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_ADDR_LIST": site.ioc.pva_address,
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
    }


def test_all_is_well(site: Site, tmp_path: Path) -> None:
    assert site.command("streams", "add", "CLI:WARM", "--topic", "CLI_sampleEnv").code == 0
    pvs = ["--pv", "CLI:WARM", "--pv", "ca://CLI:SPECTRUM", "--pv", "pva://CLI:WARM"]
    said = site.command(
        "check", *pvs, "--state-directory", str(tmp_path), "--spool-max-bytes", "1000000", "--json",
        environment=epics(site),
    )  # fmt: skip
    assert said.code == 0, said.out
    found = findings(said)
    kinds = [each["check"] for each in found]
    assert set(kinds) == {
        "settings", "brokers", "config topic", "status topic", "storage topic", "topic", "access", "forwarder", "clock",
        "spool", "pv",
    }  # fmt: skip
    # Whether somebody keeps the clock of this machine right is not for this test to say.
    assert {each["verdict"] for each in found if each["subject"] != "this machine"} == {"ok"}
    assert [each["subject"] for each in found if each["check"] == "topic"] == ["CLI_sampleEnv"]
    both, ca, pva = (each["detail"] for each in found if each["check"] == "pv")
    assert both.startswith("ca: float64 from 127.0.0.1:")
    assert both.endswith("; pva: float64")
    assert ca.startswith("ca: array of int32 from 127.0.0.1:")
    assert pva == "pva: float64"


def test_what_is_missing_is_told_with_what_to_do(site: Site, unique: Callable[[str], str]) -> None:
    topic = unique("missing")
    said = site.command(
        "check", "--topic", topic, "--create-topics", "no", "--pv", "CLI:NONE", "--timeout", "0.5",
        "--state-directory", "/proc/nowhere", environment=epics(site),
    )  # fmt: skip
    assert said.code == 5
    failed = [line.split(maxsplit=3) for line in said.lines if line.startswith("failed")]
    assert [(each[1], each[2]) for each in failed] == [("topic", topic), ("spool", "directory"), ("pv", "CLI:NONE")]
    assert f"-> make it: kafka-topics.sh --bootstrap-server {site.broker.address} --create --topic {topic}" in said.out
    assert "ca: not found; pva: not found" in said.out
    assert said.err.endswith("3 failed\n")


def test_what_the_forwarder_says_of_a_topic_is_of_that_topic(site: Site, unique: Callable[[str], str]) -> None:
    topic, status = unique("gone"), unique("status")
    facts = {
        "config": {"topics": {"b:9092/CLI_forwarderConfig": "reading"}},
        "statistics": {"topics_in_trouble": {topic: "it does not exist"}},
    }
    site.broker.create_topic(status)
    say(site, status, "one", facts=facts)
    said = site.command("check", "--status-topic", status, "--service-id", "one", "--json")
    found = [each for each in findings(said) if each["subject"] == topic]
    assert [(each["check"], each["verdict"]) for each in found] == [("topic", "failed")]
    assert found[0]["detail"] == "one says: it does not exist"
    assert found[0]["hint"]


def test_a_pv_that_is_none() -> None:
    said = command("check", "--pv", "cva://A", "--output-broker", "127.0.0.1:1")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith('forwarder: pv: "cva://A" begins with no transport')


def test_a_cluster_that_is_away(tmp_path: Path) -> None:
    said = command(
        "check", "--instrument", "X", "--output-broker", "127.0.0.1:1", "--state-directory", str(tmp_path), "--json"
    )
    assert said.code == 5
    brokers = next(each for each in findings(said) if each["check"] == "brokers")
    assert brokers["verdict"] == "failed"
    assert brokers["hint"]
