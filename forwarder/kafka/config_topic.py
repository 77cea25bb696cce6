"""Reads one config topic: every message once, in order, from when the service began to read."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest

from forwarder.errors import KafkaAway
from forwarder.faults import RepeatingFault
from forwarder.forever import Ended
from forwarder.settings.types import TopicSettings

from .cluster import NO_ERROR, TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC, Cluster, words_of
from .security import connection_options

log = logging.getLogger(__name__)

_LOOK_AGAIN_S = 1.0
_LONGEST_FETCH_WAIT_MS = 500
"""How long the broker keeps a request while nothing comes; what comes is answered at once."""
_MAX_FETCH_BYTES = 32 * 1024 * 1024
_REQUEST_TIMEOUT_S = 10.0
_END = -1
_STOP_S = 5.0
_WATCH_S = 5.0
"""How often the topic is looked at while it is read: the consumer does not tell that its broker is away."""


@dataclass(frozen=True, slots=True)
class ConfigMessage:
    """One message of a config topic, as it came."""

    value: bytes
    """Empty for a tombstone."""
    topic: str
    partition: int
    offset: int


class ConfigTopic:
    """The reader of one config topic. It waits for the cluster and the topic, and says so once."""

    def __init__(
        self,
        settings: TopicSettings,
        client_id: str,
        receive: Callable[[ConfigMessage], None],
        *,
        from_beginning: bool = False,
    ) -> None:
        """`from_beginning`: where nothing says from where to read, all there is; else only what is new."""
        self.name = f"{settings.cluster.brokers[0]}/{settings.topic}"
        self.reading = asyncio.Event()
        """Set when a message that is sent now will be received."""
        self._settings = settings
        self._client_id = client_id
        self._receive = receive
        self.next_offsets: dict[int, int] = {}
        """Of each partition, as far as that is known: the offset of the next message to be received."""
        self._stuck_at: dict[int, int] = {}
        """Offsets from which on the consumer brought nothing, though there was something to be read."""
        self._all_is_new = from_beginning
        """Whether partitions that are seen for the first time were made while this service was there already."""
        self._waiting = RepeatingFault(log, f"waiting for the config topic {self.name}", time.monotonic)

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self._read(await self._partitions())
            except TopicAuthorizationFailedError:
                self._waiting.occurred(words_of(TOPIC_AUTHORIZATION_FAILED, "read"))
            except (KafkaError, KafkaAway, OSError, TimeoutError) as error:
                self._waiting.occurred(error)
            self.reading.clear()
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _partitions(self) -> list[int]:
        """The topic's partitions, as soon as they may be read. Raises KafkaAway when no broker answers."""
        cluster = Cluster(self._settings.cluster, self._client_id, _REQUEST_TIMEOUT_S)
        try:
            while True:
                await cluster.refresh([self._settings.topic])
                partitions = cluster.partitions.get(self._settings.topic)
                error = cluster.problems.get(self._settings.topic)
                if partitions and error is None:
                    error = await self._denied(cluster, min(partitions))
                if partitions and error is None:
                    return sorted(partitions)
                if error == UNKNOWN_TOPIC:
                    self._all_is_new = True
                self._waiting.occurred(words_of(error, "read"))
                await asyncio.sleep(_LOOK_AGAIN_S)
        finally:
            await cluster.close()

    async def _denied(self, cluster: Cluster, partition: int) -> int | None:
        """The error of an account that may see the topic and not read it: its consumer would start, and then fail."""
        leader = cluster.leader(self._settings.topic, partition)
        if leader is None:
            return None
        answer = await cluster.ask(leader, FetchRequest(0, 0, 1, 0, [(self._settings.topic, [(partition, 0, 1)])]))
        errors = [error for _, of_topic in answer.topics for _, error, *_ in of_topic]
        return TOPIC_AUTHORIZATION_FAILED if TOPIC_AUTHORIZATION_FAILED in errors else None

    async def _read(self, partitions: list[int]) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=",".join(self._settings.cluster.brokers),
            client_id=self._client_id,
            group_id=None,
            enable_auto_commit=False,
            # Only a topic that was deleted and made again has lost our offset: then all in it is new.
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_LONGEST_FETCH_WAIT_MS,
            max_partition_fetch_bytes=_MAX_FETCH_BYTES,
            request_timeout_ms=int(_REQUEST_TIMEOUT_S * 1000),
            **connection_options(self._settings.cluster.security),
        )
        try:
            await consumer.start()
            assigned = [TopicPartition(self._settings.topic, partition) for partition in partitions]
            consumer.assign(assigned)
            unread = [each for each in assigned if each.partition not in self.next_offsets]
            if self._all_is_new:
                self.next_offsets.update((each.partition, 0) for each in unread)
            elif unread:
                for each, end in (await consumer.end_offsets(unread)).items():
                    self.next_offsets[each.partition] = end
            for each in assigned:
                consumer.seek(each, self.next_offsets[each.partition])
            self._waiting.over()
            log.info("reading commands from %s", self.name)
            self._all_is_new = True
            self.reading.set()
            await _first_of(
                {
                    f"taking from {self.name}": self._take_all(consumer),
                    f"watching {self.name}": self._watch(partitions),
                }
            )
        finally:
            with suppress(TimeoutError):
                # Its end can hang when the broker is gone.
                async with asyncio.timeout(_STOP_S):
                    await consumer.stop()

    async def _take_all(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            self._take(record)

    async def _watch(self, partitions: list[int]) -> None:
        """Tell when the topic can't be read and when it can again; returns when its partitions have changed.

        Raises KafkaAway when a consumer can't go on: it is refused, or does not bring what is there, because a task of
        its own has died.
        """
        behind: dict[int, int] = {}
        topic = self._settings.topic
        cluster = Cluster(self._settings.cluster, self._client_id, _REQUEST_TIMEOUT_S)
        try:
            while True:
                await asyncio.sleep(_WATCH_S)
                try:
                    await cluster.refresh([topic])
                    before, behind = behind, await self._behind(cluster, partitions)
                except KafkaAway as error:
                    if cluster.refused:
                        # The consumer would try several times a second, which locks accounts.
                        raise
                    self._waiting.occurred(error)
                    self.reading.clear()
                    continue
                if topic in cluster.problems:
                    self._waiting.occurred(words_of(cluster.problems[topic], "read"))
                    self.reading.clear()
                elif sorted(cluster.partitions[topic]) != partitions:
                    return
                else:
                    self._waiting.over()
                    self.reading.set()
                    if any(before.get(each) == offset != self._stuck_at.get(each) for each, offset in behind.items()):
                        # Once for each offset: what is there may be a transaction's marker, which nobody gets.
                        self._stuck_at.update(behind)
                        raise KafkaAway("its consumer brings nothing, though there is something to be read")
        finally:
            await cluster.close()

    async def _behind(self, cluster: Cluster, partitions: list[int]) -> dict[int, int]:
        """The partitions that hold messages which have not come yet, and from which offset on."""
        topic = self._settings.topic
        behind: dict[int, int] = {}
        for partition in partitions:
            leader = cluster.leader(topic, partition)
            if leader is None:
                continue
            answer = await cluster.ask(leader, OffsetRequest(-1, 0, [(topic, [(partition, _END)])]))
            for _, of_topic in answer.topics:
                for _, error, _, end in of_topic:
                    if error == NO_ERROR and end > self.next_offsets[partition]:
                        behind[partition] = self.next_offsets[partition]
        return behind

    def _take(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        self.next_offsets[record.partition] = record.offset + 1
        self._receive(ConfigMessage(record.value or b"", record.topic, record.partition, record.offset))


async def _first_of(coroutines: Mapping[str, Coroutine[Any, Any, None]]) -> None:
    """Run all, by name, until one returns or raises, and end the others."""
    tasks = [asyncio.create_task(coroutine, name=name) for name, coroutine in coroutines.items()]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task.cancelled():
                raise Ended(f"{task.get_name()} was cancelled")
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
