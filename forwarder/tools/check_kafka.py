"""Looks whether the brokers answer, the topics are there, and these credentials may do with them what is needed."""

import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from ..errors import BadSetting, KafkaAway
from ..kafka import admin
from ..kafka.admin import ClusterFacts, Operation, TopicFacts
from ..kafka.cluster import NO_ERROR, Cluster, words_of
from ..remote.connection import connect
from ..settings.types import Settings, TopicSettings
from .findings import Finding, failed, ok, unknown, warning
from .instrument import what_makes

_CONFIG = frozenset({Operation.READ})
_STATUS = frozenset({Operation.WRITE})
_STORAGE = frozenset({Operation.READ, Operation.WRITE})
_DATA = frozenset({Operation.WRITE})


@dataclass(frozen=True, slots=True)
class _Needed:
    """A topic, and what has to be allowed with it."""

    settings: TopicSettings
    role: str
    operations: frozenset[Operation]


async def check(settings: Settings, data_topics: Iterable[TopicSettings]) -> AsyncIterator[Finding]:
    """Everything about Kafka. `data_topics` are those that streams go to."""
    needed = _needed(settings, data_topics)
    clusters = dict.fromkeys((settings.output, *(each.settings.cluster for each in needed), *settings.allowed_outputs))
    for cluster in clusters:
        of_it = [each for each in needed if each.settings.cluster == cluster]
        try:
            connections = connect(cluster)
        except BadSetting as error:
            yield failed("brokers", ",".join(cluster.brokers), str(error))
            continue
        try:
            async for finding in _check_cluster(connections, settings, of_it):
                yield finding
        except KafkaAway as error:
            # Who is refused is told in the same words what to set.
            hint = "" if connections.refused else "see the address, the network, and whether the broker runs"
            yield failed("brokers", connections.name, str(error), hint)
        finally:
            await connections.close()


def _needed(settings: Settings, data_topics: Iterable[TopicSettings]) -> list[_Needed]:
    found = [_Needed(topic, "config topic", _CONFIG) for topic in settings.config_topics]
    if settings.status_topic is not None:
        found.append(_Needed(settings.status_topic, "status topic", _STATUS))
    if settings.storage_topic is not None:
        found.append(_Needed(settings.storage_topic, "storage topic", _STORAGE))
    return [*found, *(_Needed(topic, "topic", _DATA) for topic in dict.fromkeys(data_topics))]


async def _check_cluster(cluster: Cluster, settings: Settings, needed: Sequence[_Needed]) -> AsyncIterator[Finding]:
    begin = time.monotonic()
    facts = await admin.describe(cluster, sorted({each.settings.topic for each in needed}))
    took_ms = (time.monotonic() - begin) * 1000
    brokers = len(facts.brokers)
    yield ok(
        "brokers",
        cluster.name,
        f"{brokers} broker{'' if brokers == 1 else 's'}, {cluster.settings.security.protocol}, "
        f"answers within {took_ms:.0f} ms",
    )
    async for finding in _check_brokers(cluster, facts.brokers):
        yield finding
    for each in needed:
        topic = facts.topics[each.settings.topic]
        yield _topic(each, topic, settings)
        if not topic.error:
            yield _access(each, topic)
    if any(Operation.WRITE in each.operations for each in needed):
        yield await _idempotence(cluster, facts)


async def _check_brokers(cluster: Cluster, brokers: Mapping[int, str]) -> AsyncIterator[Finding]:
    """A broker may answer at the address that was given, and be out of reach at the one it calls its own."""
    await cluster.refresh([])
    for number, address in brokers.items():
        try:
            await cluster.ask(number, MetadataRequest([], False))
        except KafkaAway as error:
            yield failed(
                "brokers",
                address,
                f"broker {number} is out of reach at the address it calls its own: {error}",
                "see its advertised.listeners, and how this machine resolves that name",
            )


def _topic(needed: _Needed, facts: TopicFacts, settings: Settings) -> Finding:
    name = facts.name
    if facts.missing:
        if needed.settings.cluster.create_topics:
            return warning(needed.role, name, "it does not exist yet; it is made when it is first used")
        return failed(needed.role, name, "it does not exist", what_makes(needed.settings, settings))
    if facts.error:
        return failed(needed.role, name, words_of(facts.error, "seen"), "see its ACLs")
    if not facts.usable:
        return failed(needed.role, name, "a partition has no leader", "see which of its brokers are down")
    partitions = len(facts.partitions)
    if needed.operations == _CONFIG and partitions > 1:
        return warning(
            needed.role, name, f"{partitions} partitions: only commands of the same partition stay in order",
            "a config topic has one partition",
        )  # fmt: skip
    if facts.behind:
        return warning(needed.role, name, f"copies of {facts.behind} partitions are not up to date")
    copies = "copy" if facts.replication == 1 else "copies"
    return ok(
        needed.role,
        name,
        f"{partitions} partition{'' if partitions == 1 else 's'}, {facts.replication} {copies}",
    )


def _access(needed: _Needed, facts: TopicFacts) -> Finding:
    wanted = ", ".join(sorted(each.name for each in needed.operations))
    if facts.allowed is None:
        return unknown("access", facts.name, f"the cluster does not say whether {wanted} is allowed")
    lacking = sorted(each.name for each in needed.operations - facts.allowed)
    if lacking:
        return failed(
            "access", facts.name, f"{', '.join(lacking)} is not allowed with these credentials",
            f"an ACL that allows {', '.join(lacking)} on the topic {facts.name}",
        )  # fmt: skip
    return ok("access", facts.name, f"{wanted} allowed")


async def _idempotence(cluster: Cluster, facts: ClusterFacts) -> Finding:
    if facts.allowed is not None and Operation.IDEMPOTENT_WRITE in facts.allowed:
        return ok("access", cluster.name, "IDEMPOTENT_WRITE allowed")
    # Newer clusters give an identity to whoever may write to any topic.
    # The library's annotation does not know that there may be no transaction.
    answer = await cluster.ask_any(InitProducerIdRequest(None, 0))  # pyright: ignore[reportArgumentType]
    if answer.error_code == NO_ERROR:
        return ok("access", cluster.name, "idempotent writing allowed")
    return warning(
        "access",
        cluster.name,
        "IDEMPOTENT_WRITE is not allowed: messages may arrive twice after a fault",
        "an ACL that allows IDEMPOTENT_WRITE on the cluster",
    )
