"""The commands for people against a broker that wants to know who talks to it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation

from forwarder.settings.load import load
from forwarder.settings.types import ClusterSettings, Settings, TopicSettings
from forwarder.tools import check_kafka
from forwarder.tools.findings import Finding, Verdict
from tests.integration.cli.rig import command
from tests.support.secure_kafka import SecureBroker

Unique = Callable[[str], str]
DESCRIBE, READ, WRITE = AclOperation.DESCRIBE, AclOperation.READ, AclOperation.WRITE


def findings(settings: Settings, data: list[TopicSettings]) -> dict[tuple[str, str], Finding]:
    async def check() -> list[Finding]:
        return [each async for each in check_kafka.check(settings, data)]

    return {(each.check, each.subject): each for each in asyncio.run(check())}


def test_what_is_not_allowed_is_said_topic_by_topic(secure_broker: SecureBroker, unique: Unique) -> None:
    config, status, storage, data = (unique(name) for name in ("config", "status", "storage", "data"))
    for topic in (config, status, storage, data):
        secure_broker.create_topic(topic)
    user = "carol"
    secure_broker.set_password(user, "any")
    secure_broker.grant(config, DESCRIBE, READ, user=user)
    secure_broker.grant(status, DESCRIBE, user=user)
    secure_broker.grant(storage, DESCRIBE, READ, user=user)
    cluster = secure_broker.cluster("SASL_PLAINTEXT", "SCRAM-SHA-256", user=user, password="any")
    settings = replace(
        load({}, {}),
        output=cluster,
        config_topics=(TopicSettings(cluster, config),),
        status_topic=TopicSettings(cluster, status),
        storage_topic=TopicSettings(cluster, storage),
        allowed_outputs=(),
    )
    found = findings(settings, [TopicSettings(cluster, data)])
    assert found["access", config].verdict is Verdict.OK
    assert found["access", status].detail == "WRITE is not allowed with these credentials"
    assert found["access", status].hint == f"an ACL that allows WRITE on the topic {status}"
    assert found["access", storage].detail == "WRITE is not allowed with these credentials"
    assert found["topic", data].verdict is Verdict.FAILED
    assert found["topic", data].hint == "see its ACLs"
    assert found["access", ",".join(cluster.brokers)].verdict is Verdict.WARNING


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ("wrong password", "the user or the password is not accepted"),
        ("no TLS", "it does not speak SSL at this port"),
    ],
)
def test_who_is_not_let_in_is_told_why(secure_broker: SecureBroker, cluster: str, words: str) -> None:
    settings: ClusterSettings = {
        "wrong password": secure_broker.cluster("SASL_PLAINTEXT", "PLAIN", user="dave", password="no"),
        "no TLS": replace(secure_broker.cluster("TLS"), brokers=(secure_broker.at("SASL_PLAINTEXT"),)),
    }[cluster]
    topic = TopicSettings(settings, "T")
    given = replace(load({}, {}), output=settings, config_topics=(topic,), status_topic=None, storage_topic=None)
    (finding,) = findings(replace(given, allowed_outputs=()), []).values()
    assert finding.verdict is Verdict.FAILED
    assert words in finding.detail


def test_the_command_line_says_how_to_be_let_in(secure_broker: SecureBroker, unique: Unique, tmp_path: Path) -> None:
    """With the flags that `run` has, and a password from a file."""
    topic = unique("data")
    secure_broker.create_topic(topic)
    password = tmp_path / "password"
    password.write_text(SecureBroker.PASSWORD)
    said = command(
        "watch", topic, "--from", "beginning", "--until", "end", "--quiet",
        "--output-broker", rf"SASL_SSL+SCRAM-SHA-512\{SecureBroker.USER}@{secure_broker.at('SASL_SSL')}",
        "--sasl-password-file", str(password),
        "--ssl-ca-cert-file", str(secure_broker.authority.certificate),
    )  # fmt: skip
    assert (said.code, said.err) == (0, "0 messages\n")
    made = command(
        "topics", "create", "SECURE", "--json",
        "--output-broker", rf"SASL_PLAINTEXT+PLAIN\{SecureBroker.LIMITED}@{secure_broker.at('SASL_PLAINTEXT')}",
        environment={"OUTPUT_BROKER_SASL_PASSWORD": SecureBroker.PASSWORD},
    )  # fmt: skip
    assert made.code == 1
    assert "SECURE_alarms was not made: these credentials may not do this with it" in made.err
    assert {json.loads(line)["state"] for line in made.lines} <= {"missing", "different"}
