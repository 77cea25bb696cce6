"""Reading the topics of the demo while they are being written."""

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

_AT_ONCE = 500
_ANSWER_WITHIN_S = 10.0


class TopicReader:
    """All messages of some topics, from the beginning and as they come."""

    def __init__(self, address: str, topics: Sequence[str]) -> None:
        """The topics must exist."""
        self._consumer = Consumer(
            {
                "bootstrap.servers": address,
                "group.id": "unused: partitions are assigned by hand",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 50,
            }
        )
        self._partitions = [
            TopicPartition(topic, partition, OFFSET_BEGINNING)
            for topic in topics
            for partition in self._consumer.list_topics(topic, timeout=_ANSWER_WITHIN_S).topics[topic].partitions
        ]
        self._consumer.assign(self._partitions)

    def read(self, wait_s: float) -> Iterator[bytes]:
        """The messages that come within this time."""
        for message in self._consumer.consume(_AT_ONCE, wait_s):
            if (error := message.error()) is not None:
                raise KafkaException(error)
            if (value := message.value()) is not None:
                yield value

    def read_to_end(self, deadline_s: float) -> Iterator[bytes]:
        """The messages that are there by now and were not read yet."""
        give_up = time.monotonic() + deadline_s
        ends = {
            (partition.topic, partition.partition): self._consumer.get_watermark_offsets(partition, _ANSWER_WITHIN_S)[1]
            for partition in self._partitions
        }
        while not self._has_reached(ends):
            if time.monotonic() > give_up:
                raise TimeoutError(f"the topics can't be read to their end within {deadline_s:g} s")
            yield from self.read(0.1)

    def _has_reached(self, ends: dict[tuple[str, int], int]) -> bool:
        # A partition that nothing was read from has a position below zero.
        return all(
            max(at.offset, 0) >= ends[at.topic, at.partition] for at in self._consumer.position(self._partitions)
        )

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
