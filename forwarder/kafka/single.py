"""Sends one message to a topic and waits until it is there, for commands that people give."""

import time
from typing import Any

from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from forwarder.errors import ForwarderError

from .cluster import NO_ERROR, Cluster
from .topic_reader import TopicTrouble

_MAGIC, _GZIP, _PLAIN = 2, 1, 0
_SMALL = 10_000
"""Bytes up to which nothing is gained by compression."""
_ALL_REPLICAS = -1
_TIMEOUT_MS = 10_000
_TOO_LARGE = (10, 18)


async def send(cluster: Cluster, topic: str, message: bytes) -> tuple[int, int]:
    """Partition and offset of the message. Raises TopicTrouble and KafkaAway."""
    await cluster.refresh([topic])
    if error := cluster.problems.get(topic, NO_ERROR):
        raise TopicTrouble(topic, error, "written to")
    partition = min(cluster.partitions[topic])
    leader = cluster.leader(topic, partition)
    if leader is None:
        raise ForwarderError(f"the topic {topic}: no broker leads it just now")
    batches: Any = [(topic, [(partition, _batch(message))])]
    answer = await cluster.ask(leader, ProduceRequest(None, _ALL_REPLICAS, _TIMEOUT_MS, batches))
    _, error, offset, *_ = answer.topics[0][1][0]
    if error in _TOO_LARGE:
        raise ForwarderError(f"the topic {topic} takes no message of {len(message)} bytes: see its max.message.bytes")
    if error != NO_ERROR:
        raise TopicTrouble(topic, error, "written to")
    return partition, offset


def _batch(message: bytes) -> bytes:
    builder = DefaultRecordBatchBuilder(_MAGIC, _GZIP if len(message) > _SMALL else _PLAIN, 0, -1, -1, -1, len(message))
    # The first record is taken whatever its size.
    builder.append(0, time.time_ns() // 1_000_000, None, message, [])
    return bytes(builder.build())
