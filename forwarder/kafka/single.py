"""Sends one message to a topic and waits until it is there, for commands that people give."""

import time
from dataclasses import replace

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from forwarder.errors import ForwarderError
from forwarder.pulse import Pulse
from forwarder.settings.types import TopicSettings

from .cluster import NO_ERROR
from .topic_reader import TopicTrouble
from .topic_requests import NotNow, TopicRequests, reason

_MAGIC, _GZIP, _PLAIN = 2, 1, 0
_SMALL = 10_000
"""Bytes up to which nothing is gained by compression."""
_TOO_LARGE = (10, 18)


async def send(settings: TopicSettings, client_id: str, message: bytes) -> tuple[int, int]:
    """Partition and offset of the message. Never makes the topic. Raises TopicTrouble, and KafkaAway."""
    topic = settings.topic
    existing = replace(settings, cluster=replace(settings.cluster, create_topics=False))
    requests = TopicRequests(existing, client_id, Pulse())
    try:
        partition = min(await requests.refresh())
        error, offset = await requests.append(partition, _batch(message))
    except NotNow as trouble:
        raise TopicTrouble(topic, str(trouble)) from None
    finally:
        await requests.close()
    if error in _TOO_LARGE:
        raise ForwarderError(f"the topic {topic} takes no message of {len(message)} bytes: see its max.message.bytes")
    if error != NO_ERROR:
        raise TopicTrouble(topic, reason(error, "written to"))
    return partition, offset


def _batch(message: bytes) -> bytes:
    builder = DefaultRecordBatchBuilder(_MAGIC, _GZIP if len(message) > _SMALL else _PLAIN, 0, -1, -1, -1, len(message))
    # The first record is taken whatever its size.
    builder.append(0, time.time_ns() // 1_000_000, None, message, [])
    return bytes(builder.build())
