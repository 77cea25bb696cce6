"""A running forwarder as others see it: what it says on its status topic, and what it is told on its config topic."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from ..errors import ForwarderError
from ..kafka.cluster import Cluster
from ..kafka.single import send
from ..kafka.storage_topic import StorageTopic
from ..kafka.topic_reader import EARLIEST, LATEST, Record, TopicReader
from ..model import Command, Stream
from ..pulse import Pulse
from ..settings.types import ClusterSettings, Dialect, TopicSettings
from .orders import messages
from .status import Status, newest, read
from .verdict import Sent

CLIENT_ID = "forwarder-command-line"
REQUEST_TIMEOUT_S = 10.0
_LOOK_BACK_MS = 60_000
_LOOK_BACK_MESSAGES = 50
_WAIT_MS = 500
_READ_WITHIN_S = 10.0
_STORED_WITHIN_S = 3.0
_LOOK_AGAIN_S = 0.3


class Unclear(ForwarderError):
    """Several forwarders could be meant; the message names them."""


class Unknown(ForwarderError):
    """What was asked for is not said anywhere; the message says where it was looked for."""


def connect(settings: ClusterSettings, client_id: str = CLIENT_ID) -> Cluster:
    """The connections to a cluster, which never make a topic by asking for it; to be closed."""
    return Cluster(replace(settings, create_topics=False), client_id, REQUEST_TIMEOUT_S)


@asynccontextmanager
async def connected(settings: ClusterSettings) -> AsyncIterator[Cluster]:
    """The same, closed at the end."""
    cluster = connect(settings)
    try:
        yield cluster
    finally:
        await cluster.close()


@asynccontextmanager
async def reading(topic: TopicSettings) -> AsyncIterator[TopicReader]:
    """Reads a topic, by connections of its own."""
    async with connected(topic.cluster) as cluster:
        yield TopicReader(cluster, topic.topic)


class Remote:
    """One forwarder, from `async with` on. Its methods raise KafkaAway and TopicTrouble."""

    def __init__(
        self,
        config: TopicSettings,
        status: TopicSettings | None = None,
        storage: TopicSettings | None = None,
        service_id: str | None = None,
        client_id: str = CLIENT_ID,
        pulse: Pulse | None = None,
    ) -> None:
        """`service_id` None: whichever forwarder reads the config topic, if there is just one. `client_id` is what
        brokers call who asks; `pulse` beats while it waits for a status.

        Without a status topic it can be told something, and nobody knows what comes of it.
        """
        self._config = config
        self._storage = storage
        self._meant = service_id
        self._client_id = client_id
        self._pulse = pulse or Pulse()
        self._status_cluster = connect(status.cluster, client_id) if status is not None else None
        self._status = TopicReader(self._status_cluster, status.topic) if status and self._status_cluster else None
        self._positions: dict[int, int] = {}
        self._newest: Status | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._status_cluster is not None:
            await self._status_cluster.close()

    async def status(self) -> Status | None:
        """The newest there is; None if nothing was ever said. Raises Unclear."""
        topic = self._status
        if topic is None:
            return None
        ends = await topic.offsets(LATEST)
        since = await topic.offsets(_now_ms() - _LOOK_BACK_MS)
        self._newest = self._choose(await _read(topic, since, ends))
        if self._newest is None:
            first = await topic.offsets(EARLIEST)
            tail = {each: max(first[each], end - _LOOK_BACK_MESSAGES) for each, end in ends.items()}
            self._newest = self._choose(await _read(topic, tail, ends))
        self._positions = ends
        return self._newest

    async def streams(self, status: Status) -> tuple[Stream, ...]:
        """Those of a status, or where it leaves them out, those in the storage topic. Raises Unknown."""
        return status.streams if status.streams is not None else await self.stored_streams(status)

    async def stored_streams(self, status: Status) -> tuple[Stream, ...]:
        """Those in the storage topic, which alone says which are periodic. Raises Unknown, too if they are not its."""
        if self._storage is None:
            raise Unknown(f"no storage-topic is given to read the {status.streams_count} streams of its status from")
        give_up = time.monotonic() + _STORED_WITHIN_S
        while True:
            stored = await self._stored(status.service_id)
            # What is stored follows what is said; streams that are not served just now are stored and not said.
            if len(stored) == status.streams_count:
                return stored
            if time.monotonic() > give_up:
                break
            await asyncio.sleep(_LOOK_AGAIN_S)
        if len(stored) < status.streams_count:
            raise Unknown(f"of its {status.streams_count} streams only {len(stored)} are in the storage topic")
        return stored

    async def _stored(self, service_id: str) -> tuple[Stream, ...]:
        settings = self._storage
        assert settings is not None, "there is a storage topic"
        topic = StorageTopic(replace(settings, cluster=replace(settings.cluster, create_topics=False)), service_id)
        try:
            async with asyncio.timeout(_READ_WITHIN_S):
                state = await topic.read()
        except TimeoutError:
            raise Unknown(topic.problem or f"the storage topic {topic.name} can't be read") from None
        if state is None:
            raise Unknown(topic.problem or f"the storage topic {topic.name} holds no streams of {service_id}")
        return state.streams

    async def order(self, command: Command, dialect: Dialect) -> tuple[Sent, Status | None]:
        """Tell it to do something: where that is in the config topic, and its newest status before. Raises BadCommand.

        Ask for its `status` first.
        """
        ready = messages(command, dialect)
        if self._status is not None:
            ends = await self._status.offsets(LATEST)
            self._choose_later(await _read(self._status, self._positions, ends))
            self._positions = ends
        partition = offset = 0
        for message in ready:
            partition, offset = await send(self._config, self._client_id, message)
        return Sent(command, self._config.topic, partition, offset), self._newest

    async def statuses(self) -> AsyncIterator[Status]:
        """What it says from then on."""
        assert self._status is not None, "nothing is heard without a status topic"
        while True:
            self._pulse.beat()
            records, self._positions = await self._status.fetch(self._positions, _WAIT_MS)
            for status in filter(self._may_be_meant, _statuses(records)):
                yield status

    def _may_be_meant(self, status: Status) -> bool:
        if self._meant is not None:
            return status.service_id == self._meant
        # Earlier forwarders do not say what they read.
        topics = status.config_topics
        return topics is None or any(name.rpartition("/")[2] == self._config.topic for name in topics)

    def _choose(self, statuses: Iterable[Status]) -> Status | None:
        found = newest(filter(self._may_be_meant, statuses))
        alive = [status for status in found.values() if status.is_alive(_now_ms())]
        if len(alive) > 1:
            names = ", ".join(sorted(status.service_id for status in alive))
            raise Unclear(f"several forwarders read {self._config.topic}: {names}; choose one with --service-id")
        if alive:
            self._meant = alive[0].service_id
            return alive[0]
        return max(found.values(), key=lambda status: status.time_ms, default=None)

    def _choose_later(self, statuses: Iterable[Status]) -> None:
        found = list(filter(self._may_be_meant, statuses))
        if found:
            self._newest = max(found, key=lambda status: status.time_ms)


async def _read(topic: TopicReader, first: dict[int, int], ends: dict[int, int]) -> list[Status]:
    """The statuses from some offsets on to others."""
    positions = {each: first.get(each, 0) for each, end in ends.items() if first.get(each, 0) < end}
    found: list[Record] = []
    while positions:
        records, following = await topic.fetch(positions, _WAIT_MS)
        found += records
        positions = {each: offset for each, offset in following.items() if offset < ends[each]}
    return _statuses(found)


def _statuses(records: Iterable[Record]) -> list[Status]:
    return [status for record in records if (status := read(record)) is not None]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
