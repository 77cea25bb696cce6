"""Each kind of security works with a broker that requires it; what is wrong is told once, and may be mended."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AclOperation

from forwarder.kafka import cluster as cluster_module
from forwarder.kafka.cluster import Cluster
from forwarder.kafka.config_topic import ConfigMessage, ConfigTopic
from forwarder.kafka.security import Refusals, refusals
from forwarder.kafka.sender import Sender
from forwarder.kafka.storage_topic import StorageTopic
from forwarder.model import Stream, Transport
from forwarder.outbox import Outbox
from forwarder.settings.types import ClusterSettings, ProducerSettings, Security, TopicSettings
from tests.integration.kafka.rig import PATIENCE_S, Producing, each_once_in_order, until
from tests.support.certificates import Authority
from tests.support.consume import consume
from tests.support.ports import LOOPBACK
from tests.support.secure_kafka import SecureBroker

Unique = Callable[[str], str]

PVS = ["SECURE:A", "SECURE:B"]
STREAMS = (Stream("SECURE:A", Transport.CA, "f142", "data", "", False),)

KINDS = [
    *((f"SASL_{below}", mechanism) for below in ("PLAINTEXT", "SSL") for mechanism in ("PLAIN", "SCRAM-SHA-256")),
    ("SASL_PLAINTEXT", "SCRAM-SHA-512"),
    ("SASL_SSL", "SCRAM-SHA-512"),
    ("TLS", ""),
    ("MUTUAL", ""),
]
"""Listener and mechanism."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that has refused is asked again soon."""
    monkeypatch.setattr("forwarder.kafka.security._REST_S", (0.1, 0.2))


@asynccontextmanager
async def sending(settings: ClusterSettings) -> AsyncIterator[Producing]:
    outbox = Outbox(1_000_000)
    sender = Sender(Cluster(settings, "test", 5.0), "", outbox, ProducerSettings())
    running = asyncio.create_task(sender.run())
    try:
        yield Producing(sender, outbox)
        assert not running.done(), "the sender still runs"
    finally:
        running.cancel()
        await asyncio.wait([running])
        await sender.close()


@asynccontextmanager
async def reading(settings: ClusterSettings, topic: str) -> AsyncIterator[tuple[ConfigTopic, list[ConfigMessage]]]:
    received: list[ConfigMessage] = []
    reader = ConfigTopic(TopicSettings(settings, topic), "test", received.append)
    running = asyncio.create_task(reader.run())
    try:
        yield reader, received
        assert not running.done(), "the reader still runs"
    finally:
        running.cancel()
        await asyncio.wait([running])


@asynccontextmanager
async def storing(settings: ClusterSettings, topic: str) -> AsyncIterator[StorageTopic]:
    storage = StorageTopic(TopicSettings(settings, topic), "test", overwrite=True)
    running = asyncio.create_task(storage.run())
    try:
        yield storage
        assert not running.done(), "it still runs"
    finally:
        running.cancel()
        await asyncio.wait([running])


async def delivers(settings: ClusterSettings, topic: str) -> None:
    """Raises unless messages get through."""
    async with sending(settings) as rig:
        rig.append(topic, PVS, 3)
        await rig.acknowledged()


def say(broker: SecureBroker, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.address})
    producer.produce(topic, value)
    assert producer.flush(20) == 0


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name.startswith("forwarder") and r.levelno >= logging.WARNING]


@pytest.mark.parametrize(("listener", "mechanism"), KINDS)
def test_data_commands_and_state_pass_with_the_settings_a_user_gives(
    secure_broker: SecureBroker, unique: Unique, caplog: pytest.LogCaptureFixture, listener: str, mechanism: str
) -> None:
    data, config, kept = unique("data"), unique("config"), unique("state")
    for topic in (data, config, kept):
        secure_broker.create_topic(topic)
    client = secure_broker.client if listener == "MUTUAL" else None
    settings = secure_broker.cluster(listener, mechanism, client=client)

    async def work() -> None:
        async with sending(settings) as rig, reading(settings, config) as (reader, received):
            rig.append(data, PVS, 100)
            async with storing(settings, kept) as storage:
                storage.store(STREAMS, {"config": {0: 1}})
                assert await storage.flush(asyncio.get_running_loop().time() + PATIENCE_S), storage.problem
            await asyncio.wait_for(reader.reading.wait(), PATIENCE_S)
            await asyncio.to_thread(say, secure_broker, config, b"command")
            await until(lambda: [message.value for message in received] == [b"command"], "the command is received")
            await rig.acknowledged()
        found = await asyncio.wait_for(StorageTopic(TopicSettings(settings, kept), "test").read(), PATIENCE_S)
        assert found is not None
        assert found.streams == STREAMS

    asyncio.run(work())
    assert each_once_in_order(consume(secure_broker.address, data), PVS, 100)
    assert warnings(caplog) == []


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with the settings, or with the broker, and how that is told."""

    said: str
    listener: str
    mechanism: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    stranger: bool = False
    """Whether this service has a certificate that the broker does not trust."""


WRONG = {
    "password, PLAIN": Wrong(
        "the user or the password is not accepted (SASL_SSL, PLAIN, user alice): see its address and its sasl-password",
        "SASL_SSL",
        "PLAIN",
        {"password": "wrong-word"},
    ),
    "password, SCRAM": Wrong(
        "the user or the password is not accepted (SASL_PLAINTEXT, SCRAM-SHA-256, user alice): see",
        "SASL_PLAINTEXT",
        "SCRAM-SHA-256",
        {"password": "wrong-word"},
    ),
    "user": Wrong(
        "the user or the password is not accepted (SASL_SSL, SCRAM-SHA-512, user carol): see",
        "SASL_SSL",
        "SCRAM-SHA-512",
        {"user": "carol"},
    ),
    "mechanism": Wrong(
        "the SASL mechanism SCRAM-SHA-256 is not offered: see its address or sasl-mechanism",
        "ONLY_512",
        "SCRAM-SHA-256",
    ),
    "certificate expired": Wrong("the certificate of 127.0.0.1, or of its authority, has expired", "EXPIRED"),
    "certificate for another host": Wrong("the certificate is for another host, not for 127.0.0.1", "OTHER_HOST"),
    "certificate of a stranger": Wrong(
        "the certificate of 127.0.0.1 is from an authority that is not trusted: see ssl-ca-cert-file", "STRANGER"
    ),
    "no certificate of ours": Wrong(
        "it wants a certificate of this service: see ssl-cert-file and ssl-key-file", "MUTUAL"
    ),
    "a certificate of ours that is not trusted": Wrong(
        'client-of-strangers.pem", which may have expired or be of an authority it does not trust'
        " (certificate unknown): see ssl-cert-file",
        "MUTUAL",
        stranger=True,
    ),
    "a user where none is asked for": Wrong(
        "it takes no user at this port (SASL_SSL, PLAIN, user alice): see its address or security-protocol",
        "TLS",
        "PLAIN",
        {"protocol": "SASL_SSL"},
    ),
}


def settings_of(wrong: Wrong, broker: SecureBroker) -> ClusterSettings:
    more = dict(wrong.settings)
    protocol = more.pop("protocol", None)
    client = broker.strangers.issue("client-of-strangers") if wrong.stranger else None
    settings = broker.cluster(wrong.listener, wrong.mechanism, client=client, **more)
    if protocol is None:
        return settings
    return replace(settings, security=replace(settings.security, protocol=protocol))


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_who_is_refused_says_once_why_and_does_not_ask_again_and_again(
    secure_broker: SecureBroker,
    unique: Unique,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Wrong,
) -> None:
    settings = settings_of(wrong, secure_broker)
    data, config, kept = unique("data"), unique("config"), unique("state")
    attempts: list[tuple[Any, ...]] = []
    create_conn = cluster_module.create_conn

    async def counted(*address: Any, **options: Any) -> Any:
        attempts.append(address)
        return await create_conn(*address, **options)

    monkeypatch.setattr(cluster_module, "create_conn", counted)
    # As often as in the service, but for the waits between.
    monkeypatch.setattr("forwarder.kafka.sender._AWAY_S", (0.01, 0.01))
    for module in ("config_topic", "storage_topic"):
        monkeypatch.setattr(f"forwarder.kafka.{module}._LOOK_AGAIN_S", 0.01)

    async def work() -> None:
        async with sending(settings) as rig, reading(settings, config), storing(settings, kept) as storage:
            rig.append(data, PVS, 3)
            storage.store(STREAMS, {})
            await until(lambda: wrong.said in storage.problem and len(warnings(caplog)) >= 3, "the reason is told")
            await until(lambda: rig.sender._away.count > 10, "it is still tried")
            assert rig.lane(data).waiting == 6

    asyncio.run(work())
    said = warnings(caplog)
    place = f"broker {secure_broker.at(wrong.listener)}: "
    assert len(said) == 3, "by the sender, the reader and the storage"
    assert all(place in text and wrong.said in text for text in said), said
    assert SecureBroker.PASSWORD not in caplog.text
    assert "wrong-word" not in caplog.text
    # The three may have begun before the first of them was refused.
    assert len(attempts) <= 3


def test_asking_again_becomes_rarer_down_to_a_few_times_a_minute() -> None:
    now = 0.0
    refusals = Refusals(lambda: now)
    asked: list[float] = []
    address = ("kafka.example", 9092)
    while now < 300:
        if not refusals.standing(address):
            asked.append(now)
            refusals.refused(address, "no")
            refusals.refused(address, "no")
        assert refusals.standing(address) == "no"
        assert refusals.standing(("other.example", 9092)) == ""
        now += 0.25
    assert [later - earlier for earlier, later in pairwise(asked)][:5] == [5, 10, 20, 20, 20]
    refusals.accepted(address)
    assert refusals.standing(address) == ""


@pytest.mark.parametrize(
    ("protocol", "listener", "hint"),
    [
        ("PLAINTEXT", "SASL_PLAINTEXT", "does not speak PLAINTEXT at this port (see its address or security-protocol)"),
        ("PLAINTEXT", "TLS", "does not speak PLAINTEXT at this port"),
        ("SASL_PLAINTEXT", "SASL_SSL", "does not speak SASL_PLAINTEXT at this port"),
        ("SSL", "SASL_SSL", "does not speak SSL at this port"),
        ("SSL", "SASL_PLAINTEXT", "does not speak SSL at this port"),
    ],
)
def test_another_protocol_than_the_port_s_is_told(
    secure_broker: SecureBroker, caplog: pytest.LogCaptureFixture, protocol: str, listener: str, hint: str
) -> None:
    right = secure_broker.cluster(listener, "PLAIN" if "SASL" in listener else "").security
    security = replace(right, protocol=protocol, ca_file=secure_broker.authority.certificate, mechanism="PLAIN")

    async def work() -> None:
        async with sending(ClusterSettings((secure_broker.at(listener),), security)) as rig:
            await until(lambda: rig.sender._away.count >= 3, "it is tried")

    asyncio.run(work())
    assert len(warnings(caplog)) == 1, warnings(caplog)
    assert hint in caplog.text


@pytest.fixture
def old_server(tmp_path: Path) -> Iterator[ClusterSettings]:
    """Speaks TLS 1.1 and nothing newer."""
    authority = Authority(tmp_path, "authority")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("old", [LOOPBACK]).both)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    server = socket.create_server((LOOPBACK, 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                context.wrap_socket(connection, server_side=True).close()

    thread = Thread(target=serve)
    thread.start()
    address = f"{LOOPBACK}:{server.getsockname()[1]}"
    yield ClusterSettings((address,), Security("SSL", ca_file=authority.certificate))
    server.shutdown(socket.SHUT_RDWR)
    thread.join()
    server.close()


def test_tls_before_1_2_is_not_spoken(old_server: ClusterSettings, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with sending(old_server):
            await until(lambda: warnings(caplog), "it is refused")

    asyncio.run(work())
    assert "it speaks no TLS of version 1.2 or newer" in warnings(caplog)[0]


def test_a_reader_that_is_refused_later_does_not_try_all_the_time(
    secure_broker: SecureBroker, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = unique("config")
    secure_broker.create_topic(topic)
    secure_broker.set_password("gina", "first")
    secure_broker.grant(topic, AclOperation.READ, user="gina")
    settings = secure_broker.cluster("SASL_SSL", "SCRAM-SHA-256", user="gina", password="first")
    monkeypatch.setattr("forwarder.kafka.security._REST_S", (60.0, 60.0))
    monkeypatch.setattr("forwarder.kafka.config_topic._WATCH_S", 0.1)
    monkeypatch.setattr("forwarder.kafka.config_topic._LOOK_AGAIN_S", 0.05)
    attempts = 0
    opened: list[Any] = []

    async def counted(*address: Any, **options: Any) -> Any:
        nonlocal attempts
        attempts += 1
        opened.append(await create_conn(*address, **options))
        return opened[-1]

    create_conn = cluster_module.create_conn
    for module in ("forwarder.kafka.cluster", "aiokafka.client"):
        monkeypatch.setattr(f"{module}.create_conn", counted)

    async def work() -> None:
        async with reading(settings, topic) as (reader, received):
            await asyncio.wait_for(reader.reading.wait(), PATIENCE_S)
            await asyncio.to_thread(secure_broker.set_password, "gina", "second")
            for connection in opened:
                connection.close()
            await until(lambda: reader._waiting.count >= 3, "it is refused")
            before = attempts
            await until(lambda: reader._waiting.count >= 10, "it waits")
            assert attempts == before
            await asyncio.to_thread(secure_broker.set_password, "gina", "first")
            # The rest is over.
            refusals(settings.security)._rests.clear()
            await asyncio.to_thread(say, secure_broker, topic, b"meanwhile")
            await until(lambda: [message.value for message in received] == [b"meanwhile"], "nothing is missed")

    asyncio.run(work())


@pytest.mark.usefixtures("impatient")
class TestWhatIsMended:
    def test_a_password_that_becomes_right_is_used_without_a_restart(
        self, secure_broker: SecureBroker, unique: Unique, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic = unique("data")
        secure_broker.create_topic(topic)
        settings = secure_broker.cluster("SASL_SSL", "SCRAM-SHA-256", user="dave", password="later")

        async def work() -> None:
            async with sending(settings) as rig:
                rig.append(topic, PVS, 5)
                await until(lambda: warnings(caplog), "it is refused")
                await asyncio.to_thread(secure_broker.set_password, "dave", "later")
                for operation in (AclOperation.WRITE, AclOperation.DESCRIBE):
                    await asyncio.to_thread(secure_broker.grant, topic, operation, user="dave")
                await rig.acknowledged()

        asyncio.run(work())
        assert each_once_in_order(consume(secure_broker.address, topic), PVS, 5)
        assert "over after" in warnings(caplog)[-1]

    def test_a_broker_s_certificate_that_is_renewed_is_accepted(
        self, secure_broker: SecureBroker, unique: Unique, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic = unique("data")
        secure_broker.create_topic(topic)

        async def work() -> None:
            async with sending(secure_broker.cluster("RENEWED")) as rig:
                rig.append(topic, PVS, 5)
                await until(lambda: "has expired" in caplog.text, "it is refused")
                await asyncio.to_thread(secure_broker.renew)
                await rig.acknowledged()

        asyncio.run(work())
        assert each_once_in_order(consume(secure_broker.address, topic), PVS, 5)

    def test_a_certificate_of_ours_that_is_renewed_is_used_for_the_next_connection(
        self, secure_broker: SecureBroker, unique: Unique, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic = unique("data")
        secure_broker.create_topic(topic)
        pair = secure_broker.strangers.issue("to-be-renewed")

        async def work() -> None:
            async with sending(secure_broker.cluster("MUTUAL", client=pair)) as rig:
                rig.append(topic, PVS, 5)
                await until(lambda: "does not accept the certificate" in caplog.text, "it is refused")
                pair.replace(secure_broker.client)
                await rig.acknowledged()

        with caplog.at_level(logging.INFO):
            asyncio.run(work())
        assert each_once_in_order(consume(secure_broker.address, topic), PVS, 5)
        assert "were read again, because their files have changed" in caplog.text

    def test_files_that_are_half_written_leave_the_certificates_from_before_in_use(
        self, secure_broker: SecureBroker, unique: Unique, caplog: pytest.LogCaptureFixture
    ) -> None:
        topic = unique("data")
        secure_broker.create_topic(topic)
        pair = secure_broker.authority.issue("half")
        pair.replace(secure_broker.client)
        settings = secure_broker.cluster("MUTUAL", client=pair)
        asyncio.run(delivers(settings, topic))
        whole = pair.key.read_text()
        for content in (whole[: len(whole) // 2], "", secure_broker.authority.issue("another").key.read_text()):
            pair.key.write_text(content)
            asyncio.run(delivers(settings, topic))
        pair.key.unlink()
        asyncio.run(delivers(settings, topic))
        assert "ssl-key-file" in caplog.text
        assert "until then those from before are used" in caplog.text
        pair.key.write_text(whole)
        asyncio.run(delivers(settings, topic))
        assert "over after" in warnings(caplog)[-1]
