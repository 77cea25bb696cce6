"""Keeps the streams in a storage topic, and reads them back: one state, of which only the newest counts.

A state is one record, or several where the broker takes none of that size (commands/state.py). All of a service's
records go to the partition of its name, so that of two states there the later one has the larger offsets.

Nothing is stored before it is known what the topic holds: a state that is there and was not read would be lost to a
compacted topic, and to the next start in any.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from uuid import uuid4

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from forwarder.commands import state
from forwarder.commands.limits import DEFAULT
from forwarder.commands.state import Label, Offsets, Place
from forwarder.errors import KafkaAway
from forwarder.faults import RepeatingFault
from forwarder.model import Stream
from forwarder.pulse import Pulse
from forwarder.settings.types import TopicSettings

from .cluster import NO_ERROR
from .partitions import partition_of
from .producing import REASONS
from .storage_survey import StoredState, Survey, Surveyor
from .topic_requests import Missing, NotNow, TopicRequests, reason

log = logging.getLogger(__name__)

_LOOK_AGAIN_S = 1.0
_LOOK_AT_KEPT_S = 5.0
_CHECK_S = 30.0
"""How often it is looked whether what was stored is still there, while there is nothing to store."""
_AGAIN_S = 12 * 3600.0
"""After so long the same is stored again, for topics that drop what is older than some days."""
_SPACING_S = 1.0
"""At most one state is stored in this time."""
_MISSING_S = 3.0
"""How long a topic has to be missing before it is believed: a broker that starts may not have heard of it yet."""
_SMALLEST_PART_BYTES = 500
"""With its headers a message is larger than this anyway."""
_TOO_LARGE = (10, 18)
_MAGIC, _GZIP = 2, 1
"""Of the codecs the one that every client can read."""


class _Access(Enum):
    """Whether the topic may be written to."""

    UNKNOWN = auto()
    """What it holds has not been seen yet."""
    OPEN = auto()
    KEPT = auto()
    """It holds a state that would be lost."""


class StorageTopic:
    """The storage topic of one service: what it held at the start, and what it is to hold."""

    def __init__(self, settings: TopicSettings, service_id: str, *, overwrite: bool = False) -> None:
        """`overwrite`: a state that was never read may be replaced, for a service told to ignore it."""
        self.name = f"{settings.cluster.brokers[0]}/{settings.topic}"
        self.pulse = Pulse()
        self._service_id = service_id
        self._overwrite = overwrite
        self._requests = TopicRequests(settings, service_id, self.pulse)
        self._surveyor = Surveyor(self.name, service_id, self._requests)
        self._access = _Access.UNKNOWN
        self._missing = False
        self._kept = ""
        self._trouble = ""
        self._fault = RepeatingFault(log, f"the storage topic {self.name}", time.monotonic)
        self._looking = asyncio.Lock()
        self._extents_kept: Mapping[int, tuple[int, int]] = {}
        self._read_place: Place | None = None
        self._newest_generation = 0
        self._complete_generation: int | None = None
        self._part_bytes = DEFAULT.message_bytes
        """Largest message before compression that is worth a try."""
        self._wanted: StoredState | None = None
        self._stored: StoredState | None = None
        self._stored_offsets: Sequence[int] = ()
        self._stored_at = 0.0
        self._in_doubt = False
        """Whether a request without an answer may still reach the topic, and hide what was stored after it."""
        self._news = asyncio.Event()
        self._hurry = asyncio.Event()
        self._progress = asyncio.Event()

    @property
    def problem(self) -> str:
        """Why the streams are not stored, or not restored; empty when all is well."""
        return self._kept or self._trouble

    @property
    def slowest_s(self) -> float:
        """How long it may wait for one broker that does not answer."""
        return self._requests.slowest_s

    async def read(self, pulse: Pulse | None = None) -> StoredState | None:
        """The newest complete state of this service, else what another forwarder left, else None.

        Waits, as long as it is not cancelled, while the topic can't be read; a topic that is missing is empty. What
        stands in the way is in `problem`, and also what was there and could not be read. Meanwhile `pulse` beats.
        """
        pulse = self._requests.pulse = pulse or Pulse()
        give_up = time.monotonic() + _MISSING_S
        async with self._looking:
            try:
                while True:
                    try:
                        survey = await self._surveyor.survey()
                    except (KafkaAway, NotNow) as error:
                        self._failed(error)
                        if self._missing and time.monotonic() > give_up:
                            return None
                        await pulse.sleep(_LOOK_AGAIN_S)
                    else:
                        return self._settle_read(survey)
            finally:
                await self._requests.close()

    def store(self, streams: Iterable[Stream], offsets: Offsets) -> None:
        """Let the topic hold this from now on; `run` does it soon."""
        self._wanted = StoredState(tuple(streams), {topic: dict(of_topic) for topic, of_topic in offsets.items()})
        self._news.set()

    async def flush(self, deadline: float) -> bool:
        """Wait, while `run` runs, until all is stored; False if it isn't at a time of the event loop, or can't be."""
        self._hurry.set()
        try:
            async with asyncio.timeout_at(deadline):
                while self._pending and not self._missing and self._access is not _Access.KEPT:
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            pass
        finally:
            self._hurry.clear()
        return not self._pending

    async def run(self) -> None:
        """Store what is to be stored until cancelled."""
        self._requests.pulse = self.pulse
        try:
            while True:
                try:
                    if await self._may_store():
                        await self._store_next()
                    else:
                        await self.pulse.sleep(_LOOK_AT_KEPT_S)
                except (KafkaAway, NotNow) as error:
                    self._failed(error)
                    await self.pulse.sleep(_LOOK_AGAIN_S)
        finally:
            await self._requests.close()

    @property
    def _pending(self) -> bool:
        return self._wanted is not self._stored

    def _failed(self, error: Exception) -> None:
        self._missing = isinstance(error, Missing)
        self._trouble = f"the storage topic {self.name}: {error}"
        self._fault.occurred(error)
        self._progress.set()

    def _works(self) -> None:
        self._missing = False
        self._trouble = ""
        self._fault.over()

    # What is there

    def _settle_read(self, survey: Survey) -> StoredState | None:
        self._works()
        found = survey.found
        if found is None:
            log.info("the storage topic %s holds no state", self.name)
        else:
            count = len(found.state.streams)
            log.info("the storage topic %s: %d streams in %s at %s", self.name, count, found.whose, found.place)
        if survey.unreadable and not self._overwrite:
            instead = "an older one is used" if found else "none is used"
            self._keep(f"{survey.unreadable}; {instead}", survey.extents)
        else:
            self._open(survey)
        if found is None:
            return None
        self._read_place = found.place
        return found.state

    async def _may_store(self) -> bool:
        """Whether what the topic holds allows to write to it."""
        if self._access is _Access.OPEN:
            return True
        async with self._looking:
            # Another look is worth while only when something has happened to what is kept.
            if self._access is _Access.UNKNOWN or await self._requests.extents() != self._extents_kept:
                survey = await self._surveyor.survey()
                if self._overwrite:
                    self._open(survey)
                elif survey.unreadable:
                    self._keep(survey.unreadable, survey.extents)
                elif (found := survey.found) is not None and found.place != self._read_place:
                    what = f"{len(found.state.streams)} streams in {found.whose} at {found.place}"
                    self._keep(f"{what} were not read at the start", survey.extents)
                else:
                    self._open(survey)
            self._works()
            return self._access is _Access.OPEN

    def _open(self, survey: Survey) -> None:
        if self._access is _Access.KEPT:
            log.warning("the storage topic %s: what was kept there is gone, and the streams are stored", self.name)
        self._access = _Access.OPEN
        self._kept = ""
        self._newest_generation = survey.newest_generation
        self._complete_generation = survey.found.generation if survey.found else None

    def _keep(self, what: str, extents: Mapping[int, tuple[int, int]]) -> None:
        text = (
            f"the storage topic {self.name}: {what}. That is not overwritten, so nothing is stored: restart the service"
            f" if it can be read by now, or start it once with --skip-retrieval to replace it"
        )
        if text != self._kept:
            log.error("%s", text)
        self._access = _Access.KEPT
        self._kept = text
        self._extents_kept = extents
        self._progress.set()

    # What is to be there

    async def _store_next(self) -> None:
        if not await self.pulse.wait(self._news, _LOOK_AGAIN_S if self._trouble else _CHECK_S):
            await self._check()
            return
        loop = asyncio.get_running_loop()
        await self.pulse.wait(self._hurry, self._stored_at + _SPACING_S - loop.time())
        wanted = self._wanted
        assert wanted is not None
        self._news.clear()
        try:
            self._stored_offsets = await self._write(wanted)
        except BaseException:
            self._news.set()
            raise
        self._stored = wanted
        self._stored_at = loop.time()
        self._works()
        self._progress.set()

    async def _check(self) -> None:
        """Store the same again when the topic doesn't hold it any more, or may not for long."""
        if self._stored is None:
            return
        in_doubt = self._in_doubt
        extents = await self._requests.extents()
        first, end = extents.get(self._home(), (0, 0))
        gone = not all(first <= offset < end for offset in self._stored_offsets)
        if gone:
            log.warning("the storage topic %s has lost the streams: they are stored again", self.name)
        if gone or in_doubt or asyncio.get_running_loop().time() > self._stored_at + _AGAIN_S:
            self._in_doubt = False
            self._stored = None
            self._news.set()
        self._works()

    async def _write(self, wanted: StoredState) -> list[int]:
        """Store a state; the offsets of its records."""
        await self._requests.refresh()
        while True:
            runs = await asyncio.to_thread(state.split, wanted.streams, self._part_bytes)
            generation = self._next_generation()
            state_id = uuid4().hex
            offsets: list[int] = []
            for number, streams in enumerate(runs, 1):
                label = Label(self._service_id, generation, state_id, number, len(runs), wanted.offsets)
                batch, size = await asyncio.to_thread(_batch, label, streams)
                offset = await self._produce(batch)
                if offset is None:
                    self._part_bytes = self._smaller(size)
                    break
                offsets.append(offset)
            else:
                self._complete_generation = generation
                return offsets

    def _next_generation(self) -> int:
        """One whose parts take no key of the state that is complete now."""
        self._newest_generation += 1
        complete = self._complete_generation
        if complete is not None and (self._newest_generation - complete) % 2 == 0:
            self._newest_generation += 1
        return self._newest_generation

    def _smaller(self, refused: int) -> int:
        if refused <= _SMALLEST_PART_BYTES:
            raise NotNow(f"not even messages of {refused} bytes are taken: its max.message.bytes is too small")
        log.info("the storage topic %s takes no message of %d bytes: smaller ones are tried", self.name, refused)
        return max(min(self._part_bytes, refused) // 2, _SMALLEST_PART_BYTES)

    async def _produce(self, batch: bytes) -> int | None:
        """Append to this service's partition; the offset, or None if the broker finds it too large."""
        doubtful, self._in_doubt = self._in_doubt, True
        error, offset = await self._requests.append(self._home(), batch)
        if error == NO_ERROR or error in REASONS:
            self._in_doubt = doubtful
        if error in _TOO_LARGE:
            return None
        if error != NO_ERROR:
            raise NotNow(reason(error, "written to"))
        return offset

    def _home(self) -> int:
        """The partition of this service's records."""
        return partition_of(self._service_id.encode(), max(len(self._requests.partitions), 1))


def _batch(label: Label, streams: Sequence[Stream]) -> tuple[bytes, int]:
    """A record batch, ready to be sent, and the size of the message in it before compression."""
    message = state.encode(streams)
    builder = DefaultRecordBatchBuilder(_MAGIC, _GZIP, 0, -1, -1, -1, len(message))
    # The first record is taken whatever its size.
    builder.append(0, time.time_ns() // 1_000_000, label.key(), message, label.headers())
    return bytes(builder.build()), len(message)
