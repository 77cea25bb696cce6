"""Reading back what was sent, with a client that shares no code with the forwarder's."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

_AT_ONCE = 10_000
_POLL_S = 0.1
_OPTIONS: dict[str, str | int | bool] = {
    "group.id": "unused: partitions are assigned by hand",
    "enable.auto.commit": False,
    "fetch.wait.max.ms": 50,
    # By default the client rests for a second whenever it holds a hundred thousand records.
    "queued.min.messages": 1_000_000,
    "fetch.queue.backoff.ms": 10,
}


class Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    partition: int
    offset: int
    headers: Mapping[str, bytes | None] = {}


Until: TypeAlias = int | Callable[[Sequence[Record]], bool] | None
"""When to stop reading: after so many records, when all read so far satisfy this, or (None) at the topic's end."""


def consume(address: str, topic: str, until: Until = None, *, deadline_s: float = 30.0) -> list[Record]:
    """All records of a topic from its beginning, in order within each partition.

    Raises TimeoutError if `until` has not come true by the deadline. A topic that does not exist yet is waited for.
    """
    give_up = time.monotonic() + deadline_s
    consumer = Consumer(_OPTIONS | {"bootstrap.servers": address, "enable.partition.eof": True})
    try:
        partitions = _partitions(consumer, topic, give_up)
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        return _read(consumer, topic, partitions, until, give_up)
    finally:
        consumer.close()


class Follower:
    """Reads on in a topic where it was: one connection, for as long as somebody is interested."""

    def __init__(self, address: str, topic: str) -> None:
        self._place = TopicPartition(topic, 0, OFFSET_BEGINNING)
        self._consumer = Consumer(_OPTIONS | {"bootstrap.servers": address})
        self._consumer.assign([self._place])
        self.records: list[Record] = []
        """All that partition 0 held when it was read last."""

    def read(self, *, deadline_s: float = 30.0) -> list[Record]:
        """All that partition 0 holds now."""
        give_up = time.monotonic() + deadline_s
        _, end = self._consumer.get_watermark_offsets(self._place, deadline_s, cached=False)
        while (self.records[-1].offset if self.records else -1) < end - 1:
            if time.monotonic() > give_up:
                raise TimeoutError(f"{len(self.records)} of {end} records were read from {self._place.topic}")
            self.records += filter(None, map(_record, self._consumer.consume(_AT_ONCE, _POLL_S)))
        return self.records

    def close(self) -> None:
        self._consumer.close()


def _partitions(consumer: Consumer, topic: str, give_up: float) -> set[int]:
    while True:
        metadata = consumer.list_topics(topic, timeout=max(give_up - time.monotonic(), _POLL_S)).topics[topic]
        if metadata.error is None:
            return set(metadata.partitions)
        if time.monotonic() > give_up:
            raise TimeoutError(f"there is no topic {topic}: {metadata.error}")
        # Serves the client's own events while it waits.
        consumer.poll(_POLL_S)


def _read(consumer: Consumer, topic: str, partitions: set[int], until: Until, give_up: float) -> list[Record]:
    records: list[Record] = []
    not_at_end = set(partitions)
    while not _satisfied(until, records, not_at_end):
        if time.monotonic() > give_up:
            raise TimeoutError(f"{len(records)} records were read from {topic}, and it is not enough")
        for message in consumer.consume(_AT_ONCE, _POLL_S):
            if (record := _record(message)) is not None:
                records.append(record)
            elif (error := message.error()) is not None and error.code() == KafkaError._PARTITION_EOF:
                not_at_end.discard(message.partition())
    return records


def _record(message: Message) -> Record | None:
    """None for what is no record and may pass."""
    error = message.error()
    if error is None:
        headers = cast("Mapping[str, bytes | None]", dict(message.headers() or ()))
        partition, offset = cast(int, message.partition()), cast(int, message.offset())
        return Record(message.key(), message.value(), message.timestamp()[1], partition, offset, headers)
    if not error.retriable() and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return None


def _satisfied(until: Until, records: Sequence[Record], not_at_end: set[int]) -> bool:
    if until is None:
        return not not_at_end
    if isinstance(until, int):
        return len(records) >= until
    return until(records)
