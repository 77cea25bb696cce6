"""pvAccess through p4p's raw client: one place for all that is to be known of that library.

p4p searches, connects and receives in a thread of its own, and calls back there when a subscription's queue is empty
no more. That callback notes the subscription and wakes the event loop, once however many are noted; the loop takes
what all their queues hold. While updates keep coming it does so every 10 ms only: then the two threads don't fight
over the interpreter for every single update, which costs more than all else.

What reading one update costs, in µs (p4p 4.3 with pvxs 1.5.3, an NTScalar with everything in it):

    fields.value                                1.37    fields[b"value"]                0.25
    fields["alarm.severity"]                    0.38    fields.tolist("alarm")          1.31
    two fields of timeStamp, by name in bytes   0.90    fields.tolist("timeStamp")      1.04
    Value.changed(fields, "alarm")              0.81    the same of its base class      0.25
    value and time, one by one                  1.61    value and time, by itemgetter   0.94
    fields.changedSet()                         1.14    fields.tolist()                 6.32

So value and time are read by one itemgetter, and the alarm and the units only when their fields are marked as changed.

The queue is as long as `queue_size` says, on both sides. When it is full the newest update replaces the last in it.
p4p does not tell; what can be seen is that as many updates as the queue has places were taken from it without finding
it empty.

What can't be taken in one slice of the loop's time is taken when all else has had its turn, and one such turn is due
at a time: however much comes, the rest of the service gets on. A queue that is not seen empty for too long is taken
up to its newest value, and what is left out is counted.
"""

import asyncio
import logging
import queue
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

from p4p import Value as Fields
from p4p import logLevelFatal
from p4p._p4p import logger_level_set
from p4p.client.raw import Context, Disconnected, Finished
from p4p.client.raw import Subscription as Monitor

from forwarder.chars import asks_for_text
from forwarder.epics.interface import Listener
from forwarder.model import ChannelType, Value, ValueType
from forwarder.settings.types import PvAccessSettings

from .pva_alarms import severity_of, status_of
from .pva_channel import Event, State, after
from .pva_structures import Layout, layout_of
from .pva_texts import CHOICE_SIZE, UNITS_SIZE, text, texts

log = logging.getLogger(__name__)

_PACE_S = 0.01
"""Shortest time between two looks at what has come."""
_SLICE_S = 0.005
"""How long the loop may be kept before others get their turn."""
_BATCH = 16
"""Updates taken from one subscription until the next one's turn."""
_MANY_WAITING = 200_000
"""Updates that may wait in the queues of all PVs that the loop is behind with, each of which takes 2 kB."""
_LONGEST_BEHIND_S = 10.0
"""How long the loop may be behind with a PV when more than that may wait."""
_TICK_S = 0.1
"""How often grace periods and rests are looked at."""
_CLOSE_TIMEOUT_S = 5.0
_FIRST_REST_S = 0.5
_LONGEST_REST_S = 30.0
_STABLE_S = 10.0
"""How long updates have to flow until the next end of a subscription is no repetition of the one before."""
_LONGEST_NAME = 1000
"""Bytes. A search for a longer name does not fit into a datagram, and the library complains of it at every search."""
_LATEST_NS = 9_223_372_035_999_999_999
"""Since 1970; the end of the last second of which every nanosecond fits in 63 bits."""

# The library's own class for values wraps this in Python, which makes it three times slower.
_changed: Callable[[Fields, bytes], bool] = Fields.__bases__[0].changed


@lru_cache(maxsize=1000)
def _layout(structure: tuple[Any, ...], is_text: bool) -> Layout:
    return layout_of(structure, is_text)


def _frozen(structure: Any) -> Any:
    """The same with tuples for lists, so that it can be looked up."""
    return tuple(map(_frozen, structure)) if isinstance(structure, list | tuple) else structure


class _Counts:
    """What happened since the start."""

    __slots__ = ("failed", "full_queues", "lost", "merged", "properties", "refused", "untimed", "values", "wakes")

    def __init__(self) -> None:
        self.values = 0
        self.properties = 0
        """Updates that were about limits, units and the like, with the value, the alarm and the time as before."""
        self.untimed = 0
        """Updates without a time, or with one that was never set or that no int64 of nanoseconds since 1970 holds:
        theirs is that of their receipt."""
        self.failed = 0
        """Updates that could not be read, or whose listener raised an error."""
        self.full_queues = 0
        """How often a queue may have been full, so that updates in it were merged."""
        self.merged = 0
        """Updates that were left out for a newer one in their queue, as the loop was behind for too long."""
        self.lost = 0
        """PVs whose server went away."""
        self.refused = 0
        """Subscriptions that were refused or ended by the server."""
        self.wakes = 0
        """How often the library's thread woke the loop."""


class _Nobody:
    """Takes what is still to be told when the listener has gone in the midst of it."""

    channel = ""
    alarm_message = ""
    wants_description = False

    def connected(self, kind: ChannelType, server: str = "") -> None:
        pass

    def described(self, units: str, choices: tuple[str, ...]) -> None:
        pass

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        pass

    def failed(self, error: Exception) -> None:
        pass

    def disconnected(self, reason: str = "") -> None:
        pass

    def never_connected(self) -> None:
        pass


_NOBODY = _Nobody()


class _Reader:
    """Gives the updates of one connection of a PV to its listener."""

    __slots__ = (
        "_choices",
        "_counts",
        "_layout",
        "_listener",
        "_news",
        "_read",
        "_severity",
        "_status",
        "_units",
        "_watched",
    )

    def __init__(self, listener: Listener, layout: Layout, counts: _Counts) -> None:
        self._listener: Listener = listener
        self._layout = layout
        self._counts = counts
        self._read = layout.read
        self._news = layout.news
        self._status = self._severity = 0
        self._units = ""
        self._choices: tuple[str, ...] = ()
        watched = [(layout.severity[:5], self._alarm)] if layout.severity else []
        self._watched = (*watched, *((field, self._properties) for field in layout.properties))

    def mute(self) -> None:
        """Tell the listener nothing more, not even what the update that is just being read has to say."""
        self._listener = _NOBODY

    def first(self, fields: Fields) -> None:
        """The value that the connection begins with: all of it is news."""
        self._listener.connected(self._layout.kind)
        self._alarm(fields, first=True)
        self._describe(fields)
        self.tell_description()
        self._update(fields)

    def tell_description(self) -> None:
        """Say what the units or enum strings are, again if need be."""
        self._listener.described(self._units, self._choices)

    def update(self, fields: Fields) -> None:
        """Any later value."""
        for field, look in self._watched:
            if _changed(fields, field) and look(fields):
                self._counts.properties += 1
                return
        self._update(fields)

    def newest(self, fields: Fields) -> None:
        """A later value, after others that were left out: what they changed is not marked in it."""
        self._alarm(fields)
        self._properties(fields)
        self._update(fields)

    def _update(self, fields: Fields) -> None:
        value, seconds, nanoseconds = self._read(fields)
        time_ns = seconds * 1_000_000_000 + nanoseconds
        if seconds < 0 or not 0 < time_ns <= _LATEST_NS:
            time_ns = self._time_of_receipt()
        self._listener.update(value, time_ns, self._status, self._severity)

    def _time_of_receipt(self) -> int:
        self._counts.untimed += 1
        return time.time_ns()

    def _alarm(self, fields: Fields, first: bool = False) -> bool:
        layout = self._layout
        message = text(fields, layout.message) if layout.message else ""
        if layout.severity:
            self._severity = severity_of(fields[layout.severity])
            self._status = status_of(message, self._severity)
        if first or message != self._listener.alarm_message:
            self._listener.alarm_message = message
        return False

    def _properties(self, fields: Fields) -> bool:
        """Look at the properties; whether there is nothing else in this update."""
        before = self._units, self._choices
        self._describe(fields)
        if before != (self._units, self._choices):
            self.tell_description()
        return not any(_changed(fields, field) for field in self._news)

    def _describe(self, fields: Fields) -> None:
        layout = self._layout
        if layout.units:
            self._units = text(fields, layout.units, UNITS_SIZE)
        if layout.choices:
            self._choices = tuple(texts(fields, layout.choices, CHOICE_SIZE))


class _Channel:
    """One PV, as the client sees it."""

    __slots__ = (
        "backlog",
        "ever_connected",
        "failures",
        "listener",
        "monitor",
        "pop",
        "reader",
        "rest_until",
        "state",
        "subscribed_at",
        "take",
        "wanted_at",
    )

    def __init__(self, listener: Listener, now: float) -> None:
        self.listener = listener
        self.state = State.SEARCHING
        self.monitor: Monitor | None = None
        self.pop: Callable[[], Fields | Exception | None] = _nothing
        self.take: Callable[[Fields], None] = _ignore
        """What is to be done with a value."""
        self.reader: _Reader | None = None
        """While it is subscribed."""
        self.backlog = 0
        """Values that were taken since its queue was last seen empty, or counted as full."""
        self.ever_connected = False
        self.failures = 0
        """How often in a row its subscription was ended by the server."""
        self.wanted_at = now
        self.subscribed_at = now
        self.rest_until = 0.0

    def happened(self, event: Event) -> None:
        self.state = after(self.state, event)


def _pop_of(monitor: Monitor) -> Callable[[], Fields | Exception | None]:
    """The library's own method, without what p4p's wrapper around it does for values to be unwrapped."""
    return super(Monitor, monitor).pop


def _nothing() -> None:
    return None


def _ignore(_: Fields) -> None:
    pass


class _Worker:
    """A thread that does what makes its caller wait for the library's thread."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        # A daemon, because a library that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="PVA closing", daemon=True)
        self._thread.start()

    def do(self, job: Callable[[], object]) -> None:
        self._jobs.put(job)

    def end(self) -> None:
        """Go when all is done."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                log.exception("pvAccess could not be told to stop something")
            # Nothing is to be kept alive while it waits.
            del job


class PvAccess:
    """The client. It belongs to the event loop it was started in; only `_noted` runs elsewhere."""

    def __init__(
        self,
        settings: PvAccessSettings,
        never_connected_after_s: float,
        came: Callable[[None], None] | None = None,
        when_idle: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        """`came` is told, with None, when updates have come and have been read; `when_idle` calls back when the loop
        has nothing else to do, without it that is at once."""
        self._when_idle = when_idle
        self.beats = 0
        self._came = came
        self._settings = settings
        self._grace_s = never_connected_after_s
        self._request = Context.makeRequest(f"field()record[queueSize={settings.queue_size}]")
        self._context: Context | None = None
        self._worker: _Worker | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channels: dict[Listener, _Channel] = {}
        self._awaited: deque[_Channel] = deque()
        self._resting: set[_Channel] = set()
        self._ready: deque[_Channel] = deque()
        """Channels whose queue may hold something."""
        self._woken = False
        """Whether the loop need not be told of more of them."""
        self._look_due = False
        """Whether the loop is going to look at them: once, however often it was told."""
        self._behind: dict[_Channel, float] = {}
        """Channels whose queues hold more than could be taken in their turn, and since when."""
        self._look: asyncio.Handle | None = None
        self._looked_at = 0.0
        self._counts = _Counts()
        self._complained: set[str] = set()
        """PVs whose subscription the server ended: said once."""

    async def start(self) -> None:
        """Open sockets. Raises OSError when none can be had."""
        self._loop = asyncio.get_running_loop()
        # What pvxs has to say goes to stderr past the log, in another form and without a bound.
        logger_level_set("pvxs.*", logLevelFatal)
        settings = self._settings
        conf = {
            "EPICS_PVA_ADDR_LIST": " ".join(settings.addr_list),
            "EPICS_PVA_AUTO_ADDR_LIST": "YES" if settings.auto_addr_list else "NO",
            "EPICS_PVA_NAME_SERVERS": " ".join(settings.name_servers),
            "EPICS_PVA_BROADCAST_PORT": str(settings.broadcast_port),
            "EPICS_PVA_SERVER_PORT": str(settings.server_port),
            "EPICS_PVA_CONN_TMO": str(settings.conn_timeout_s),
        }
        try:
            # In a thread, because it looks up the names of hosts.
            self._context = await asyncio.to_thread(Context, "pva", conf=conf, useenv=False, nt=False)
        except RuntimeError as error:
            raise OSError(f"pvAccess cannot be used: {error}") from error
        self._worker = _Worker()

    async def run(self) -> None:
        """Watch grace periods, and renew what a server has ended, until cancelled."""
        while True:
            await asyncio.sleep(_TICK_S)
            self.beats += 1
            now = time.monotonic()
            while self._awaited and self._awaited[0].wanted_at + self._grace_s <= now:
                channel = self._awaited.popleft()
                if not channel.ever_connected and channel.state is not State.CLOSED:
                    channel.listener.never_connected()
            for channel in [channel for channel in self._resting if channel.rest_until <= now]:
                self._resting.discard(channel)
                channel.happened(Event.RENEWED)
                self._open(channel)

    def subscribe(self, listener: Listener) -> None:
        """Search the listener's PV, subscribe to it, and keep doing so whatever happens to its server."""
        channel = self._channels[listener] = _Channel(listener, time.monotonic())
        self._awaited.append(channel)
        if _is_searchable(listener.channel):
            self._open(channel)
        else:
            log.warning("%.60r cannot be the name of a PV: it is never searched", listener.channel)

    def describe(self, listener: Listener) -> None:
        """A subscribed listener has come to want its description: tell it, now if it is connected."""
        reader = self._channels[listener].reader
        if reader is not None:
            reader.tell_description()

    def unsubscribe(self, listener: Listener) -> None:
        """Stop; the listener hears nothing more."""
        channel = self._channels.pop(listener)
        self._resting.discard(channel)
        channel.happened(Event.UNWANTED)
        self._close(channel)

    def counts(self) -> Mapping[str, int]:
        """What happened since the start."""
        counts = self._counts
        subscribed = sum(channel.state is State.SUBSCRIBED for channel in self._channels.values())
        return {
            "updates": counts.values - counts.properties,
            "failed_updates": counts.failed,
            "property_updates": counts.properties,
            "updates_without_time": counts.untimed,
            "full_queues": counts.full_queues,
            "merged_updates": counts.merged,
            "subscribed": subscribed,
            "searching": len(self._channels) - subscribed,
            "lost_channels": counts.lost,
            "ended_subscriptions": counts.refused,
            "wake_ups": counts.wakes,
        }

    def searched_at(self) -> Sequence[str]:
        """Where PVs are searched, in words, an address each."""
        settings = self._settings
        return (
            *(_with_port(each, settings.broadcast_port) + " (UDP)" for each in settings.addr_list),
            *((f"the networks of this host, port {settings.broadcast_port} (UDP)",) if settings.auto_addr_list else ()),
            *(_with_port(each, settings.server_port) + " (name server, TCP)" for each in settings.name_servers),
        )

    async def close(self) -> None:
        """Unsubscribe everything and close all sockets."""
        for listener in list(self._channels):
            self.unsubscribe(listener)
        self._awaited.clear()
        self._ready.clear()
        if self._look is not None:
            self._look.cancel()
        worker, self._worker = self._worker, None
        context, self._context = self._context, None
        loop, self._loop = self._loop, None
        if worker is None or context is None or loop is None:
            return
        closed = asyncio.Event()
        worker.do(context.close)
        worker.do(partial(loop.call_soon_threadsafe, closed.set))
        worker.end()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await closed.wait()
        except TimeoutError:
            log.warning("pvAccess could not be closed within %g s", _CLOSE_TIMEOUT_S)

    def _open(self, channel: _Channel) -> None:
        assert self._context is not None, "not started"
        try:
            monitor = self._context.monitor(
                channel.listener.channel, partial(self._noted, channel), request=self._request
            )
        except RuntimeError as error:
            self._ended(channel, error)
            return
        channel.monitor = monitor
        channel.take = partial(self._first, channel)
        channel.pop = _pop_of(monitor)

    def _close(self, channel: _Channel) -> None:
        """Take nothing more from it, and let the library forget it."""
        if channel.reader is not None:
            channel.reader.mute()
            channel.reader = None
        channel.take = _ignore
        channel.pop = _nothing
        channel.backlog = 0
        self._behind.pop(channel, None)
        monitor, channel.monitor = channel.monitor, None
        if monitor is not None and self._worker is not None:
            self._worker.do(monitor.close)

    def _noted(self, channel: _Channel) -> None:
        """In the library's thread: something has come into a queue that was empty."""
        self._ready.append(channel)
        loop = self._loop
        if not self._woken and loop is not None:
            self._woken = True
            self._counts.wakes += 1
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._context is None or self._look_due:
            return
        loop = asyncio.get_running_loop()
        self._look_due = True
        due = self._looked_at + _PACE_S
        self._look = loop.call_at(due, self._take_all) if loop.time() < due else loop.call_soon(self._take_all)

    def _take_all(self) -> None:
        """Take what the queues hold, as long as one may keep the loop."""
        loop = asyncio.get_running_loop()
        self._look_due = False
        ready = self._ready
        stop_at = loop.time() + _SLICE_S
        while ready:
            self._take(ready.popleft())
            if loop.time() > stop_at:
                break
        self._looked_at = loop.time()
        # Before the last look: whatever comes after that wakes the loop again.
        self._woken = bool(ready)
        if ready:
            self._woken = self._look_due = True
            if self._when_idle is not None:
                self._when_idle(self._take_all)
            else:
                self._look = loop.call_soon(self._take_all)
        if self._came is not None:
            self._came(None)

    def _take(self, channel: _Channel) -> None:
        taken = 0
        for _ in range(_BATCH):
            # Both looked up each time: what the listener does may close the channel.
            try:
                item = channel.pop()
                if item is None:
                    self._look_for_full(channel, taken)
                    channel.backlog = 0
                    if self._behind:
                        self._behind.pop(channel, None)
                    break
                if item.__class__ is Fields:
                    taken += 1
                    channel.take(item)
                else:
                    self._interrupted(channel, item)
            except Exception as error:  # noqa: BLE001  (whatever an update does must not end the subscription)
                self._failed(channel, error)
        else:
            self._look_for_full(channel, taken)
            self._look_for_late(channel)
            self._ready.append(channel)
        self._counts.values += taken

    def _look_for_full(self, channel: _Channel, taken: int) -> None:
        """So many more values were taken: count it when a whole queue's were without it being seen empty."""
        channel.backlog += taken
        if channel.backlog >= self._settings.queue_size:
            channel.backlog -= self._settings.queue_size
            self._counts.full_queues += 1

    def _look_for_late(self, channel: _Channel) -> None:
        """Its queue holds more; when that has been so for too long, leave out all but the newest."""
        now = time.monotonic()
        since = self._behind.setdefault(channel, now)
        if now - since < _LONGEST_BEHIND_S or len(self._behind) * self._settings.queue_size < _MANY_WAITING:
            return
        if channel.reader is not None:
            del self._behind[channel]
            channel.backlog = 0
            self._take_newest(channel, channel.reader)

    def _take_newest(self, channel: _Channel, reader: _Reader) -> None:
        newest: Fields | None = None
        item: Fields | Exception | None = None
        with self._failures_told(channel):
            for _ in range(self._settings.queue_size):
                item = channel.pop()
                if item.__class__ is not Fields:
                    break
                self._counts.merged += newest is not None
                newest = item
        with self._failures_told(channel):
            if newest is not None:
                self._counts.values += 1
                reader.newest(newest)
        with self._failures_told(channel):
            # What the listener does may have closed the channel.
            if isinstance(item, Exception) and channel.monitor is not None:
                self._interrupted(channel, item)

    @contextmanager
    def _failures_told(self, channel: _Channel) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  (whatever an update does must not end the subscription)
            self._failed(channel, error)

    def _first(self, channel: _Channel, fields: Fields) -> None:
        """The first value of a connection, and with it the structure of all that follow."""
        name = channel.listener.channel
        structure = _frozen(fields.type().aspy())
        layout = _layout(structure, asks_for_text(name))
        if layout.kind.element is ValueType.UNKNOWN and not channel.ever_connected:
            log.warning("%s has no value that could be forwarded, its fields are %s", name, _names(structure))
        channel.ever_connected = True
        channel.happened(Event.FIRST_VALUE)
        channel.subscribed_at = time.monotonic()
        if name in self._complained:
            self._complained.discard(name)
            log.info("the subscription to %s works again", name)
        reader = channel.reader = _Reader(channel.listener, layout, self._counts)
        channel.take = reader.update
        reader.first(fields)

    def _failed(self, channel: _Channel, error: Exception) -> None:
        self._counts.failed += 1
        if channel.state is not State.CLOSED:
            channel.listener.failed(error)

    def _interrupted(self, channel: _Channel, reason: Exception) -> None:
        was_subscribed = channel.state is State.SUBSCRIBED
        if isinstance(reason, Disconnected) and not isinstance(reason, Finished):
            lost = "its server is gone"
            channel.happened(Event.LOST)
            channel.take = partial(self._first, channel)
            self._counts.lost += was_subscribed
        else:
            lost = f"its subscription has ended: {reason}"
            self._ended(channel, reason)
        channel.reader = None
        if was_subscribed:
            channel.listener.disconnected(lost)

    def _ended(self, channel: _Channel, reason: Exception) -> None:
        """Nothing more comes of this subscription: make another one after a while."""
        now = time.monotonic()
        name = channel.listener.channel
        first = name not in self._complained
        self._complained.add(name)
        log.log(
            logging.WARNING if first else logging.DEBUG,
            "the subscription to %s has ended, it is made again: %s",
            name,
            reason,
        )
        self._counts.refused += 1
        if channel.state is State.SUBSCRIBED and now - channel.subscribed_at > _STABLE_S:
            channel.failures = 0
        channel.happened(Event.ENDED)
        self._close(channel)
        rest = min(_LONGEST_REST_S, _FIRST_REST_S * 2**channel.failures)
        channel.failures = min(channel.failures + 1, 10)
        channel.rest_until = now + rest * random.uniform(0.75, 1.25)
        self._resting.add(channel)


def _with_port(address: str, default: int) -> str:
    return address if ":" in address else f"{address}:{default}"


def _names(structure: tuple[Any, ...]) -> str:
    _, _, members = structure
    return ", ".join(member for member, _ in members) or "none"


def _is_searchable(name: str) -> bool:
    try:
        return 0 < len(name.encode()) <= _LONGEST_NAME and "\0" not in name
    except UnicodeEncodeError:
        return False
