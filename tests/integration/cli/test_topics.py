"""`forwarder topics` with a real Kafka."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.rig import Said, command
from tests.support.kafka import Broker


@pytest.fixture
def topics(kafka_broker: Broker) -> Callable[..., Said]:
    return lambda *arguments: command("topics", *arguments, "--output-broker", kafka_broker.address)


def test_the_topics_of_a_new_instrument(topics: Callable[..., Said], kafka_broker: Broker) -> None:
    missing = topics("check", "NEW1")
    assert missing.code == 5
    assert missing.column(3) == ["missing"] * 12
    assert missing.err == "12 topics: 12 missing\n"

    tried = topics("create", "NEW1", "--dry-run")
    assert (tried.code, tried.err) == (0, "12 topics: 12 would be made\n")
    assert topics("check", "NEW1").code == 5

    made = topics("create", "NEW1", "--topic-event-partitions", "3")
    assert (made.code, made.err) == (0, "12 topics: 12 made\n")
    assert topics("check", "NEW1", "--topic-event-partitions", "3").err == "12 topics: as they should be\n"
    again = topics("create", "NEW1")
    assert (again.code, again.err) == (0, "12 topics: as they should be\n")

    partitions = dict(line.split()[:2] for line in topics("check", "NEW1").lines[1:])
    assert partitions["NEW1_events"] == partitions["NEW1_rawEvents"] == "3"
    assert partitions["NEW1_sampleEnv"] == "1"


def test_a_difference_is_said_and_left(topics: Callable[..., Said], kafka_broker: Broker) -> None:
    kafka_broker.create_topic("NEW2_runLog", 2, retention_ms=3_600_000)
    kafka_broker.create_topic("NEW2_forwarderStorage")
    kafka_broker.create_topic("NEW2_mine")
    made = topics("create", "NEW2")
    assert (made.code, made.err) == (
        0, "not of the set: NEW2_mine\n12 topics: 10 made, 2 different\n"
    )  # fmt: skip
    said = topics("check", "NEW2", "--json")
    assert said.code == 5
    found = {each["topic"]: each for each in map(json.loads, said.lines)}
    assert found["NEW2_runLog"]["differences"] == ["2 partitions, expected 1", "kept for 1 hour, expected 1 day"]
    assert found["NEW2_forwarderStorage"]["differences"] == ["cleanup.policy delete, expected compact"]
    assert {each["state"] for name, each in found.items() if name not in ("NEW2_runLog", "NEW2_forwarderStorage")} == {
        "ok"
    }


def test_several_instruments_at_once(topics: Callable[..., Said]) -> None:
    assert topics("check", "NEW3", "NEW4", "NEW3").err == "24 topics: 24 missing\n"


def test_why_a_topic_cannot_be_made(topics: Callable[..., Said], kafka_broker: Broker) -> None:
    # In Kafka, a dot and an underscore in names are the same to some of its parts.
    kafka_broker.create_topic("NEW6.alarms")
    said = topics("create", "NEW6", "--dry-run")
    assert said.code == 1
    assert "NEW6_alarms could not be made: the name is not allowed: " in said.err


def test_the_topics_of_the_service(kafka_broker: Broker, unique: Callable[[str], str], tmp_path: Path) -> None:
    config, other, status, storage = unique("config"), unique("other"), unique("status"), unique("storage")
    # A cluster is what its address says: by another name this is another one.
    here, there = kafka_broker.address, f"localhost:{kafka_broker.port}"
    file = tmp_path / "forwarder.toml"
    file.write_text(
        f'output-broker = "{here}"\n'
        f'config-topic = ["{config}", "{there}/{other}", "SHARED1_forwarderConfig"]\n'
        f'status-topic = "{there}/{status}"\nstorage-topic = "{storage}"\n'
        "topic-retention = 2\ntopic-status-retention = 0.5\ncreate-topics = false\n"
    )
    settings = ["-c", str(file)]
    kafka_broker.create_topic(config)

    def hints() -> dict[str, str]:
        found = map(json.loads, command("check", *settings, "--json", "--state-directory", str(tmp_path)).lines)
        return {each["subject"]: each["hint"] for each in found if each["detail"] == "it does not exist"}

    making = "make it, with the same settings: forwarder topics create"
    assert hints() == {
        **dict.fromkeys((other, status, storage), f"{making} --service"),
        "SHARED1_forwarderConfig": f"{making} SHARED1",
    }

    tried = command("topics", "create", "--service", *settings, "--dry-run")
    assert (tried.code, tried.err.splitlines()[-1]) == (0, "5 topics: 4 would be made, 1 different")
    made = command("topics", "create", "--service", *settings, "--json")
    assert made.code == 0, made.err
    found = {(each["cluster"], each["topic"]): each for each in map(json.loads, made.lines)}
    assert {place: (each["state"], each["cleanup_policy"], each["retention_ms"]) for place, each in found.items()} == {
        (here, config): ("different", "delete", 172_800_000),
        (there, other): ("made", "delete", 172_800_000),
        (here, "SHARED1_forwarderConfig"): ("made", "delete", 172_800_000),
        (there, status): ("made", "delete", 43_200_000),
        (here, storage): ("made", "compact", None),
    }
    seen = command("topics", "check", "--service", *settings)
    assert seen.code == 5
    assert sorted(zip(seen.column(0), seen.column(1), strict=True)) == sorted(found)
    assert hints() == {}


def test_the_topics_of_the_service_beside_those_of_an_instrument(kafka_broker: Broker) -> None:
    own = ("--config-topic", "NEW7_forwarderConfig", "--status-topic", "new7_status", "--output-broker")
    said = command("topics", "check", "NEW7", "--service", *own, kafka_broker.address)
    assert said.err == "13 topics: 13 missing\n"


def test_nobody_is_meant() -> None:
    said = command("topics", "create", "--profile", "production")
    assert said.code == 2
    assert "nothing says whose topics: an INSTRUMENT, or --service for those of the service" in said.err


def test_what_they_are_to_be_like_is_shown_without_a_broker() -> None:
    said = command("topics", "check", "LARMOR", "--show", "--profile", "production")
    assert said.code == 0
    rows = {line.split()[0]: line.split()[1:] for line in said.lines[1:]}
    assert rows["LARMOR_events"] == [">=", "4", "3", "2", "days"]
    assert rows["LARMOR_forwarderStorage"] == ["1", "3", "newest", "of", "each", "key"]
    shown = command("topics", "check", "LARMOR", "--show", "--json").lines
    assert len(shown) == 12
    assert json.loads(shown[0])["topic"] == "LARMOR_sampleEnv"


def test_a_name_that_no_instrument_has() -> None:
    said = command("topics", "check", "LARMOR_sampleEnv")
    assert said.code == 2
    assert '"LARMOR_sampleEnv" is no name of an instrument; allowed: letters, digits, dots and hyphens' in said.err
