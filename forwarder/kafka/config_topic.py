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

from forwarder.errors import KafkaAway
from forwarder.faults import RepeatingFault
from forwarder.forever import Ended
from forwarder.pulse import Pulse
from forwarder.settings.types import TopicSettings

from .cluster import TOPIC_AUTHORIZATION_FAILED, words_of
from .security import connection_options
from .topic_requests import REQUEST_TIMEOUT_S, Missing, NotNow, TopicRequests

log = logging.getLogger(__name__)

_LOOK_AGAIN_S = 1.0
_LONGEST_FETCH_WAIT_MS = 500
"""How long the broker keeps a request while nothing comes; what comes is answered at once."""
_MAX_FETCH_BYTES = 32 * 1024 * 1024
_START_S = 2 * REQUEST_TIMEOUT_S
_STOP_S = 1.0
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
        self.problem = "it was not looked for yet"
        """Why it is not read, for people; empty while it is."""
        self.pulse = Pulse()
        self._settings = settings
        self._client_id = client_id
        self._receive = receive
        self.next_offsets: dict[int, int] = {}
        """Of each partition, as far as that is known: the offset of the next message to be received."""
        self._stuck_at: dict[int, int] = {}
        """Offsets from which on the consumer brought nothing, though there was something to be read."""
        self._all_is_new = from_beginning
        """Whether partitions that are seen for the first time were made while this service was there already."""
        self._requests = TopicRequests(settings, client_id, self.pulse)
        self._waiting = RepeatingFault(log, f"waiting for the config topic {self.name}", time.monotonic)

    @property
    def slowest_s(self) -> float:
        """How long it may wait for one broker that does not answer."""
        return max(self._requests.slowest_s, _START_S)

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self._read(await self._partitions())
            except TopicAuthorizationFailedError:
                self._not_read(words_of(TOPIC_AUTHORIZATION_FAILED, "read"))
            except (KafkaError, KafkaAway, NotNow, OSError, TimeoutError) as error:
                self._not_read(error)
            finally:
                await self._requests.close()
            await self.pulse.sleep(_LOOK_AGAIN_S)

    def _not_read(self, why: object) -> None:
        self._waiting.occurred(why)
        self.problem = str(why) or type(why).__name__
        self.reading.clear()

    def _is_read(self) -> None:
        self._waiting.over()
        self.problem = ""
        self.reading.set()

    async def _partitions(self) -> list[int]:
        """The topic's partitions, as soon as they may be read. Raises KafkaAway when no broker answers."""
        while True:
            try:
                partitions = await self._requests.refresh()
                # A consumer that may not read would start, and then fail.
                await self._requests.check_readable(partitions[0])
            except NotNow as error:
                self._all_is_new |= isinstance(error, Missing)
                self._not_read(error)
                await self.pulse.sleep(_LOOK_AGAIN_S)
            else:
                return partitions

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
            request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000),
            **connection_options(self._settings.cluster.security),
        )
        try:
            async with asyncio.timeout(_START_S):
                await consumer.start()
            assigned = [TopicPartition(self._settings.topic, partition) for partition in partitions]
            consumer.assign(assigned)
            for partition in partitions:
                if partition not in self.next_offsets:
                    self.next_offsets[partition] = 0 if self._all_is_new else await self._requests.end(partition)
            for each in assigned:
                consumer.seek(each, self.next_offsets[each.partition])
            self._is_read()
            log.info("reading commands from %s", self.name)
            self._all_is_new = True
            await _first_of(
                {
                    f"taking from {self.name}": self._take_all(consumer),
                    f"watching {self.name}": self._watch(partitions),
                }
            )
        finally:
            self.pulse.beat()
            await _end(consumer)

    async def _take_all(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            self._take(record)

    async def _watch(self, partitions: list[int]) -> None:
        """Tell when the topic can't be read and when it can again; returns when its partitions have changed.

        Raises KafkaAway when a consumer can't go on: it is refused, or does not bring what is there, because a task of
        its own has died.
        """
        behind: dict[int, int] = {}
        while True:
            await self.pulse.sleep(_WATCH_S)
            try:
                found = await self._requests.refresh()
                before, behind = behind, await self._behind(partitions)
            except NotNow as error:
                self._not_read(error)
                continue
            except KafkaAway as error:
                if self._requests.cluster.refused:
                    # The consumer would try several times a second, which locks accounts.
                    raise
                self._not_read(error)
                continue
            if found != partitions:
                return
            self._is_read()
            if any(before.get(each) == offset != self._stuck_at.get(each) for each, offset in behind.items()):
                # Once for each offset: what is there may be a transaction's marker, which nobody gets.
                self._stuck_at.update(behind)
                raise KafkaAway("its consumer brings nothing, though there is something to be read")

    async def _behind(self, partitions: list[int]) -> dict[int, int]:
        """The partitions that hold messages which have not come yet, and from which offset on."""
        behind: dict[int, int] = {}
        for partition in partitions:
            # One without a leader, or gone, has nothing to bring.
            with suppress(NotNow):
                if await self._requests.end(partition) > self.next_offsets[partition]:
                    behind[partition] = self.next_offsets[partition]
        return behind

    def _take(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        self.next_offsets[record.partition] = record.offset + 1
        self._receive(ConfigMessage(record.value or b"", record.topic, record.partition, record.offset))


async def _end(consumer: AIOKafkaConsumer) -> None:
    try:
        # It can hang when the broker is gone.
        async with asyncio.timeout(_STOP_S):
            await consumer.stop()
    except TimeoutError:
        pass
    except asyncio.CancelledError:
        # A task of its own that is cancelled cuts it off, too, and its connections would be tried again for ever.
        await consumer._client.close()
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise


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
