"""What a cluster says of its brokers and topics, and how it is asked to make topics."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from aiokafka.protocol.admin import CreateTopicsRequest, DescribeConfigsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from forwarder.errors import ForwarderError

from .cluster import NO_ERROR, UNKNOWN_TOPIC, Cluster

ALREADY_EXISTS = 36
NOT_CONTROLLER = 41
_TOPIC = 2
"""Kafka's number for this kind of resource."""
_MADE_WITHIN_MS = 15_000
_LOOK_AGAIN_S = 0.1
_NOT_ASKED = -(2**31)
_WORDS = {
    17: "the name is not allowed",
    29: "these credentials may not do this with it",
    31: "these credentials may not do this in the cluster",
    37: "the number of partitions is not possible",
    38: "there are not as many brokers as copies are wanted",
    40: "one of its settings is not possible",
    44: "the cluster's policy does not allow it",
}


class Operation(IntEnum):
    """What an ACL may allow (org.apache.kafka.common.acl.AclOperation)."""

    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10
    IDEMPOTENT_WRITE = 12


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What a cluster says of one topic."""

    name: str
    error: int
    """Kafka's error code; 0: it can be used."""
    partitions: Mapping[int, int]
    """Partition -> broker that leads it, -1 for none."""
    replication: int
    """Copies, the least of any partition."""
    behind: int
    """Partitions with a copy that is not up to date."""
    allowed: frozenset[Operation] | None
    """What these credentials may do; None where the cluster does not say."""

    @property
    def usable(self) -> bool:
        """Whether all its partitions have a leader."""
        return not self.error and all(leader >= 0 for leader in self.partitions.values())

    @property
    def missing(self) -> bool:
        return self.error == UNKNOWN_TOPIC


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What a cluster says of itself."""

    brokers: Mapping[int, str]
    """Number -> host:port."""
    controller: int
    allowed: frozenset[Operation] | None
    topics: Mapping[str, TopicFacts]


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A topic to be made."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str] = field(default_factory=dict[str, str])


async def describe(cluster: Cluster, topics: Sequence[str] | None) -> ClusterFacts:
    """The brokers, and these topics or (None) all that may be seen. Makes none. Raises KafkaAway."""
    answer = await cluster.ask_any(_Describe(topics))
    return ClusterFacts(
        {number: f"{host}:{port}" for number, host, port, _ in answer.brokers},
        answer.controller_id,
        _operations(answer.cluster_operations),
        {facts.name: facts for facts in map(_facts, answer.topics)},
    )


async def configs(cluster: Cluster, topics: Iterable[str], names: Sequence[str]) -> dict[str, dict[str, str]]:
    """These settings of topics; a topic whose settings may not be seen is not in it. Raises KafkaAway."""
    wanted = [(_TOPIC, topic, list(names)) for topic in topics]
    if not wanted:
        return {}
    answer = await cluster.ask_any(DescribeConfigsRequest(wanted))
    return {
        name: {key: value for key, value, *_ in entries}
        for error, _, _, name, entries in answer.resources
        if error == NO_ERROR
    }


@dataclass(frozen=True, slots=True)
class Made:
    """What came of topics that were to be made; one that was there already is in neither."""

    names: Sequence[str] = ()
    failed: Mapping[str, str] = field(default_factory=dict[str, str])
    """Why not."""


async def create(cluster: Cluster, topics: Sequence[NewTopic], *, only_try: bool = False) -> Made:
    """Have topics made. One that is there already is left as it is.

    `only_try` has the cluster check everything and make nothing. Raises KafkaAway.
    """
    wanted: Any = [
        (topic.name, topic.partitions, topic.replication, [], sorted(topic.config.items())) for topic in topics
    ]
    facts = await describe(cluster, [])
    await cluster.refresh([])
    answer = await cluster.ask(facts.controller, CreateTopicsRequest(wanted, _MADE_WITHIN_MS, only_try))
    errors: list[tuple[str, int, str | None]] = answer.topic_errors
    made = tuple(name for name, error, _ in errors if error == NO_ERROR)
    failed = {name: _reason(error, text) for name, error, text in errors if error not in (NO_ERROR, ALREADY_EXISTS)}
    if not only_try:
        await _until_there(cluster, [topic.name for topic in topics if topic.name not in failed])
    return Made(made, failed)


async def _until_there(cluster: Cluster, topics: Sequence[str]) -> None:
    """The controller knows of a new topic before the brokers do."""
    try:
        async with asyncio.timeout(_MADE_WITHIN_MS / 1000):
            while topics:
                facts = await describe(cluster, topics)
                topics = [
                    name for name, topic in facts.topics.items() if topic.error or -1 in topic.partitions.values()
                ]
                await asyncio.sleep(_LOOK_AGAIN_S if topics else 0)
    except TimeoutError:
        raise ForwarderError(f"the cluster has made {', '.join(topics)}, but no broker leads it yet") from None


def _reason(error: int, text: str | None) -> str:
    words = _WORDS.get(error, f"the broker answers with the error {error}")
    return f"{words}: {text.rstrip('.')}" if text else words


def _facts(topic: tuple[Any, ...]) -> TopicFacts:
    error, name, _, partitions, operations = topic
    return TopicFacts(
        name,
        error,
        {number: leader for _, number, leader, *_ in partitions},
        min((len(replicas) for *_, replicas, _, _ in partitions), default=0),
        sum(len(in_sync) < len(replicas) for *_, replicas, in_sync, _ in partitions),
        _operations(operations),
    )


def _operations(bits: int) -> frozenset[Operation] | None:
    return None if bits == _NOT_ASKED else frozenset(each for each in Operation if bits >> each & 1)


class _DescribeResponse(Response):
    # pyright takes the library's abstract properties at their word; its own responses override them just so.
    API_KEY = 3  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]
    API_VERSION = 8  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8")))),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline", Array(Int32)),
                    ),
                ),
                ("operations", Int32),
            ),
        ),
        ("cluster_operations", Int32),
    )


class _DescribeStruct(RequestStruct):
    """Metadata as of version 8, the first that tells what the asking user may do (KIP-430, Kafka 2.3)."""

    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _DescribeResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _Describe(Request[_DescribeStruct]):
    API_KEY = 3

    def __init__(self, topics: Sequence[str] | None) -> None:
        self._topics = None if topics is None else list(topics)

    def build(self, request_struct_class: type[_DescribeStruct]) -> _DescribeStruct:
        return request_struct_class(self._topics, False, True, True)
