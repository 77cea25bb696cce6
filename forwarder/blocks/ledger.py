"""What is wanted, what a forwarder serves of it, and what it has to be told: the difference, and never more.

It only ever removes what was announced for this instrument. Streams of others, other instruments' or a person's, are
in the same list that the forwarder gives, and are left alone. What is served and wanted is not touched at all.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from forwarder.model import Stream

from .memory import Remembered
from .wanted import Site, Source

CONFIRM_S = 10.0
"""How long a running forwarder may take to show that it has done as told, before it is told the same again."""
_LONGEST_REST_S = 600.0
"""Between two attempts at a stream that the forwarder does not serve, whatever it is told."""

Key: TypeAlias = tuple[str, str, str, str]
"""Channel, transport, schema, topic. Which of its cluster's names a topic has in a status is the forwarder's choice."""


def key_of(stream: Stream) -> Key:
    """What tells streams apart in a status."""
    return stream.channel, stream.transport.name, stream.schema, stream.topic


class Plan(NamedTuple):
    """What to tell a forwarder, in this order."""

    remove: tuple[Stream, ...]
    add: tuple[Stream, ...]

    def __bool__(self) -> bool:
        return bool(self.remove or self.add)


@dataclass(slots=True)
class _Attempt:
    """A stream that was added, as long as it is not clear that this was of use."""

    count: int
    not_before: float
    """When it may be added once more."""


@dataclass(slots=True)
class _Awaited:
    """A change that was sent and does not show yet."""

    stream: Stream
    served: bool
    """Whether it is to be served."""
    until: float
    command: int
    """Which command it was in."""


class Ledger:
    """All times are of one clock, in seconds, that never goes back."""

    def __init__(
        self,
        site: Site,
        sources: Collection[Source],
        remembered: Remembered | None,
        *,
        whole_channels: bool = False,
        is_told: bool = True,
    ) -> None:
        """`sources` are those that are asked: what others once wanted is not wanted any more.

        `whole_channels`: the forwarder can only stop all streams of a channel. `is_told`: somebody tells what the
        forwarder serves; else it is believed to do as told.
        """
        remembered = remembered or Remembered()
        self.unconfirmed = Counter[str]()
        """Changes of streams that did not show in time: `add` and `remove`."""
        self.unsaved = False
        """Whether what is to be remembered has changed since it was asked for."""
        self.held_back = 0
        """Streams that can't be removed without others that are to stay, as the last plan found."""
        self._site = site
        self._whole_channels = whole_channels
        self._is_told = is_told
        self._settled = remembered.settled
        self._announced = {key_of(each): each for each in remembered.announced}
        self._unsure = set(self._announced)
        """Written down before they were sent: where nobody tells what is served, they may not be there."""
        self._said = {source: pvs for source, pvs in remembered.said.items() if source in sources}
        self._unheard = {source for source in sources if source not in self._said}
        self._wanted: dict[Key, Stream] = {}
        self._served: dict[Key, list[Stream]] | None = None
        self._alive = False
        self._process: tuple[str, int] | None = None
        self._awaited: dict[Key, _Awaited] = {}
        self._attempts: dict[Key, _Attempt] = {}
        self._touched: dict[Key, float] = {}
        self._merge()

    def remembered(self, more: Iterable[Stream] = ()) -> Remembered:
        """What has to be on disk before these streams are added."""
        self.unsaved = False
        # One that moves to another cluster is still to be removed from where it is.
        streams = {**{key_of(each): each for each in more}, **self._announced}
        return Remembered(frozenset(streams.values()), self._settled, dict(self._said))

    def said(self, source: Source, pvs: tuple[str, ...]) -> bool:
        """A source wants these; whether that is new."""
        if self._said.get(source) == pvs:
            return False
        before = self._wanted
        self._said[source] = pvs
        self.unsaved = True
        self._unheard.discard(source)
        self._merge()
        for key in self._wanted.keys() - before.keys():
            # Somebody has just asked for it: no reason to wait because of what was before.
            self._attempts.pop(key, None)
        return True

    def silent(self) -> None:
        """The forwarder has not said anything for so long that it can't be running."""
        self._alive = False

    def serves(self, streams: Iterable[Stream], process: tuple[str, int], *, alive: bool, now: float) -> bool:
        """A forwarder's status: what it serves, and which process it is; whether that changes anything."""
        served: dict[Key, list[Stream]] = {}
        for each in streams:
            served.setdefault(key_of(each), []).append(each)
        revived = alive and (not self._alive or process != self._process)
        changed = revived or self._served is None or served.keys() != self._served.keys()
        if revived or process != self._process:
            # What another one did with them says nothing of this one. In containers all have the same name and number.
            self._attempts.clear()
        self._served, self._alive, self._process = served, alive, process
        if not self._settled and alive:
            self._settle(served)
            changed = True
        if revived:
            # It has commands to read that came while it was away.
            for each in self._awaited.values():
                each.until = now + CONFIRM_S
        for key in [key for key, each in self._awaited.items() if (key in served) == each.served]:
            del self._awaited[key]
        for key in [key for key, each in self._attempts.items() if key in served and now >= each.not_before]:
            del self._attempts[key]
        return changed

    def refuses(self, command: int, streams: Iterable[Stream]) -> None:
        """The forwarder has not obeyed a command, or not for all of its streams."""
        for each in streams:
            awaited = self._awaited.get(key_of(each))
            if awaited is not None and awaited.command == command and awaited.served:
                del self._awaited[key_of(each)]

    def look(self, now: float) -> bool:
        """Whether time alone has made something due: a change that does not show, another attempt, or forgetting."""
        self._forget(now)
        due = self.unsaved
        if self._alive:
            for key in [key for key, each in self._awaited.items() if now >= each.until]:
                self.unconfirmed["add" if self._awaited.pop(key).served else "remove"] += 1
                due = True
        tried = (key for key, each in self._attempts.items() if now >= each.not_before)
        return due or any(key in self._wanted and self._is_absent(key) for key in tried)

    def plan(self, now: float) -> Plan:
        """What the forwarder has to be told now."""
        add = tuple(
            stream
            for key, stream in self._wanted.items()
            if self._may_be_absent(key) and ((tried := self._attempts.get(key)) is None or now >= tried.not_before)
        )
        remove = [
            stream
            for key, stream in self._announced.items()
            if not self.wants(stream) and not self._is_absent(key) and self._may_go(stream)
        ]
        alone = self._alone(remove)
        # To another cluster: those that go and come back.
        moved = (self._wanted[key] for each in alone if (key := key_of(each)) in self._wanted)
        return Plan(alone, (*add, *moved))

    def removed(self, streams: Iterable[Stream], command: int, now: float) -> None:
        """The forwarder was told to stop serving these."""
        for each in streams:
            key = key_of(each)
            self._attempts.pop(key, None)
            self._touched[key] = now
            if self._is_told:
                self._awaited[key] = _Awaited(each, False, now + CONFIRM_S, command)
            else:
                self._announced.pop(key, None)
                self.unsaved = True

    def added(self, streams: Iterable[Stream], command: int, now: float) -> None:
        """The forwarder was told to serve these."""
        for each in streams:
            key = key_of(each)
            self.unsaved |= self._announced.get(key, each) != each
            self._announced[key] = each
            self._unsure.discard(key)
            self._touched[key] = now
            if self._is_told:
                self._awaited[key] = _Awaited(each, True, now + CONFIRM_S, command)
                count = self._attempts[key].count + 1 if key in self._attempts else 1
                rest_s = min(CONFIRM_S * 2 ** (count - 1), _LONGEST_REST_S)
                self._attempts[key] = _Attempt(count, now + rest_s)

    def wants(self, stream: Stream) -> bool:
        """Whether a source wants it, in this cluster, as it said last."""
        return self._wanted.get(key_of(stream)) == stream

    @property
    def is_settled(self) -> bool:
        """Whether nothing is awaited, and all that is wanted is there."""
        return not self._awaited and not any(map(self._is_absent, self._wanted))

    @property
    def wanted(self) -> int:
        """Streams."""
        return len(self._wanted)

    @property
    def wanted_of(self) -> Mapping[Source, int]:
        """PVs by source, as it said last."""
        return {source: len(pvs) for source, pvs in self._said.items()}

    @property
    def served(self) -> int | None:
        """Wanted streams that the forwarder serves; None where it is not known."""
        return None if self._served is None else len(self._wanted.keys() & self._served.keys())

    @property
    def announced(self) -> int:
        """Streams that are this instrument's in the forwarder."""
        return len(self._announced)

    @property
    def is_alive(self) -> bool:
        """Whether the forwarder runs, as far as is known."""
        return self._alive

    def _merge(self) -> None:
        stream = self._site.stream
        streams = (stream(source, pv) for source, pvs in self._said.items() for pv in pvs)
        self._wanted = {key_of(each): each for each in streams}

    def _settle(self, served: Mapping[Key, list[Stream]]) -> None:
        """Nothing is remembered of before: what only this instrument's can be is its own."""
        for key, streams in served.items():
            if self._site.only_ours(streams[0]):
                self._announced.setdefault(key, replace(streams[0], broker=self._site.broker))
        self._settled = self.unsaved = True

    def _is_absent(self, key: Key) -> bool:
        """Whether the forwarder does not serve it, and has nothing to obey that will change this."""
        if (awaited := self._awaited.get(key)) is not None:
            return not awaited.served
        return key not in (self._announced if self._served is None else self._served)

    def _may_be_absent(self, key: Key) -> bool:
        return self._is_absent(key) or (self._served is None and key in self._unsure)

    def _may_go(self, stream: Stream) -> bool:
        """Whether its source has said that it is not wanted: one that has not said anything yet may want it."""
        return self._site.source_of(stream) not in self._unheard

    def _alone(self, remove: list[Stream]) -> tuple[Stream, ...]:
        """Those that can be removed without taking along another stream, which the forwarder could not tell apart."""
        going = {key_of(each) for each in remove}
        staying = Counter[tuple[str, ...]]()
        for stream in self._there():
            if key_of(stream) not in going:
                staying[self._meant(stream)] += 1
        twins = Counter(self._meant(each) for key in going for each in (self._served or {}).get(key, ())[1:])
        alone = tuple(each for each in remove if not staying[self._meant(each)] and not twins[self._meant(each)])
        self.held_back = len(remove) - len(alone)
        return alone

    def _meant(self, stream: Stream) -> tuple[str, ...]:
        """What a removal names: all streams with the same are removed."""
        return (stream.channel,) if self._whole_channels else (stream.channel, stream.schema, stream.topic)

    def _there(self) -> Iterable[Stream]:
        """All streams that the forwarder is believed to serve."""
        if self._served is None:
            yield from (stream for key, stream in self._announced.items() if not self._is_absent(key))
        else:
            for key, streams in self._served.items():
                if not self._is_absent(key):
                    yield from streams
            yield from (each.stream for key, each in self._awaited.items() if each.served and key not in self._served)

    def _forget(self, now: float) -> None:
        """What is not served any more, and was not touched for long enough to be sure of it."""
        served = self._served
        if served is None or not self._alive:
            return
        gone = [
            key
            for key in self._announced
            if key not in self._wanted
            and key not in served
            and key not in self._awaited
            and now - self._touched.setdefault(key, now) >= CONFIRM_S
        ]
        for key in gone:
            del self._announced[key]
            self._touched.pop(key, None)
            self.unsaved = True
