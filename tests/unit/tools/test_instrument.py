"""The topics of an instrument: which there are, what they are like, and in what one differs."""

import pytest

from forwarder.errors import BadSetting
from forwarder.kafka.admin import TopicFacts
from forwarder.settings.load import load
from forwarder.settings.types import ClusterSettings, InstrumentTopicsSettings, TopicSettings
from forwarder.tools.instrument import instrument_of, topics_of, topics_of_service, what_makes

DAY_MS = 86_400_000
SETTINGS = InstrumentTopicsSettings(3, 4, 7 * 86_400.0, 86_400.0, 43_200.0)
TOPICS = {topic.name: topic for topic in topics_of("LARMOR", SETTINGS)}


def test_the_set() -> None:
    assert set(TOPICS) == {
        f"LARMOR_{name}"
        for name in (
            "sampleEnv", "runLog", "runInfo", "events", "rawEvents", "monitorHistograms", "detSpecMap",
            "areaDetector", "alarms", "forwarderConfig", "forwarderStatus", "forwarderStorage",
        )
    }  # fmt: skip


def test_what_each_is_like() -> None:
    new = {name: topic.new(5) for name, topic in TOPICS.items()}
    assert {name for name, topic in new.items() if topic.partitions == 4} == {"LARMOR_events", "LARMOR_rawEvents"}
    assert all(topic.partitions == 1 for name, topic in new.items() if "vents" not in name)
    assert {topic.replication for topic in new.values()} == {3}
    assert new["LARMOR_sampleEnv"].config == {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}
    assert new["LARMOR_events"].config["retention.ms"] == str(DAY_MS)
    assert new["LARMOR_forwarderConfig"].config["retention.ms"] == str(7 * DAY_MS)
    assert new["LARMOR_forwarderStatus"].config["retention.ms"] == str(DAY_MS // 2)
    assert new["LARMOR_forwarderStorage"].config == {"cleanup.policy": "compact"}


def test_not_more_copies_than_brokers() -> None:
    assert TOPICS["LARMOR_alarms"].new(2).replication == 2


def facts(partitions: int = 1, replication: int = 3) -> TopicFacts:
    return TopicFacts("T", 0, dict.fromkeys(range(partitions), 1), replication, 0, None)


KEPT = {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}
DIFFERENT = {
    "nothing": ("sampleEnv", facts(), KEPT, []),
    "fewer brokers": ("sampleEnv", facts(1, 2), KEPT, []),
    "more partitions": ("sampleEnv", facts(2), KEPT, ["2 partitions, expected 1"]),
    "more partitions of events": ("events", facts(9), {**KEPT, "retention.ms": str(DAY_MS)}, []),
    "fewer partitions of events": (
        "events", facts(1), {**KEPT, "retention.ms": str(DAY_MS)}, ["1 partition, expected at least 4"]
    ),
    "copies": ("sampleEnv", facts(1, 1), KEPT, ["1 copy, expected 2"]),
    "policy": (
        "sampleEnv", facts(), {**KEPT, "cleanup.policy": "compact"}, ["cleanup.policy compact, expected delete"]
    ),
    "retention": ("sampleEnv", facts(), {**KEPT, "retention.ms": str(DAY_MS)}, ["kept for 1 day, expected 7 days"]),
    "half a day": ("sampleEnv", facts(), {**KEPT, "retention.ms": "43200000"}, ["kept for 12 hours, expected 7 days"]),
    "for ever": ("sampleEnv", facts(), {**KEPT, "retention.ms": "-1"}, ["kept for ever, expected 7 days"]),
    "storage": ("forwarderStorage", facts(), {"cleanup.policy": "compact", "retention.ms": "1"}, []),
    "hidden": ("sampleEnv", facts(), None, ["its settings may not be seen with these credentials"]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "found", "config", "differences"), DIFFERENT.values(), ids=DIFFERENT)
def test_every_difference_is_said(
    name: str, found: TopicFacts, config: dict[str, str] | None, differences: list[str]
) -> None:
    assert TOPICS[f"LARMOR_{name}"].differences(found, config, 2) == differences


@pytest.mark.parametrize("name", ["", "LAR MOR", "LARMOR_", "../x", "x" * 300])
def test_no_name_of_an_instrument(name: str) -> None:
    with pytest.raises(BadSetting, match="is no name of an instrument; allowed: letters, digits, dots and hyphens"):
        topics_of(name, SETTINGS)


@pytest.mark.parametrize("name", TOPICS)
def test_the_instrument_of_a_topic(name: str) -> None:
    assert instrument_of(name) == "LARMOR"


@pytest.mark.parametrize("name", ["forwarder_config", "LARMOR_mine", "sampleEnv", "_sampleEnv", "A_B_sampleEnv", ""])
def test_a_topic_of_no_instrument(name: str) -> None:
    assert instrument_of(name) is None


def test_the_topics_of_the_service() -> None:
    (found,) = topics_of_service(load({"profile": ["production"]}, {})).values()
    new = {topic.name: topic.new(3) for topic in found}
    assert list(new) == ["forwarder_config", "forwarder_status", "forwarder_storage"]
    assert {(topic.partitions, topic.replication) for topic in new.values()} == {(1, 3)}
    assert new["forwarder_config"].config == {"cleanup.policy": "delete", "retention.ms": str(14 * DAY_MS)}
    assert new["forwarder_status"].config == {"cleanup.policy": "delete", "retention.ms": str(DAY_MS)}
    assert new["forwarder_storage"].config == {"cleanup.policy": "compact"}


def test_each_topic_of_the_service_is_in_its_own_cluster() -> None:
    given = {"config-topic": ["a:1/config", "b:2/config"], "storage-topic": ["c:3/storage"], "output-broker": ["d:4"]}
    found = topics_of_service(load(given, {}))
    assert {",".join(cluster.brokers): [topic.name for topic in topics] for cluster, topics in found.items()} == {
        "a:1": ["config"], "b:2": ["config"], "c:3": ["storage"],
    }  # fmt: skip


WITH_THESE = "make it, with the same settings: forwarder topics create"
MAKES = {
    "LARMOR_sampleEnv": f"{WITH_THESE} LARMOR --profile development",
    "LARMOR_forwarderConfig": f"{WITH_THESE} LARMOR --profile development",
    "forwarder_storage": f"{WITH_THESE} --service --profile development",
    "mine": "make it: kafka-topics.sh --bootstrap-server d:4 --create --topic mine",
}


@pytest.mark.parametrize("topic", MAKES)
def test_what_makes_a_topic(topic: str) -> None:
    given = {"profile": ["development"], "output-broker": ["d:4"]}
    settings = load({**given, "config-topic": ["LARMOR_forwarderConfig"]}, {})
    assert what_makes(TopicSettings(settings.output, topic), settings) == MAKES[topic]


def test_what_makes_a_topic_of_another_cluster() -> None:
    settings = load({"output-broker": ["d:4"]}, {})
    elsewhere = ClusterSettings(("e:5", "f:6"))
    wanted = f"{WITH_THESE} LARMOR --output-broker e:5,f:6"
    assert what_makes(TopicSettings(elsewhere, "LARMOR_alarms"), settings) == wanted
    # Of the service is only the topic of this name that is in its own cluster.
    assert what_makes(TopicSettings(elsewhere, "forwarder_config"), settings).startswith("make it: kafka-topics.sh")


def test_profiles_and_flags_say_what_topics_are_like() -> None:
    production = load({"profile": ["production"]}, {}).topics
    assert (production.replication, production.event_partitions, production.retention_s) == (3, 4, 14 * 86_400.0)
    given = load({"topic-retention": ["0.5"], "topic-event-partitions": ["12"]}, {}).topics
    assert (given.retention_s, given.event_partitions) == (43_200.0, 12)
    with pytest.raises(BadSetting, match=r"is not a number of days; allowed: a number of days from 0.01 to 36500"):
        load({"topic-retention": ["long"]}, {})
