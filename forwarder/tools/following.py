"""Reads topics from where it is wanted to, on and on or up to their end, and says when it can't."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from heapq import merge
from itertools import groupby
from typing import TypeAlias, TypeVar

from ..errors import ForwarderError, KafkaAway
from ..kafka.topic_reader import EARLIEST, LATEST, Record, TopicReader
from ..remote.connection import connect
from ..settings.types import TopicSettings

_T = TypeVar("_T")

Positions: TypeAlias = Mapping[str, Mapping[int, int]]
"""Offsets, by topic and partition."""

_WAIT_MS = 500
_AGAIN_S = 1.0
_BATCHES = 4
"""How many answers of brokers may wait for whoever shows them."""
_AT_A_TIME = 2_000
"""An answer may hold so many messages that it takes seconds to show them."""


class Place(Enum):
    BEGINNING = "beginning"
    END = "end"
    OFFSET = "offset"
    TIME = "time"
    TAIL = "tail"


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin."""

    place: Place
    number: int = 0
    """The offset in each partition, the time in milliseconds, or how many of the last messages of a topic."""


def start(text: str) -> Start:
    """From `beginning`, `end`, `offset:N`, `time:ISO` or `-N`. Raises ValueError that says what is wrong."""
    kind, colon, rest = text.partition(":")
    if text in (Place.BEGINNING.value, Place.END.value):
        return Start(Place(text))
    if kind == Place.OFFSET.value and colon:
        if not rest.isdigit():
            raise ValueError(f'"{rest}" is not an offset')
        return Start(Place.OFFSET, int(rest))
    if kind == Place.TIME.value and colon:
        try:
            when = datetime.fromisoformat(rest)
        except ValueError:
            raise ValueError(
                f'"{rest}" is not a time such as 2026-11-25T09:30 (UTC) or 2026-11-25T09:30+01:00'
            ) from None
        aware = when if when.tzinfo else when.replace(tzinfo=UTC)
        return Start(Place.TIME, round(aware.timestamp() * 1000))
    if text.startswith("-") and text[1:].isdigit():
        return Start(Place.TAIL, int(text[1:]))
    raise ValueError("allowed: beginning, end, offset:N, time:ISO, or -N for the last N messages")


class Following:
    """Some topics, from `async with` on; the records come by `batches`."""

    def __init__(
        self,
        topics: Sequence[TopicSettings],
        begin: Start | Positions,
        *,
        until_end: bool,
        ends: Positions | None = None,
        trouble: Callable[[str], None],
        idle_s: float | None = None,
    ) -> None:
        """`trouble` is told, once each time, that brokers are away, and with an empty text that they are back.

        `ends`: what counts as the end of the topics at the start. When nothing has come for `idle_s`, a batch is empty.
        """
        self._topics = list(dict.fromkeys(topics))
        self._begin = begin
        self._ends = ends
        self._trouble = trouble
        self._idle_s = idle_s
        self._finish_at: int | None = LATEST if until_end else None
        self._opened = AsyncExitStack()
        self._known: dict[TopicReader, int] = {}
        self._left: dict[TopicReader, int] = {}
        self._waiting = 0
        """Messages that are read and wait to be taken."""
        self._queue: asyncio.Queue[Sequence[Record] | ForwarderError | None] = asyncio.Queue(_BATCHES)

    @property
    def known(self) -> int:
        """Offsets from where it began to what was the end of the topics then."""
        return sum(self._known.values())

    @property
    def read(self) -> int:
        """How many of these are done: their message has been taken, or there is none."""
        return self.known - sum(self._left.values()) - self._waiting

    async def __aenter__(self) -> "Following":
        tasks: list[asyncio.Task[None]] = []

        async def stop() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        for topic in self._topics:
            # A connection answers one request after the other, and an answer may take as long as nothing comes.
            own = connect(topic.cluster)
            self._opened.push_async_callback(own.close)
            follow = self._follow(TopicReader(own, topic.topic))
            tasks.append(asyncio.create_task(follow, name=f"following {topic.topic}"))
        self._opened.push_async_callback(stop)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def batches(self) -> AsyncIterator[Sequence[Record]]:
        """What the topics hold, a few thousand messages at most at a time.

        They are in order within each partition, and those of several that came together by their times.

        Raises TopicTrouble, and KafkaAway at the start.
        """
        left = len(self._topics)
        while left:
            try:
                async with asyncio.timeout(self._idle_s):
                    found = await self._queue.get()
            except TimeoutError:
                yield ()
                continue
            if isinstance(found, ForwarderError):
                raise found
            if found is None:
                left -= 1
            else:
                for first in range(0, len(found), _AT_A_TIME):
                    part = found[first : first + _AT_A_TIME]
                    yield part
                    self._waiting -= len(part)

    def finish(self, when: int = LATEST) -> None:
        """Stop at what is the end by now, or at the first message at or after a time in milliseconds."""
        self._finish_at = when

    async def _follow(self, topic: TopicReader) -> None:
        try:
            begin = self._begin
            ends = await topic.offsets(LATEST) if self._ends is None else dict(self._ends[topic.topic])
            positions = await offsets_at(topic, begin, ends) if isinstance(begin, Start) else dict(begin[topic.topic])
            self._known[topic] = self._left[topic] = _distance(positions, ends)
            if isinstance(begin, Start) and begin.place is Place.TAIL:
                backlog, positions = await _tail(topic, positions, ends, begin.number)
                self._left[topic] = 0
                await self._pass_on(backlog)
            limits = ends if self._finish_at == LATEST else None
            while limits is None or any(positions[each] < limit for each, limit in limits.items()):
                if limits is None and (when := self._finish_at) is not None:
                    limits = await self._patiently(topic, partial(topic.offsets, when))
                    continue
                records, positions = await self._patiently(topic, partial(topic.fetch, positions, _WAIT_MS))
                if limits is not None:
                    records = [each for each in records if each.offset < limits[each.partition]]
                    positions = {each: min(offset, limits[each]) for each, offset in positions.items()}
                self._left[topic] = _distance(positions, ends)
                if records:
                    await self._pass_on(_merged(records))
            await self._queue.put(None)
        except ForwarderError as error:
            await self._queue.put(error)

    async def _pass_on(self, records: Sequence[Record]) -> None:
        self._waiting += len(records)
        await self._queue.put(records)

    async def _patiently(self, topic: TopicReader, ask: Callable[[], Awaitable[_T]]) -> _T:
        """What a broker answers, as soon as there is one."""
        away = ""
        while True:
            try:
                found = await ask()
            except KafkaAway as error:
                if (reason := str(error)) != away:
                    away = reason
                    self._trouble(f"{topic.topic}: {reason}")
                await asyncio.sleep(_AGAIN_S)
            else:
                if away:
                    self._trouble("")
                return found


async def offsets_at(topic: TopicReader, begin: Start, ends: Mapping[int, int]) -> dict[int, int]:
    """The offsets from which on it is to be read. Raises TopicTrouble, and KafkaAway when no broker answers."""
    match begin.place:
        case Place.END:
            return dict(ends)
        case Place.BEGINNING:
            return await topic.offsets(EARLIEST)
        case Place.TIME:
            return await topic.offsets(begin.number)
        case _:
            held = await topic.offsets(EARLIEST)
    if begin.place is Place.OFFSET:
        return {each: min(max(begin.number, held[each]), end) for each, end in ends.items()}
    return {each: max(held[each], end - begin.number) for each, end in ends.items()}


async def _tail(
    topic: TopicReader, positions: dict[int, int], ends: dict[int, int], count: int
) -> tuple[list[Record], dict[int, int]]:
    """The last messages of a topic by their time, whatever partition they are in."""
    found: list[Record] = []
    reading = {each: offset for each, offset in positions.items() if offset < ends[each]}
    while reading:
        records, reading = await topic.fetch(reading, _WAIT_MS)
        found += [each for each in records if each.offset < ends[each.partition]]
        reading = {each: offset for each, offset in reading.items() if offset < ends[each]}
    found.sort(key=lambda record: record.time_ms)
    return found[len(found) - count if count < len(found) else 0 :], dict(ends)


def _merged(records: Sequence[Record]) -> Sequence[Record]:
    """By their times, without a change to the order within a partition, whose times may go back."""
    partitions = [list(of_it) for _, of_it in groupby(records, lambda record: record.partition)]
    return records if len(partitions) < 2 else list(merge(*partitions, key=lambda record: record.time_ms))


def _distance(positions: dict[int, int], ends: dict[int, int]) -> int:
    """Offsets from these positions to the ends."""
    return sum(max(ends[each] - offset, 0) for each, offset in positions.items())
