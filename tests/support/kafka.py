"""A real Apache Kafka: one KRaft node on loopback."""

import os
import shutil
import subprocess
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar
from uuid import uuid4

from confluent_kafka import OFFSET_END, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from forwarder.demo.child import Child
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import Server, spawn

_POM = Path(__file__).parent / "kafka_jars" / "pom.xml"
_KAFKA_VERSION = "4.3.0"
_READY_WITHIN_S = 60.0
_ANSWER_WITHIN_S = 15.0
_RESOLVED_WITHIN_S = 300.0
_LOG_ERRORS = 3  # syslog level

_LOGGING = """\
Configuration:
  Appenders:
    Console: {name: stdout, PatternLayout: {pattern: "%d %p %c{1} %m%n"}}
  Loggers:
    Root: {level: warn, AppenderRef: {ref: stdout}}
"""


def jars() -> Path:
    """The folder with Kafka's jars, in the user's cache; Maven fills it on first use."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "epics-kafka-forwarder"
    folder = cache / f"kafka-{_KAFKA_VERSION}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        # Beside its final place, so that the folder appears whole or not at all.
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            resolved = Path(scratch) / "jars"
            maven = [
                "mvn",
                "-q",
                "-B",
                "-f",
                str(_POM),
                "dependency:copy-dependencies",
                f"-DoutputDirectory={resolved}",
            ]
            subprocess.run(maven, check=True, timeout=_RESOLVED_WITHIN_S)
            try:
                resolved.rename(folder)
            except OSError:
                # Another test run was faster; its jars are the same.
                if not folder.is_dir():
                    raise
    return folder


class Broker(Server):
    """Keeps its address and its data over `stop`, `kill` and `start`; both are gone after `with` or `close`."""

    _checkpoint: ClassVar[bytes] = b""
    """Of the first one that was formatted: with what every node begins."""

    def __init__(
        self,
        *,
        auto_create: bool = False,
        heap: str = "512m",
        quick_start: bool = True,
        properties: Mapping[str, str | int] | None = None,
        host: str = LOOPBACK,
        within: Sequence[str] = (),
        cluster_id: str = "",
    ) -> None:
        """`properties` are added to the node's own and win over them.

        A quick start takes half the time; the price is a lower top speed later, so benchmarks do without.
        `within` is a command that runs another one, such as in a network namespace, where `host` is an address.
        """
        super().__init__()
        self.port = free_port()
        self.address = f"{host}:{self.port}"
        self._within = within
        self._cluster_id = cluster_id or f"test-{uuid4().hex[:17]}"
        self._java_flags = [f"-Xms{heap}", f"-Xmx{heap}", "-XX:+UseSerialGC"]
        if quick_start:
            self._java_flags.append("-XX:TieredStopAtLevel=1")
        self._folder = Path(tempfile.mkdtemp(prefix="kafka-"))
        self._configuration = self._folder / "server.properties"
        settings = {**self._properties(free_port(), auto_create), **(properties or {})}
        self._node_id = settings["node.id"]
        self._configuration.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        (self._folder / "log4j2.yaml").write_text(_LOGGING)

    def _properties(self, controller_port: int, auto_create: bool) -> dict[str, str | int]:
        controller = f"{LOOPBACK}:{controller_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self._folder / "data"),
            "auto.create.topics.enable": str(auto_create).lower(),
            # A single node has nobody to replicate to, and tests have no time to let groups gather.
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            # A node that was killed can't register again before its old session has ended.
            "broker.session.timeout.ms": 3_000,
            "broker.heartbeat.interval.ms": 300,
        }

    def moves_to(self, port: int) -> None:
        """Serve at this port from the next start on, with the same data."""
        before, self.port = self.address, port
        self.address = f"{before.rpartition(':')[0]}:{port}"
        text = self._configuration.read_text()
        self._configuration.write_text(text.replace(f"//{before}", f"//{self.address}"))

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [
            *self._within,
            "java",
            *self._java_flags,
            f"-Dlog4j2.configurationFile={self._folder / 'log4j2.yaml'}",
            "-cp",
            f"{jars()}/*",
            main,
            *arguments,
        ]

    def _launch(self) -> Child:
        data = self._folder / "data"
        if not (data / "meta.properties").exists():
            # The tool takes as long as Kafka itself, and does the same each time but for what identifies a node.
            if Broker._checkpoint:
                data.mkdir()
                (data / "bootstrap.checkpoint").write_bytes(Broker._checkpoint)
                (data / "meta.properties").write_text(self._identity())
            else:
                self._format()
                Broker._checkpoint = (data / "bootstrap.checkpoint").read_bytes()
        return spawn("kafka", self._java("kafka.Kafka", str(self._configuration)))

    def _format(self) -> None:
        arguments = ["format", "--cluster-id", self._cluster_id, "--config", str(self._configuration)]
        with spawn("kafka storage tool", self._java("kafka.tools.StorageTool", *arguments)) as tool:
            if tool.wait(_READY_WITHIN_S) != 0:
                raise RuntimeError(f"Kafka's storage can't be formatted:\n{tool.log_tail()}")

    def _identity(self) -> str:
        # A letter first: what begins with a hyphen is no identifier of Kafka's.
        directory = "A" + urlsafe_b64encode(uuid4().bytes).decode()[1:22]
        return f"version=1\ncluster.id={self._cluster_id}\nnode.id={self._node_id}\ndirectory.id={directory}\n"

    def _wait_until_ready(self, child: Child) -> None:
        give_up = time.monotonic() + _READY_WITHIN_S
        # Silent, because to be refused is what is expected until the node is up.
        client = AdminClient({"bootstrap.servers": self.address, "log_level": 0, "reconnect.backoff.max.ms": 100})
        while child.exit_code is None and time.monotonic() < give_up:
            try:
                if client.list_topics(timeout=1.0).brokers:
                    return
            except KafkaException:
                continue
        raise TimeoutError(f"Kafka at {self.address} does not answer; exit code {child.exit_code}")

    def create_topic(self, name: str, partitions: int = 1, **config: str | int) -> None:
        """`config` has the topic's settings with `_` for every dot, such as `max_message_bytes=1000`."""
        settings = {key.replace("_", "."): str(value) for key, value in config.items()}
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=settings)
        # Held by name: a client that goes out of scope takes its unfinished calls with it.
        admin = self._admin()
        admin.create_topics([topic])[name].result(_ANSWER_WITHIN_S)

    def delete_topic(self, name: str) -> None:
        admin = self._admin()
        admin.delete_topics([name])[name].result(_ANSWER_WITHIN_S)

    def empty_topic(self, name: str) -> None:
        """Nothing of what is in the topic now is there any more; its offsets go on."""
        admin = self._admin()
        partitions = admin.list_topics(name, timeout=_ANSWER_WITHIN_S).topics[name].partitions
        ends = [TopicPartition(name, partition, OFFSET_END) for partition in partitions]
        for deleted in admin.delete_records(ends).values():
            deleted.result(_ANSWER_WITHIN_S)

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.address, "log_level": _LOG_ERRORS})

    def close(self) -> None:
        """Stop it and remove all it has written."""
        if self._child is not None:
            # Nobody will read the data again, so nothing is gained by waiting for it to be put in order.
            self.kill()
        shutil.rmtree(self._folder)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
