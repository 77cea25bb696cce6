"""The service as a user starts it, with a broker that requires security; no password is seen anywhere."""

import base64
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AclOperation
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, serialise_fc00
from streaming_data_types.status_x5f2 import deserialise_x5f2

from forwarder.demo.child import Child
from tests.integration.kafka.test_security import Unique
from tests.support.consume import Record, consume
from tests.support.processes import spawn
from tests.support.secure_kafka import SecureBroker
from tests.support.waiting import wait_until

QUIET = {f"EPICS_{each}_AUTO_ADDR_LIST": "NO" for each in ("CA", "PVA")}


@pytest.fixture(autouse=True)
def no_certificate_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL's own variable for authorities has the name of the setting of this service's certificate."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)


def forwarder(*flags: str, environment: Mapping[str, str] | None = None) -> Child:
    command = [sys.executable, "-m", "forwarder", "run", *flags]
    return spawn("forwarder", command, environment={**QUIET, **(environment or {})})


def order(broker: SecureBroker, topic: str, data: str) -> None:
    """Have a made-up PV forwarded."""
    number: Any = Protocol.FAKE
    change: Any = UpdateType.ADD
    producer = Producer({"bootstrap.servers": broker.address})
    producer.produce(topic, serialise_fc00(change, [StreamInfo("SECURE:FAKE", "f142", data, number, 0)]))
    assert producer.flush(10) == 0


def statuses(records: Sequence[Record]) -> list[dict[str, Any]]:
    """What was said so far, oldest first."""
    return [{"state": "", "streams": [], "statistics": {"messages_waiting": 0}}] + [
        json.loads(deserialise_x5f2(record.value).status_json) for record in records if record.value
    ]


def obeys(records: Sequence[Record]) -> bool:
    return any(each["state"] == "running" for each in statuses(records))


def hidden(password: str, *texts: str) -> bool:
    """Whether none of the texts has the password, as it is or in another form."""
    forms = {password, repr(password)[1:-1], json.dumps(password)[1:-1], base64.b64encode(password.encode()).decode()}
    return not any(form in text for form in forms for text in texts)


def test_each_topic_has_its_own_security_and_no_password_is_seen(
    secure_broker: SecureBroker, unique: Unique, tmp_path: Path
) -> None:
    broker, password = secure_broker, SecureBroker.PASSWORD
    data, config, status, storage = (unique(name) for name in ("data", "config", "status", "storage"))
    for topic in (data, config, status, storage):
        broker.create_topic(topic)
    file = tmp_path / "password"
    file.write_text(f"{password}\n")
    settings = [
        *("--output-broker", rf"SASL_SSL+SCRAM-SHA-512\{broker.USER}@{broker.at('SASL_SSL')}"),
        *("--config-topic", rf"SASL_PLAINTEXT+PLAIN\{broker.USER}@{broker.at('SASL_PLAINTEXT')}/{config}"),
        *("--status-topic", f"SSL+{broker.at('MUTUAL')}/{status}"),
        *("--storage-topic", rf"SASL_SSL+PLAIN\{broker.USER}@{broker.at('SASL_SSL')}/{storage}"),
        *("--config-topic-sasl-password-file", str(file)),
        *("--storage-topic-sasl-password-file", str(file)),
        *("--ssl-ca-cert-file", str(broker.authority.certificate)),
        *("--ssl-cert-file", str(broker.client.certificate), "--ssl-key-file", str(broker.client.key)),
        *("--state-directory", str(tmp_path), "--service-id", "secure", "--fake-pv-period", "100"),
        *("--status-interval", "500", "--verbosity", "Trace"),
    ]
    environment = {"OUTPUT_BROKER_SASL_PASSWORD": password}
    with forwarder(*settings, environment=environment) as child:
        consume(broker.address, status, obeys)
        order(broker, config, data)
        consume(broker.address, data, 5)
        seen = consume(broker.address, status, lambda found: bool(statuses(found)[-1]["streams"]))
        assert child.terminate(20) == 0
        log = child.log()
    seen = consume(broker.address, status)
    assert statuses(seen)[-1]["statistics"]["messages_acknowledged"] == len(consume(broker.address, data))
    assert consume(broker.address, storage), "the streams are stored"
    assert hidden(password, log, *map(str, statuses(seen)))
    assert "Traceback" not in log
    with forwarder(*settings, "--show-settings", environment=environment) as child:
        assert child.wait(20) == 0
        assert hidden(password, child.log())
        assert "output-broker-sasl-password       = ***" in child.log()


def test_who_is_refused_keeps_the_data_until_the_password_is_right(
    secure_broker: SecureBroker, unique: Unique, tmp_path: Path
) -> None:
    broker = secure_broker
    data, config, status = (unique(name) for name in ("data", "config", "status"))
    for topic in (data, config, status):
        broker.create_topic(topic)
    broker.set_password("frank", "not yet the word")
    for operation in (AclOperation.WRITE, AclOperation.DESCRIBE):
        broker.grant(data, operation, user="frank")
    settings = [
        *("--output-broker", rf"SASL_SSL+SCRAM-SHA-256\frank@{broker.at('SASL_SSL')}"),
        *("--config-topic", f"PLAINTEXT+{broker.address}/{config}"),
        *("--status-topic", f"PLAINTEXT+{broker.address}/{status}"),
        *("--ssl-ca-cert-file", str(broker.authority.certificate)),
        *("--state-directory", str(tmp_path), "--service-id", "refused", "--fake-pv-period", "100"),
        *("--status-interval", "500"),
    ]
    environment = {"OUTPUT_BROKER_SASL_PASSWORD": "the word that is right later"}
    with forwarder(*settings, environment=environment) as child:
        consume(broker.address, status, obeys)
        order(broker, config, data)
        reason = "the user or the password is not accepted (SASL_SSL, SCRAM-SHA-256, user frank)"
        wait_until(lambda: reason in child.log(), 20)
        consume(broker.address, status, lambda found: statuses(found)[-1]["statistics"]["messages_waiting"] > 5)
        broker.set_password("frank", environment["OUTPUT_BROKER_SASL_PASSWORD"])
        consume(broker.address, data, 10)
        assert child.terminate(20) == 0
        log = child.log()
    assert log.count(reason) == 1
    assert "over after" in log
    found = statuses(consume(broker.address, status))
    assert found[-1]["statistics"]["messages_dropped"] == 0
    assert found[-1]["statistics"]["messages_acknowledged"] == len(consume(broker.address, data))
    assert hidden(environment["OUTPUT_BROKER_SASL_PASSWORD"], log, *map(str, found))
