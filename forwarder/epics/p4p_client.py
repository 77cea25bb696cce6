"""pvAccess through p4p's raw client: subscribes, and makes anew what servers have ended.

What comes is taken by `pva_taking` and read by `pva_reader`.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from p4p import Value as Fields
from p4p import logLevelFatal
from p4p._p4p import logger_level_set
from p4p.client.raw import Context, Disconnected, Finished
from p4p.client.raw import Subscription as Monitor

from forwarder.chars import asks_for_text
from forwarder.epics.interface import Listener
from forwarder.model import ValueType
from forwarder.settings.types import PvAccessSettings

from .pva_channel import Channel, Event, State, ignore, nothing
from .pva_counts import Counts
from .pva_reader import Reader
from .pva_structures import Layout, layout_of
from .pva_taking import Taking
from .pva_worker import Worker

log = logging.getLogger(__name__)

_TICK_S = 0.1
"""How often grace periods and rests are looked at."""
_CLOSE_TIMEOUT_S = 5.0
_FIRST_REST_S = 0.5
_LONGEST_REST_S = 30.0
_STABLE_S = 10.0
"""How long updates have to flow until the next end of a subscription is no repetition of the one before."""
_LONGEST_NAME = 1000
"""Bytes. A search for a longer name does not fit into a datagram, and the library complains of it at every search."""


@lru_cache(maxsize=1000)
def _layout(structure: tuple[Any, ...], is_text: bool) -> Layout:
    return layout_of(structure, is_text)


def _frozen(structure: Any) -> Any:
    """The same with tuples for lists, so that it can be looked up."""
    return tuple(map(_frozen, structure)) if isinstance(structure, list | tuple) else structure


def _pop_of(monitor: Monitor) -> Callable[[], Fields | Exception | None]:
    """The library's own method, without what p4p's wrapper around it does for values to be unwrapped."""
    return super(Monitor, monitor).pop


class PvAccess:
    """The client. It belongs to the event loop it was started in; only what is noted for it comes from elsewhere."""

    def __init__(
        self,
        settings: PvAccessSettings,
        never_connected_after_s: float,
        came: Callable[[None], None] | None = None,
        when_idle: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        """`came` is told, with None, when updates have come and have been read; `when_idle` calls back when the loop
        has nothing else to do, without it that is at once."""
        self.beats = 0
        self._settings = settings
        self._grace_s = never_connected_after_s
        self._request = Context.makeRequest(f"field()record[queueSize={settings.queue_size}]")
        self._context: Context | None = None
        self._worker: Worker | None = None
        self._channels: dict[Listener, Channel] = {}
        self._awaited: deque[Channel] = deque()
        self._resting: set[Channel] = set()
        self._counts = Counts()
        self._taking = Taking(settings.queue_size, self._counts, self._interrupted, self._failed, came, when_idle)
        self._complained: set[str] = set()
        """PVs whose subscription the server ended: said once."""

    async def start(self) -> None:
        """Open sockets. Raises OSError when none can be had."""
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
        self._worker = Worker()
        self._taking.start()

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
        channel = self._channels[listener] = Channel(listener, time.monotonic())
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
        self._taking.stop()
        worker, self._worker = self._worker, None
        context, self._context = self._context, None
        if worker is None or context is None:
            return
        loop = asyncio.get_running_loop()
        closed = asyncio.Event()
        worker.do(context.close)
        worker.do(partial(loop.call_soon_threadsafe, closed.set))
        worker.end()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await closed.wait()
        except TimeoutError:
            log.warning("pvAccess could not be closed within %g s", _CLOSE_TIMEOUT_S)

    def _open(self, channel: Channel) -> None:
        assert self._context is not None, "not started"
        try:
            monitor = self._context.monitor(
                channel.listener.channel, partial(self._taking.noted, channel), request=self._request
            )
        except RuntimeError as error:
            self._ended(channel, error)
            return
        channel.monitor = monitor
        channel.take = partial(self._first, channel)
        channel.pop = _pop_of(monitor)

    def _close(self, channel: Channel) -> None:
        """Take nothing more from it, and let the library forget it."""
        if channel.reader is not None:
            channel.reader.mute()
            channel.reader = None
        channel.take = ignore
        channel.pop = nothing
        self._taking.forget(channel)
        monitor, channel.monitor = channel.monitor, None
        if monitor is not None and self._worker is not None:
            self._worker.do(monitor.close)

    def _first(self, channel: Channel, fields: Fields) -> None:
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
        reader = channel.reader = Reader(channel.listener, layout, self._counts)
        channel.take = reader.update
        reader.first(fields)

    def _failed(self, channel: Channel, error: Exception) -> None:
        self._counts.failed += 1
        if channel.state is not State.CLOSED:
            channel.listener.failed(error)

    def _interrupted(self, channel: Channel, reason: Exception) -> None:
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

    def _ended(self, channel: Channel, reason: Exception) -> None:
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
