"""Records an instrument: reads its topics from one time to another, and gives what they hold to a file."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ..decode import Decoded, Undecodable, decode, schema_of
from ..errors import ForwarderError
from ..kafka.topic_reader import LATEST, Record, TopicTrouble
from ..record.nexus import CannotStore
from ..record.recording import OF_PVS, Recording
from ..remote.connection import reading
from ..settings.types import TopicSettings
from .following import Following, Place, Positions, Start, offsets_at, start
from .look_back import Newest, look_back
from .told_runs import RUN_STOPS, Told, first_stop, runs_of

TOPICS = {"sampleEnv": "selog", "runLog": "runlog", "runInfo": "", "events": ""}
"""Those of an instrument that are recorded, and where in the file the logs of each go."""
RUN_START, NOW = "run-start", "now"
BEGINS = f"{RUN_START}, {NOW}, beginning or time:ISO"

_GRACE_MS = 1_000
"""What was sent up to a run's stop has arrived so long after it."""
_IDLE_S = 0.25
_WRITTEN_EVERY_S = 5.0
_KINDS_COUNTED = 1_000


class NoRun(ForwarderError):
    """No run is there to be recorded; the message says where it was looked for."""


class Until(Enum):
    """What ends a recording, besides Ctrl-C."""

    NOTHING = "nothing"
    RUN_STOP = "run-stop"
    END = "end"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Range:
    """What is to be recorded."""

    begin: str
    """`run-start`, or as `start` has it."""
    until: Until = Until.NOTHING
    seconds: float = 0.0
    look_back_s: float = 0.0
    """How long before the beginning it is looked for the last values before it."""


def span(begin: str, until: str | None, look_back_s: float = 0.0) -> Range:
    """From what a command line says. Raises ValueError that says what is wrong with which."""
    if not 0 <= look_back_s < float("inf"):
        raise ValueError(f"--look-back {look_back_s:g}: allowed: a number of seconds, 0 or more")
    if begin not in (RUN_START, NOW):
        try:
            where = start(begin)
        except ValueError as error:
            raise ValueError(
                f"--from {begin}: {error if begin.startswith('time:') else f'allowed: {BEGINS}'}"
            ) from None
        if where.place not in (Place.BEGINNING, Place.TIME):
            raise ValueError(f"--from {begin}: allowed: {BEGINS}")
    if until is None:
        return Range(begin, look_back_s=look_back_s)
    if until in (Until.RUN_STOP.value, Until.END.value):
        return Range(begin, Until(until), look_back_s=look_back_s)
    try:
        seconds = float(until)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"--until {until}: allowed: run-stop, end, or a number of seconds")
    return Range(begin, Until.SECONDS, seconds, look_back_s)


@dataclass(slots=True)
class Recorder:
    """One recording, while it goes on and after it."""

    instrument: str
    path: Path
    force: bool
    warn: Callable[[str], None]
    """Is told what should be known, in one line."""
    trouble: Callable[[str], None]
    """Is told, once each time, that brokers are away, and with an empty text that they are back."""
    progress: Callable[["Recorder"], None]
    """Is called several times a second."""
    looks_back: Callable[[int, int], None]
    """Is told how many of the messages before the start are read, and of how many."""
    messages: int = 0
    done: tuple[int, int] = (0, 0)
    """How many messages of those that were there at the start, and how many these are."""
    not_stored: Counter[str] = field(default_factory=Counter[str])
    """Messages that are not in the file: topic, schema, name and reason, with how many."""
    recording: Recording | None = None
    """The file, as soon as it is open."""
    _places: dict[str, str] = field(default_factory=dict[str, str])
    _stop_ms: int | None = None
    """When the run stopped that is to be recorded, as soon as it is known."""
    _began_ms: int | None = None
    _ended_ms: int | None = None
    """When the messages begin and end, for a file without a run; None: that is to be learnt from them, and now."""
    _last_ms: int = 0

    async def record(self, topics: Mapping[str, TopicSettings], wanted: Range) -> None:
        """Until its end; then `close` it. Raises ForwarderError for what stands in the way.

        `topics` are those of TOPICS.
        """
        present = await self._present(topics)
        self._places = {topic.topic: TOPICS[name] for name, topic in present.items()}
        begin, before = await self._begin(present.get("runInfo"), wanted)
        now_ms, end_s = _now_ms(), time.monotonic() + wanted.seconds
        begins = {topic.topic: await _offsets(topic, begin) for topic in present.values()}
        self.recording = Recording(self.path, self.instrument, force=self.force)
        if before is not None:
            with suppress(CannotStore):
                self.recording.runs.goes_on(before)
        if begin.place is not Place.BEGINNING:
            self._began_ms = begin.number or now_ms
            if wanted.look_back_s:
                logs = [topic for name, topic in present.items() if TOPICS[name]]
                since_ms = self._began_ms - round(wanted.look_back_s * 1000)
                await self._look_back(logs, begins, max(since_ms, 0), self.recording)
        until_end = wanted.until is Until.END
        following = Following(
            list(present.values()), begins, until_end=until_end, trouble=self.trouble, idle_s=_IDLE_S
        )  # fmt: skip
        known = self._stop_ms is not None and wanted.until is Until.RUN_STOP
        if known and self._stop_ms is not None:
            following.finish(self._stop_ms + _GRACE_MS)
        async with following:
            await self._read(following, Until.NOTHING if known else wanted.until, end_s)
        if until_end or known:
            self._ended_ms = self._last_ms

    def close(self) -> None:
        """Make the file whole, however the recording has ended. Raises CannotRecord."""
        if self.recording is not None:
            times = self._began_ms, self._ended_ms
            # Whatever clock they are from: the file has to be ended.
            now = _now_ms()
            began, ended = (now if at is None else min(max(at, 0), now) for at in times)
            with self.recording:
                self.recording.close(began * 1_000_000, ended * 1_000_000, self.not_stored.total())

    async def _present(self, topics: Mapping[str, TopicSettings]) -> dict[str, TopicSettings]:
        """Those that are there."""
        present: dict[str, TopicSettings] = {}
        trouble: TopicTrouble | None = None
        for name, settings in topics.items():
            try:
                async with reading(settings) as reader:
                    await reader.offsets(LATEST)
                present[name] = settings
            except TopicTrouble as error:
                trouble = error
                self.warn(f"{error}; it is not recorded")
        if not present and trouble is not None:
            raise NoRun(f"none of the topics of {self.instrument} can be read")
        return present

    async def _begin(self, runs: TopicSettings | None, wanted: Range) -> tuple[Start, Decoded | None]:
        """Where to begin, and the run that had started before."""
        if runs is None:
            if wanted.begin == RUN_START or wanted.until is Until.RUN_STOP:
                raise NoRun(f"without the topic {self.instrument}_runInfo nobody says when runs start and stop")
            told: list[Told] = []
        else:
            told = await runs_of(runs, None if wanted.begin in (RUN_START, NOW) else start(wanted.begin))
        last = max((at for at, each in enumerate(told) if each.starts), default=None)
        if wanted.begin in (RUN_START, NOW):
            newest = None if last is None else told[last]
            stop = None if last is None else first_stop(told[last:])
            if wanted.begin == NOW:
                return Start(Place.END), newest.decoded if newest and stop is None else None
            if newest is None:
                raise NoRun(f"no run of {self.instrument} has started so far")
            self._stop_ms = stop
            return Start(Place.TIME, min(newest.ms, newest.kafka_ms)), newest.decoded
        self._stop_ms = first_stop(told)
        return start(wanted.begin), None

    async def _look_back(
        self, logs: Sequence[TopicSettings], ends: Positions, since_ms: int, recording: Recording
    ) -> None:
        newest = Newest(OF_PVS)
        await look_back(newest, logs, ends, since_ms, self.trouble, self.looks_back)
        for record, alarm_only in newest.kept():
            self._store(record, recording, alarm_only=alarm_only)
        if newest.dropped:
            self.warn(f"of {newest.dropped} PVs what came before the start is not in the file: it is too large")

    async def _read(self, following: Following, until: Until, end_s: float) -> None:
        assert self.recording is not None, "the file is open"
        until_stop = until is Until.RUN_STOP
        end = end_s if until is Until.SECONDS else None
        written = time.monotonic()
        async for batch in following.batches():
            for record in batch:
                self._take(record, self.recording)
            now = time.monotonic()
            if now > written + _WRITTEN_EVERY_S:
                written = now
                self.recording.write()
            if end is not None and now > end:
                end = None
                following.finish()
            if until_stop and self._stop_ms is not None and _now_ms() > self._stop_ms + _GRACE_MS:
                until_stop = False
                following.finish()
            self.done = following.read, following.known
            self.progress(self)

    def _take(self, record: Record, recording: Recording) -> None:
        if self._began_ms is None:
            self._began_ms = record.time_ms
        self._last_ms = max(record.time_ms, self._last_ms)
        decoded = self._store(record, recording)
        if decoded is not None and decoded.schema == RUN_STOPS and self._stop_ms is None:
            self._stop_ms = (decoded.time_ns or 0) // 1_000_000

    def _store(self, record: Record, recording: Recording, *, alarm_only: bool = False) -> Decoded | None:
        """What is in the file now."""
        self.messages += 1
        if record.value is None:
            return None
        what = schema_of(record.value)
        place = self._places[record.topic] or "selog"
        try:
            decoded = decode(record.value)
            what = f"{what} {decoded.name}"
            (recording.take_alarm if alarm_only else recording.take)(decoded, place)
        except (Undecodable, CannotStore) as error:
            self._miss(record, what, str(error))
            return None
        return decoded

    def _miss(self, record: Record, what: str, why: str) -> None:
        kind = f"{record.topic}: {what}: {why}"
        if kind not in self.not_stored and len(self.not_stored) >= _KINDS_COUNTED:
            kind = f"{record.topic}: of further kinds"
        if kind not in self.not_stored:
            self.warn(f"[{record.partition}]@{record.offset} of {kind}; it is not in the file")
        self.not_stored[kind] += 1


async def _offsets(topic: TopicSettings, begin: Start) -> dict[int, int]:
    """Of each partition, where it is begun."""
    async with reading(topic) as reader:
        return await offsets_at(reader, begin, await reader.offsets(LATEST))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
