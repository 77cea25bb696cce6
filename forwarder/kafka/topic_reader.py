"""Reads a topic from anywhere, for those who look at what others have sent."""

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords

from forwarder.errors import ForwarderError

from .cluster import NO_ERROR, Cluster
from .topic_requests import reason

EARLIEST, LATEST = -2, -1
"""Instead of a time: the first offset that is there, and the next one to come."""

_OFFSET_OUT_OF_RANGE = 1
_FOR_A_MOMENT = (5, 6, 9)
"""LEADER_NOT_AVAILABLE, NOT_LEADER_FOR_PARTITION, REPLICA_NOT_AVAILABLE: the leader is changing."""
_MAX_BYTES = 8 * 1024 * 1024
_LOOK_AGAIN_S = 0.2


class TopicTrouble(ForwarderError):
    """A topic can't be read or written to as things are; the message names it and says why."""

    retry = True

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"the topic {topic}: {reason}")


@dataclass(frozen=True, slots=True)
class Record:
    """One message of a topic, as it is there."""

    topic: str
    partition: int
    offset: int
    time_ms: int
    """Kafka's timestamp, milliseconds since the Unix epoch."""
    key: bytes | None
    value: bytes | None
    """None: a tombstone."""


class TopicReader:
    """One topic of a cluster that somebody else closes."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self.topic = topic
        self._cluster = cluster

    async def offsets(self, when: int) -> dict[int, int]:
        """Of each partition, the offset of its first message at or after a time in milliseconds, else of its end.

        Raises TopicTrouble, and KafkaAway when no broker answers.
        """
        await self._refresh()
        partitions = sorted(self._cluster.partitions[self.topic])
        found = await asyncio.gather(*(self._offset(partition, when) for partition in partitions))
        return dict(zip(partitions, found, strict=True))

    async def fetch(self, positions: Mapping[int, int], wait_ms: int) -> tuple[list[Record], dict[int, int]]:
        """What there is from these offsets on, as far as it fits an answer, and the offsets to go on from.

        Waits so long at most for something to come. Raises TopicTrouble, and KafkaAway when no broker answers.
        """
        by_leader: dict[int, list[int]] = {}
        for partition in positions:
            leader = self._cluster.leader(self.topic, partition)
            if leader is None:
                await asyncio.sleep(_LOOK_AGAIN_S)
                await self._refresh()
                return [], dict(positions)
            by_leader.setdefault(leader, []).append(partition)
        answers = await asyncio.gather(
            *(
                self._ask(leader, {each: positions[each] for each in of_it}, wait_ms)
                for leader, of_it in by_leader.items()
            )
        )
        records: list[Record] = []
        following = dict(positions)
        for answer in answers:
            for partition, error, data in answer:
                if error == NO_ERROR:
                    found, following[partition] = await asyncio.to_thread(
                        _records, self.topic, partition, data, positions[partition]
                    )
                    records += found
                elif error == _OFFSET_OUT_OF_RANGE:
                    following[partition] = await self._back_in_range(partition, positions[partition])
                elif error in _FOR_A_MOMENT:
                    await asyncio.sleep(_LOOK_AGAIN_S)
                    await self._refresh()
                else:
                    raise TopicTrouble(self.topic, reason(error, "read"))
        return records, following

    async def _refresh(self) -> None:
        await self._cluster.refresh([self.topic])
        if error := self._cluster.problems.get(self.topic, NO_ERROR):
            raise TopicTrouble(self.topic, reason(error, "read"))

    async def _back_in_range(self, partition: int, position: int) -> int:
        """What was to be read next has been deleted by now, or is not there any more after the topic was made anew."""
        earliest, latest = await self._offset(partition, EARLIEST), await self._offset(partition, LATEST)
        return min(max(position, earliest), latest)

    async def _offset(self, partition: int, when: int) -> int:
        leader = self._cluster.leader(self.topic, partition)
        if leader is None:
            raise TopicTrouble(self.topic, reason(_FOR_A_MOMENT[0], "read"))
        answer = await self._cluster.ask(leader, OffsetRequest(-1, 0, [(self.topic, [(partition, when)])]))
        _, error, _, offset = answer.topics[0][1][0]
        if error != NO_ERROR:
            raise TopicTrouble(self.topic, reason(error, "read"))
        # Nothing is as new as that.
        return offset if offset >= 0 else await self._offset(partition, LATEST)

    async def _ask(self, leader: int, positions: Mapping[int, int], wait_ms: int) -> list[tuple[int, int, bytes]]:
        """Partition, error and batches."""
        wanted = [(partition, offset, _MAX_BYTES) for partition, offset in positions.items()]
        answer = await self._cluster.ask(leader, FetchRequest(wait_ms, 1, _MAX_BYTES, 0, [(self.topic, wanted)]))
        if not answer.topics:
            # So a broker answers whose quota is used up.
            await asyncio.sleep(max(answer.throttle_time_ms / 1000, _LOOK_AGAIN_S))
            return []
        partitions: list[tuple[Any, ...]] = answer.topics[0][1]
        return [(each[0], each[1], each[-1] or b"") for each in partitions]


def _records(topic: str, partition: int, data: bytes, first: int) -> tuple[list[Record], int]:
    """The records of some batches from an offset on, and the offset after them."""
    found: list[Record] = []
    following = first
    batches = MemoryRecords(data)
    try:
        while batches.has_next():
            batch = batches.next_batch()
            assert batch is not None
            if not getattr(batch, "is_control_batch", False):
                found += [
                    Record(topic, partition, each.offset, each.timestamp or 0, each.key, each.value)
                    for each in batch
                    if each.offset >= first
                ]
            following = max(following, batch.next_offset)
    except (KafkaError, OSError, EOFError, ValueError, zlib.error) as error:
        raise ForwarderError(f"the topic {topic}: the batch at [{partition}]@{following} is damaged: {error}") from None
    return found, following
