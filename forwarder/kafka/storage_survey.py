"""What a storage topic holds: the newest state in it that can be read, and what else is there."""

import asyncio
import logging
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.record.memory_records import MemoryRecords

from forwarder.commands import state
from forwarder.commands.state import Index, Offsets, Place
from forwarder.errors import BadCommand
from forwarder.model import Stream

from .topic_requests import NotNow, TopicRequests

log = logging.getLogger(__name__)

_FETCH_BYTES = 8 * 1024 * 1024
_FIRST_WINDOW = 4
_WINDOW_GROWS = 4


@dataclass(frozen=True, slots=True)
class StoredState:
    """What was forwarded, and up to where in the config topics that is true."""

    streams: tuple[Stream, ...]
    offsets: Offsets
    """Config topic -> partition -> next offset to read; empty for the state of a forwarder that doesn't say."""


@dataclass(frozen=True, slots=True)
class Found:
    """A state, where it is, and what to call it."""

    state: StoredState
    place: Place
    generation: int | None
    """None: it is another forwarder's."""
    whose: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What a topic holds."""

    found: Found | None
    unreadable: str
    """What is newer than that and can't be read, with the reason; empty if there is nothing."""
    newest_generation: int
    """Of any record, be its state complete or not."""
    extents: Mapping[int, tuple[int, int]]
    """First offset and end of each partition."""


class Surveyor:
    """Looks through the topic for the states of one service."""

    def __init__(self, name: str, service_id: str, requests: TopicRequests) -> None:
        """`name` is the topic's, for people."""
        self._name = name
        self._service_id = service_id
        self._requests = requests

    async def survey(self) -> Survey:
        """See what is there. Raises KafkaAway or NotNow."""
        extents = await self._requests.extents()
        index, found = await self._own(extents, whole=False)
        if found is None and index.complete():
            # What lies before a state that seemed complete has not been looked at yet.
            index, found = await self._own(extents, whole=True)
        if found is None:
            found = await self._foreign(index)
        unreadable = index.unreadable_after(found.place if found else None)
        if index.others and not (found or unreadable):
            log.warning("the storage topic %s: %d messages are no state, and are ignored", self._name, index.others)
        return Survey(found, unreadable, index.newest_generation, extents)

    async def _own(self, extents: Mapping[int, tuple[int, int]], *, whole: bool) -> tuple[Index, Found | None]:
        """The newest state of this service that can be read, and what else was seen on the way to it."""
        index = Index(self._service_id)
        for partition, (first, end) in extents.items():
            await self._look_through(partition, first, end, index, whole)
        for parts in index.complete():
            label, place = parts[-1]
            try:
                streams = [stream for _, part in parts for stream in await self._decoded(part)]
            except BadCommand as error:
                index.cannot_read(place, str(error))
            else:
                own = StoredState(tuple(streams), label.offsets)
                return index, Found(own, place, label.generation, f"state {label.generation}")
        return index, None

    async def _foreign(self, index: Index) -> Found | None:
        """What another forwarder left, unless something of this service came later."""
        place = index.foreign
        if place is None or index.unreadable_after(place):
            return None
        try:
            streams = await self._decoded(place)
        except BadCommand as error:
            index.cannot_read(place, str(error))
            return None
        return Found(StoredState(streams, {}), place, None, "the state of another forwarder")

    async def _look_through(self, partition: int, first: int, end: int, index: Index, whole: bool) -> None:
        """Note what a partition holds, from its end back to a complete state, or the whole of it."""
        window = _FIRST_WINDOW
        while end > first:
            start = position = max(first, end - window)
            while position < end:
                data = await self._requests.fetch(partition, position, _FETCH_BYTES)
                following = await asyncio.to_thread(_take, index, partition, data, position, end)
                if following == position:
                    break
                position = following
            if not whole and index.has_complete(partition):
                return
            end = start
            window *= _WINDOW_GROWS

    async def _decoded(self, place: Place) -> tuple[Stream, ...]:
        data = await self._requests.fetch(place.partition, place.offset, 1)

        def decoded() -> tuple[Stream, ...]:
            for record in _records(data):
                if record.offset == place.offset:
                    return state.decode(record.value or b"")
            raise NotNow(f"the message at {place} went away while it was read")

        return await asyncio.to_thread(decoded)


def _take(index: Index, partition: int, data: bytes, first: int, end: int) -> int:
    """Note the records of some batches, those outside of first <= offset < end left out; where the next begin."""
    following = first
    batches = MemoryRecords(data)
    while batches.has_next():
        batch = batches.next_batch()
        assert batch is not None
        try:
            if not batch.validate_crc():
                raise ValueError("its checksum is wrong")
            for record in batch:
                if first <= record.offset < end and not getattr(batch, "is_control_batch", False):
                    place = Place(partition, record.offset, record.timestamp or 0)
                    index.note(place, record.key, record.value, list(record.headers))
        except (KafkaError, OSError, EOFError, ValueError, zlib.error) as error:
            place = Place(partition, max(batch.next_offset - 1, 0), 0)
            index.cannot_read(place, f"its batch is damaged: {error}")
        following = max(following, batch.next_offset)
    return following


def _records(data: bytes) -> Iterator[Any]:
    batches = MemoryRecords(data)
    while batches.has_next():
        yield from batches.next_batch() or ()
