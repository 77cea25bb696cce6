"""Sends a message, or a few, to a topic and waits until it is there: for commands that are given now and then."""

import time
from collections.abc import Sequence
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
_OVERHEAD = 100
"""Bytes of a record, beside its value, and of the batch; more than they are."""


async def send(settings: TopicSettings, client_id: str, message: bytes) -> tuple[int, int]:
    """Partition and offset of the message. Never makes the topic. Raises TopicTrouble, and KafkaAway."""
    return await send_all(settings, client_id, [message])


async def send_all(settings: TopicSettings, client_id: str, messages: Sequence[bytes]) -> tuple[int, int]:
    """As `send`, for messages that go together, or none of them: the offset is that of the last."""
    topic = settings.topic
    existing = replace(settings, cluster=replace(settings.cluster, create_topics=False))
    requests = TopicRequests(existing, client_id, Pulse())
    try:
        partition = min(await requests.refresh())
        error, offset = await requests.append(partition, _batch(messages))
    except NotNow as trouble:
        raise TopicTrouble(topic, str(trouble)) from None
    finally:
        await requests.close()
    if error in _TOO_LARGE:
        raise ForwarderError(
            f"the topic {topic} takes no message of {sum(map(len, messages))} bytes: see its max.message.bytes"
        )
    if error != NO_ERROR:
        raise TopicTrouble(topic, reason(error, "written to"))
    return partition, offset + len(messages) - 1


def _batch(messages: Sequence[bytes]) -> bytes:
    size = sum(map(len, messages)) + _OVERHEAD * len(messages)
    builder = DefaultRecordBatchBuilder(_MAGIC, _GZIP if size > _SMALL else _PLAIN, 0, -1, -1, -1, size)
    for number, message in enumerate(messages):
        added = builder.append(number, time.time_ns() // 1_000_000, None, message, [])
        assert added is not None, "there is room for all"
    return bytes(builder.build())
