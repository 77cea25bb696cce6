"""A cluster of three brokers, each of which can be broken."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self
from uuid import uuid4

from confluent_kafka import ElectionType, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.support.kafka import Broker
from tests.support.ports import LOOPBACK, free_port
from tests.support.waiting import wait_until

_NODES = 3
_WITHIN_S = 60.0


class _Node(Broker):
    def __init__(self, identifier: int, controllers: Sequence[int], cluster_id: str) -> None:
        self.identifier = identifier
        self._controllers = controllers
        super().__init__(heap="256m", cluster_id=cluster_id)

    def _properties(self, controller_port: int, auto_create: bool) -> dict[str, str | int]:
        port = self._controllers[self.identifier - 1]
        voters = [f"{number}@{LOOPBACK}:{each}" for number, each in enumerate(self._controllers, 1)]
        return {
            **super()._properties(port, auto_create),
            "node.id": self.identifier,
            "controller.quorum.voters": ",".join(voters),
            # Only a test says when a leader moves back.
            "auto.leader.rebalance.enable": "false",
            "replica.lag.time.max.ms": 5_000,
            "min.insync.replicas": 2,
            # Three of them on a small machine are late now and then.
            "broker.session.timeout.ms": 6_000,
            "broker.heartbeat.interval.ms": 1_000,
        }

    def launch(self) -> None:
        """Start the process: it does not answer before most of the others run too."""
        self._child = self._launch()

    def wait_until_ready(self) -> None:
        self._wait_until_ready(self.child)


class Brokers:
    """Every topic has three replicas, two of which have to be in sync."""

    def __init__(self) -> None:
        controllers = [free_port() for _ in range(_NODES)]
        cluster_id = f"test-{uuid4().hex[:17]}"
        self.nodes = {number: _Node(number, controllers, cluster_id) for number in range(1, _NODES + 1)}

    @property
    def address(self) -> str:
        return ",".join(node.address for node in self.nodes.values())

    def create_topic(self, name: str, partitions: int = 1) -> None:
        wait_until(lambda: self._created(name, partitions), _WITHIN_S, what=f"{name} is made")
        wait_until(
            lambda: self._is_known(name) and len(self.in_sync(name)) == _NODES,
            _WITHIN_S,
            what=f"{name} has all replicas",
        )

    def _created(self, name: str, partitions: int) -> bool:
        try:
            admin = self._admin()
            admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=_NODES)])[name].result(
                _WITHIN_S
            )
        except KafkaException as error:
            # A broker that was late does not count as one for a moment.
            if error.args[0].code() != KafkaError.INVALID_REPLICATION_FACTOR:
                raise
            return False
        return True

    def _is_known(self, name: str) -> bool:
        return 0 in self._admin().list_topics(name, timeout=10).topics[name].partitions

    def leader(self, topic: str) -> int:
        return self._partition(topic).leader

    def in_sync(self, topic: str) -> list[int]:
        return self._partition(topic).isrs

    def lead_by_first_replica(self, topic: str) -> None:
        admin = self._admin()
        admin.elect_leaders(ElectionType.PREFERRED, [TopicPartition(topic, 0)]).result(_WITHIN_S)

    def _partition(self, topic: str):
        return self._admin().list_topics(topic, timeout=10).topics[topic].partitions[0]

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.address, "log_level": 0})

    def __enter__(self) -> Self:
        for node in self.nodes.values():
            node.launch()
        for node in self.nodes.values():
            node.wait_until_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for node in self.nodes.values():
            node.close()
