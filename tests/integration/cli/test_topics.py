"""`forwarder topics` with a real Kafka."""

import json
from collections.abc import Callable

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
