"""What a stream may be, for whoever can write to a config topic."""

from typing import Any

import pytest

from forwarder.errors import BadStream
from forwarder.model import Stream, Transport
from forwarder.permissions import Permissions
from forwarder.settings.types import CommandSettings


def stream(**changes: Any) -> Stream:
    return Stream(
        **{"channel": "PV", "transport": Transport.CA, "schema": "f142", "topic": "LARMOR_sampleEnv", **changes}
    )


def test_without_settings_every_schema_and_topic_is_allowed_but_the_services_own() -> None:
    permissions = Permissions(CommandSettings(), [("", "config"), ("b:1", "status")])
    permissions.check(stream())
    permissions.check(stream(topic="status"))
    permissions.check(stream(topic="config", broker="b:1"))
    for topic, broker in (("config", ""), ("status", "b:1")):
        with pytest.raises(BadStream, match=f"PV: the topic {topic} is one that the forwarder itself talks through"):
            permissions.check(stream(topic=topic, broker=broker))


def test_an_unknown_schema_is_refused_by_name() -> None:
    with pytest.raises(BadStream, match="PV: no schema 'f999'; there are ad00, f142"):
        Permissions(CommandSettings()).check(stream(schema="f999"))


def test_only_allowed_schemas_are_served() -> None:
    permissions = Permissions(CommandSettings(schemas=("f142", "f144")))
    permissions.check(stream(schema="f144"))
    with pytest.raises(BadStream, match="PV: the schema se00 is not allowed; allowed are f142, f144"):
        permissions.check(stream(schema="se00"))


@pytest.mark.parametrize("topic", ["LARMOR_sampleEnv", "LARMOR_", "NDW1234_runLog"])
def test_topics_that_match_a_pattern_are_served(topic: str) -> None:
    Permissions(CommandSettings(topics=("LARMOR_*", "NDW????_runLog"))).check(stream(topic=topic))


@pytest.mark.parametrize("topic", ["larmor_sampleEnv", "XLARMOR_", "NDW123_runLog", "NDW1234_runLogs"])
def test_other_topics_are_not(topic: str) -> None:
    with pytest.raises(BadStream, match=f"PV: the topic {topic} is not allowed; allowed are LARMOR_"):
        Permissions(CommandSettings(topics=("LARMOR_*", "NDW????_runLog"))).check(stream(topic=topic))
