"""How the service is put together and started. Nothing is created anywhere else."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from . import __version__
from .clusters import Clusters
from .commands import parse_streams_file
from .control import Control
from .epics.ca.client import ChannelAccess
from .epics.interface import Client
from .epics.p4p_client import PvAccess
from .epics.simulated import Simulated
from .errors import BadCommand, BadSetting
from .heartbeat import Heartbeat
from .idle import WhenIdle
from .kafka.cluster import Cluster
from .kafka.config_topic import ConfigMessage, ConfigTopic
from .kafka.sender import Sender
from .kafka.storage_topic import StorageTopic
from .keeping import Keeping
from .leaving import EXIT_ERROR, EXIT_LOST, Guard, stopped_by_signals
from .loops import serve
from .model import Add, Transport
from .observe.histogram import Lags
from .observe.measured import Condition
from .observe.systemd import Notifier
from .outbox import Lane, Outbox
from .parts import Part
from .pipeline import Pipeline
from .pulse import Pulse, Watched
from .repeats import Repeats
from .reporting import Reporting
from .route import Clocks
from .settings.types import ClusterSettings, HttpSettings, Settings
from .starting import Starting
from .stopping import GRACE_S, Budget, Stopping, ended
from .supervision import Supervision
from .ticker import Ticker

if TYPE_CHECKING:
    from .observe.http.server import Server

log = logging.getLogger(__name__)

_REPEAT_RESOLUTION_S = 0.02


def main(settings: Settings) -> int:
    """Serve until told to stop; the exit code. Raises BadSetting for what shows itself only when it is used."""
    return serve(lambda guard: Service(settings, guard).run(), settings.event_loop)


class Service:
    """One running forwarder."""

    def __init__(self, settings: Settings, guard: Guard) -> None:
        """`guard` stands from when the stop begins; who made it releases it."""
        self.settings = settings
        self.outbox = Outbox(settings.producer.max_waiting_bytes)
        self._guard = guard
        self._repeats = Repeats(settings.repeat_period_s)
        clocks = Clocks(time.time_ns, time.monotonic)
        self.pipeline = Pipeline(self.outbox, self._repeats, clocks, settings.service_id, settings.times)
        idle = WhenIdle()
        self._ticker = Ticker(settings.producer.linger_s, when_idle=idle.call)
        hold = self._ticker.hold
        self.clients: Mapping[Transport, Client] = {
            Transport.CA: ChannelAccess(settings.ca, settings.never_connected_after_s, hold),
            Transport.PVA: PvAccess(settings.pva, settings.never_connected_after_s, hold, idle.call),
            Transport.FAKE: Simulated(settings.fake_period_s),
        }
        self._stop = asyncio.Event()
        self._status_due = asyncio.Event()
        self.lags = Lags()
        self._last_command_at = 0.0
        self._clusters = Clusters(settings)
        self.senders: Mapping[str, Sender] = {
            label: self._sender(label, cluster) for label, cluster in self._clusters.by_label.items()
        }
        self.control = Control(
            self.pipeline,
            self.clients,
            self._clusters.label,
            changed=self._changed,
            leave=self._stop.set,
            settings=settings.commands,
            own_topics=self._clusters.own_topics(),
            wall_ns=time.time_ns,
        )
        self.readers: Sequence[ConfigTopic] = [
            ConfigTopic(topic, settings.service_id, self._receive, from_beginning=settings.read_from_beginning)
            for topic in settings.config_topics
        ]
        self._storage = _storage(settings)
        self._starting = Starting(
            self.control,
            self.readers,
            self._storage,
            self._changed,
            self._status_due.set,
            retrieves=not settings.skip_retrieval,
        )
        self._keeping = Keeping(settings.spool, self.outbox, self._ticker.tick)
        self._supervision = Supervision()
        self._notifier = Notifier()
        self._heartbeat = Heartbeat(self._notifier, idle, lambda: self._keeping.bytes)
        self._reporting = Reporting(self, self._status_lane())
        self._status_pulse, self._repeat_pulse, self._statistics_pulse = Pulse(), Pulse(), Pulse()
        self._http = _http_server(settings.http, self, self._reporting) if settings.http else None

    async def run(self) -> int:
        """Serve until a signal or a command says stop; the exit code. Raises what no part could mend."""
        with stopped_by_signals(self._stop, self._guard, self._longest_stop_s):
            async with AsyncExitStack() as opened:
                if self._http is not None:
                    opened.push_async_callback(self._http.close)
                    await self._http.open()
                await self._keeping.open()
                opened.push_async_callback(self._close_spool)
                for sender in self.senders.values():
                    opened.push_async_callback(sender.close)
                for client in self.clients.values():
                    opened.push_async_callback(client.close)
                    await client.start()
                self._open_first_streams()
                return await self._serve()

    def more(self) -> Mapping[str, Any]:
        """Facts for the status that only the service as a whole knows."""
        return {
            "spool": self._keeping.facts(),
            "storage": {"problem": self._storage.problem if self._storage else "there is no storage topic"},
            "load": self._heartbeat.facts(),
            "parts_started_again": dict(+self._supervision.deaths),
            "waits_for": list(self._starting.awaited()),
        }

    def condition(self) -> Condition:
        """How the service itself is, for those who measure it."""
        heartbeat, load = self._heartbeat, self._heartbeat.load
        return Condition(
            busy=load.busy,
            waiting=load.waiting,
            lag_s=load.lag_s,
            overloaded=load.overloaded,
            deaths=self._supervision.deaths,
            stuck=tuple(heartbeat.stuck),
            heartbeat_s=None if heartbeat.looked_at is None else time.monotonic() - heartbeat.looked_at,
            restored=self._starting.restored.is_set(),
            stopping=self._stop.is_set(),
            last_command_at=self._last_command_at,
            spool_bytes=self._keeping.bytes,
            spool_problem=self._keeping.problem,
            storage_problem=self._storage.problem if self._storage else None,
        )

    async def _serve(self) -> int:
        parts_that_send, parts_that_feed = self._sending_parts(), self._feeding_parts()
        watched = [each for part in (*parts_that_send, *parts_that_feed) for each in part.watched]
        sending = self._supervision.keep_all(
            [*parts_that_send, Part("heartbeat", lambda: self._heartbeat.run(watched))]
        )
        feeding = self._supervision.keep_all(parts_that_feed)
        settings = self.settings
        log.info("forwarder %s, profile %s, service id %s", __version__, settings.profile, settings.service_id)
        self._notifier.ready()
        stop = asyncio.get_running_loop().create_task(self._stop.wait(), name="stop")
        try:
            # The parts are kept running: one that ends has given up, or has found a wrong setting.
            done, _ = await asyncio.wait([stop, *sending, *feeding], return_when=asyncio.FIRST_COMPLETED)
            failed = [error for task in done - {stop} if (error := task.exception()) is not None]
            wrong = [error for error in failed if isinstance(error, BadSetting)]
            for error in failed:
                if error not in wrong:
                    log.critical("the service ends, because a part of it does not work", exc_info=error)
            self._notifier.stopping()
            self._heartbeat.stopping = True
            lost = await self._stopping().finish(feeding)
        finally:
            tasks = [stop, *sending, *feeding]
            for task in tasks:
                task.cancel()
            await ended(tasks, self._budget().end)
        if wrong:
            raise wrong[0]
        return EXIT_ERROR if failed else EXIT_LOST if lost else 0

    @property
    def _longest_stop_s(self) -> float:
        return self.settings.stop_timeout_s + GRACE_S

    def _budget(self) -> Budget:
        """The time of the stop, which has begun now at the latest."""
        self._guard.stand(self._longest_stop_s)
        assert self._guard.since is not None
        passed_s = time.monotonic() - self._guard.since
        return Budget(asyncio.get_running_loop().time() - passed_s, self.settings.stop_timeout_s)

    def _stopping(self) -> Stopping:
        return Stopping(self._budget(), self.clients, self.senders, self._keeping, self._storage, self._reporting)

    async def _close_spool(self) -> None:
        await self._keeping.close(self._budget().end)

    def _sending_parts(self) -> list[Part]:
        """What is needed until all is sent."""
        parts = [Part("ticker", self._ticker.run, (Watched("ticker", lambda: self._ticker.beats),))]
        for label, sender in self.senders.items():
            name = f"sender {label}".strip()
            parts.append(Part(name, sender.run, sender.watched(name)))
        parts += self._keeping.parts()
        storage = self._storage
        if storage is not None:
            run = self._starting.when_restored(storage.run, storage.pulse)
            parts.append(Part("storage", run, (storage.pulse.watched("storage", storage.slowest_s),)))
        if self._http is not None:
            parts.append(Part("http", self._http.run, (self._http.pulse.watched("http"),)))
        return parts

    def _feeding_parts(self) -> list[Part]:
        """What brings something that has to be sent."""
        reading_s = self._storage.slowest_s if self._storage else 0.0
        parts = [Part("start", self._starting.run, (self._starting.pulse.watched("start", reading_s),))]
        for reader in self.readers:
            name = f"config {reader.name}"
            run = self._starting.when_restored(reader.run, reader.pulse)
            parts.append(Part(name, run, (reader.pulse.watched(name, reader.slowest_s),)))
        for transport, client in self.clients.items():
            name = f"{transport.name} client"
            pause_s = self.settings.fake_period_s if transport is Transport.FAKE else 0.0
            parts.append(Part(name, client.run, (Watched(name, lambda client=client: client.beats, pause_s),)))
        if self.settings.repeat_period_s:
            parts.append(Part("repeats", self._repeat, (self._repeat_pulse.watched("repeats"),)))
        parts.append(Part("status", self._report, (self._status_pulse.watched("status"),)))
        if self.settings.statistics_interval_s:
            parts.append(Part("statistics", self._log_statistics, (self._statistics_pulse.watched("statistics"),)))
        return parts

    def _sender(self, label: str, cluster: ClusterSettings) -> Sender:
        producer = self.settings.producer
        connections = Cluster(cluster, self.settings.service_id, producer.request_timeout_s)
        return Sender(connections, label, self.outbox, producer, self._ticker.tick, self.lags)

    def _open_first_streams(self) -> None:
        path = self.settings.streams_file
        if path is None:
            return
        try:
            streams = parse_streams_file(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, BadCommand) as error:
            raise BadSetting(f"streams-json: {path}: {error}") from None
        self.control.obey(Add(streams), str(path))
        self._changed()

    def _receive(self, message: ConfigMessage) -> None:
        self._last_command_at = time.time()
        place = f"command at {message.topic}[{message.partition}]@{message.offset}"
        self.control.receive(message.value, place)

    def _changed(self) -> None:
        self._reporting.streams_changed()
        self._status_due.set()
        if self._storage is not None and self._starting.restored.is_set():
            self._storage.store(
                (*self.control.table, *self.control.unserved),
                {reader.name: reader.next_offsets for reader in self.readers},
            )

    async def _repeat(self) -> None:
        while True:
            now = time.monotonic()
            due = self._repeats.run(now)
            # What is watched from now on is due after a whole period, and so not before the next look.
            delay = self.settings.repeat_period_s if due is None else due - now
            await self._repeat_pulse.sleep(max(delay, _REPEAT_RESOLUTION_S))

    async def _report(self) -> None:
        while True:
            self._status_due.clear()
            self.pipeline.times.look()
            self._reporting.send_status(self._starting.state)
            await self._status_pulse.wait(self._status_due, self.settings.status_interval_s)

    def _status_lane(self) -> Lane | None:
        topic = self.settings.status_topic
        if topic is None:
            return None
        lane = self.outbox.lane(self._clusters.status_label(), topic.topic)
        lane.spools = False
        return lane

    async def _log_statistics(self) -> None:
        while True:
            await self._statistics_pulse.sleep(self.settings.statistics_interval_s)
            log.info("statistics: %s", self._reporting.statistics())


def _http_server(settings: HttpSettings, service: Service, reporting: Reporting) -> "Server":
    # Only here, because its libraries take 10 MB.
    from .observing import http_server

    return http_server(settings, service, reporting)


def _storage(settings: Settings) -> StorageTopic | None:
    if settings.storage_topic is None:
        return None
    return StorageTopic(settings.storage_topic, settings.service_id, overwrite=settings.skip_retrieval)
