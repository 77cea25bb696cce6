"""How the service is put together, started and stopped. Nothing is created anywhere else."""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Any

from . import __version__
from .commands import parse_streams_file
from .control import Control
from .epics.ca.client import ChannelAccess
from .epics.interface import Client
from .epics.p4p_client import PvAccess
from .epics.simulated import Simulated
from .errors import BadCommand, BadSetting, BadStream
from .faults import RepeatingFault
from .forever import nothing_more
from .idle import WhenIdle
from .kafka.cluster import Cluster
from .kafka.config_topic import ConfigMessage, ConfigTopic
from .kafka.partitions import partition_of
from .kafka.sender import Sender
from .kafka.spool import Spool, SpoolInUse, SpoolUnavailable
from .kafka.storage_topic import StorageTopic
from .model import Add, Transport
from .observe.load import Load
from .observe.progress import Progress
from .observe.systemd import Notifier
from .outbox import Lane, Outbox
from .pipeline import Pipeline
from .repeats import Repeats
from .reporting import Reporting
from .route import Clocks
from .settings.types import ClusterSettings, EventLoop, Settings
from .spooling import Spooling
from .supervision import Supervision
from .ticker import Ticker

log = logging.getLogger(__name__)

EXIT_ERROR = 1
EXIT_LOST = 3
"""It stopped as told, but not all that had been received could be sent or kept before the deadline."""

_DEFAULT_CLUSTER = ""
_STATUS_CLUSTER = "status"
_LAST_STATUS_S = 2.0
"""How long the last status, and only that, may take to be sent."""
_STATE_S = 3.0
"""How long the last state may take to be stored."""
_SPOOLED_S = 10.0
"""How long the disk may take at the stop for what could not be sent."""
_LATEST_END_S = 10.0
"""How much longer than all that the stop may take until the process ends at once."""
_REPEAT_RESOLUTION_S = 0.02
_PATIENCE_S = 20.0
"""How long a part of the service may take for one round before it counts as stuck."""
_HEARTBEAT_S = 1.0


def main(settings: Settings) -> int:
    """Serve until told to stop; the exit code. Raises BadSetting for what shows itself only when it is used."""
    with asyncio.Runner(loop_factory=_loop_factory(settings.event_loop)) as runner:
        try:
            return runner.run(Service(settings).run())
        except BadSetting:
            raise
        except Exception as error:
            log.critical("a part of the service has failed and could not be mended", exc_info=error)
    return EXIT_ERROR


class Service:
    """One running forwarder."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.outbox = Outbox(settings.producer.max_waiting_bytes)
        self._repeats = Repeats(settings.repeat_period_s)
        clocks = Clocks(time.time_ns, time.monotonic)
        self.pipeline = Pipeline(self.outbox, self._repeats, clocks, settings.service_id, settings.times)
        self._idle = WhenIdle()
        self._ticker = Ticker(settings.producer.linger_s, when_idle=self._idle.call)
        hold = self._ticker.hold
        self.clients: Mapping[Transport, Client] = {
            Transport.CA: ChannelAccess(settings.ca, settings.never_connected_after_s, hold),
            Transport.PVA: PvAccess(settings.pva, settings.never_connected_after_s, hold, self._idle.call),
            Transport.FAKE: Simulated(settings.fake_period_s),
        }
        self._stop = asyncio.Event()
        self._status_due = asyncio.Event()
        self._labels, self._clusters = _clusters(settings)
        self.senders: Mapping[str, Sender] = {
            label: self._sender(label, cluster) for label, cluster in self._clusters.items()
        }
        self.control = Control(
            self.pipeline,
            self.clients,
            self._label,
            changed=self._changed,
            leave=self._stop.set,
            settings=settings.commands,
            own_topics=self._own_topics(),
        )
        self.readers: Sequence[ConfigTopic] = [
            ConfigTopic(topic, settings.service_id, self._receive, from_beginning=settings.read_from_beginning)
            for topic in settings.config_topics
        ]
        self._storage = _storage(settings)
        self._restored = asyncio.Event()
        self._spool: Spool | None = None
        self._no_spool = "there is none, as the settings say"
        self._spooling: Spooling | None = None
        self._supervision = Supervision()
        self._load = Load(time.monotonic, time.thread_time)
        self._notifier = Notifier()
        lane = self._status_lane()
        if lane is not None:
            lane.spools = False
        self._reporting = Reporting(self, lane)

    async def run(self) -> int:
        """Serve until a signal or a command says stop; the exit code. Raises what no part could mend."""
        async with AsyncExitStack() as opened:
            await self._open_spool(opened)
            for sender in self.senders.values():
                opened.push_async_callback(sender.close)
            for client in self.clients.values():
                opened.push_async_callback(client.close)
                await client.start()
            self._open_first_streams()
            with _stop_signals(self._stop):
                return await self._serve()

    def more(self) -> Mapping[str, Any]:
        """Facts for the status that only the service as a whole knows."""
        spool = {"problem": self._spool.problem if self._spool else self._no_spool}
        if self._spooling is not None:
            spool |= {"bytes": self._spooling.bytes, "rows_being_written": self._spooling.pending}
        storage = {"problem": self._storage.problem} if self._storage else {"problem": "there is no storage topic"}
        load = {
            "busy": round(self._load.busy, 3),
            "waiting": round(self._load.waiting, 3),
            "lag_s": round(self._load.lag_s, 3),
            "overloaded": self._load.overloaded,
        }
        return {
            "spool": spool,
            "storage": storage,
            "load": load,
            "parts_started_again": dict(self._supervision.deaths),
        }

    async def _serve(self) -> int:
        sending = self._tasks(self._sending_parts())
        feeding = self._tasks(self._feeding_parts())
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
            with _ended_at_the_latest(self._longest_stop_s()):
                lost = await self._finish(feeding)
        finally:
            tasks = [stop, *sending, *feeding]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if wrong:
            raise wrong[0]
        return EXIT_ERROR if failed else EXIT_LOST if lost else 0

    def _sending_parts(self) -> dict[str, Callable[[], Awaitable[object]]]:
        """What is needed until all is sent."""
        parts: dict[str, Callable[[], Awaitable[object]]] = {"ticker": self._ticker.run}
        parts |= {f"sender {label}".strip(): sender.run for label, sender in self.senders.items()}
        if self._spooling is not None:
            parts["spooling"] = self._keep_spooling
        if self._storage is not None:
            parts["storage"] = self._when_restored(self._storage.run)
        parts["heartbeat"] = self._beat
        return parts

    def _feeding_parts(self) -> dict[str, Callable[[], Awaitable[object]]]:
        """What brings something that has to be sent."""
        parts: dict[str, Callable[[], Awaitable[object]]] = {"state": self._restore}
        parts |= {f"config {reader.name}": self._when_restored(reader.run) for reader in self.readers}
        parts |= {f"{transport.name} client": client.run for transport, client in self.clients.items()}
        if self.settings.repeat_period_s:
            parts["repeats"] = self._repeat
        parts["status"] = self._report
        if self.settings.statistics_interval_s:
            parts["statistics"] = self._log_statistics
        return parts

    def _tasks(self, parts: Mapping[str, Callable[[], Awaitable[object]]]) -> list[asyncio.Task[Any]]:
        loop = asyncio.get_running_loop()
        return [loop.create_task(self._supervision.keep(name, run), name=f"keep {name}") for name, run in parts.items()]

    async def _finish(self, feeding: Iterable[asyncio.Task[Any]]) -> int:
        """Close what feeds the outbox, then send what is in it; how many messages could neither be sent nor kept."""
        log.info("stopping: %d messages are still to be acknowledged", self._reporting.waiting())
        for task in feeding:
            task.cancel()
        await asyncio.gather(*feeding, return_exceptions=True)
        for client in self.clients.values():
            await client.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.settings.stop_timeout_s
        senders = [sender for label, sender in self.senders.items() if label != _STATUS_CLUSTER]
        # The status in the data's cluster need not be waited for: it is replaced by the last one.
        await asyncio.gather(*(sender.drained(deadline, self._reporting.data_lanes()) for sender in senders))
        lost = await self._keep_the_rest()
        if self._storage is not None:
            await self._storage.flush(loop.time() + _STATE_S)
        lane = self._status_lane()
        if lane is not None:
            self._reporting.send_status("stopped")
            await self.senders[self._status_label()].drained(loop.time() + _LAST_STATUS_S, [lane])
        log.info("stopped: %s", self._reporting.statistics())
        return lost

    async def _keep_the_rest(self) -> int:
        """Put on disk what could not be sent; how many messages are neither sent nor there."""
        waiting = self._reporting.waiting()
        if not waiting:
            return 0
        kept = 0
        if self._spool is not None and self._spooling is not None:
            loop = asyncio.get_running_loop()
            lanes = self._reporting.data_lanes()
            self._spooling.save_all(lanes, loop.time())
            with suppress(TimeoutError):
                async with asyncio.timeout(_SPOOLED_S):
                    while self._spooling.pending:
                        await self._ticker.tick()
            waiting = self._reporting.waiting()
            kept = sum(lane.on_disk for lane in lanes)
            log.warning("%d messages are kept in the spool for the next start", kept)
        lost = waiting - kept
        if lost:
            log.error("%d messages could not be sent within %g s and are lost", lost, self.settings.stop_timeout_s)
        return lost

    def _longest_stop_s(self) -> float:
        return self.settings.stop_timeout_s + _SPOOLED_S + _STATE_S + _LAST_STATUS_S + _LATEST_END_S

    async def _open_spool(self, opened: AsyncExitStack) -> None:
        settings = self.settings.spool
        if settings.directory is None:
            return
        spool = Spool(settings.directory)
        try:
            rows = await spool.open()
        except SpoolInUse as error:
            raise BadSetting(f"spool-directory: {error}; allowed: a directory of this instance alone") from None
        except SpoolUnavailable as error:
            self._no_spool = str(error)
            log.error("what waits for Kafka stays in memory: %s", error)
            return
        opened.push_async_callback(spool.close, _SPOOLED_S)
        self._spool = spool
        first = 1 + max((row.identifier for row in rows), default=0)
        self._spooling = Spooling(self.outbox, spool, settings, partition_of, first)
        for row in rows:
            self._spooling.restore(row.broker, row.topic, row.identifier, row.count, row.size)
        if rows:
            messages = sum(row.count for row in rows)
            log.warning("%d messages of an earlier run are in the spool and are sent first", messages)

    async def _keep_spooling(self) -> None:
        assert self._spooling is not None
        loop = asyncio.get_running_loop()
        while True:
            await self._ticker.tick()
            self._spooling.look(loop.time())

    async def _restore(self) -> None:
        """Go on with what the service forwarded when it ended; only then are commands read."""
        if not self._restored.is_set():
            if self._storage is not None and not self.settings.skip_retrieval:
                state = await self._storage.read()
                if state is not None:
                    self.control.restore(state.streams, "the stored state")
                    for reader in self.readers:
                        reader.next_offsets.update(state.offsets.get(reader.name, {}))
            self._restored.set()
            self._reporting.streams_changed()
        await nothing_more()

    def _when_restored(self, run: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
        async def later() -> None:
            await self._restored.wait()
            await run()

        return later

    def _sender(self, label: str, cluster: ClusterSettings) -> Sender:
        producer = self.settings.producer
        connections = Cluster(cluster, self.settings.service_id, producer.request_timeout_s)
        return Sender(connections, label, self.outbox, producer, self._ticker.tick)

    def _label(self, broker: str) -> str:
        label = self._labels.get(broker)
        if label is None:
            # A cluster may serve on another port today than the one that old configurations name.
            host = broker.rpartition(":")[0]
            of_host = {label for known, label in self._labels.items() if known and known.rpartition(":")[0] == host}
            if len(of_host) != 1:
                allowed = ", ".join(sorted(filter(None, self._labels)))
                raise BadStream(f"the output broker {broker} is not allowed; allowed are {allowed}")
            label = of_host.pop()
        return label

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
        place = f"command at {message.topic}[{message.partition}]@{message.offset}"
        self.control.receive(message.value, place)

    def _changed(self) -> None:
        self._reporting.streams_changed()
        self._status_due.set()
        if self._storage is not None and self._restored.is_set():
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
            await asyncio.sleep(max(delay, _REPEAT_RESOLUTION_S))

    async def _report(self) -> None:
        for reader in self.readers:
            # Who sees a status knows that a command sent now will be obeyed.
            await reader.reading.wait()
        self._changed()
        if self._storage is not None:
            # From where it reads has to be known to the next start, whatever happens to this one.
            await self._storage.flush(asyncio.get_running_loop().time() + _STATE_S)
        while True:
            self._status_due.clear()
            self.pipeline.times.look()
            self._reporting.send_status("running")
            with suppress(TimeoutError):
                async with asyncio.timeout(self.settings.status_interval_s):
                    await self._status_due.wait()

    async def _beat(self) -> None:
        """Feed the service manager's watchdog, as long as every part of the service gets on."""
        beats: dict[str, Callable[[], int]] = {"ticker": lambda: self._ticker.beats}
        for label, sender in self.senders.items():
            beats[f"sender {label}".strip()] = lambda sender=sender: sender.beats
        for transport in (Transport.CA, Transport.PVA):
            client = self.clients[transport]
            beats[f"{transport.name} client"] = lambda client=client: client.beats
        progress = Progress(beats, _PATIENCE_S)
        interval_s = min(self._notifier.watchdog_s / 3 or _HEARTBEAT_S, _HEARTBEAT_S)
        told: list[str] = []
        backlog = RepeatingFault(log, "Kafka does not take what comes", time.monotonic)
        while True:
            self._load.look(interval_s, self._idle.waited_s)
            if self._spooling is not None and self._spooling.bytes:
                backlog.occurred("what waits for it goes to disk")
            else:
                backlog.over()
            stuck = [] if self._stop.is_set() else progress.stuck(time.monotonic())
            if stuck != told:
                log.critical("parts of the service are stuck: %s", ", ".join(stuck) or "none any more")
                told = stuck
            if not stuck:
                self._notifier.alive()
            await asyncio.sleep(interval_s)

    def _own_topics(self) -> Iterator[tuple[str, str]]:
        settings = self.settings
        for topic in (*settings.config_topics, settings.status_topic, settings.storage_topic):
            if topic is not None:
                for label, cluster in self._clusters.items():
                    if set(cluster.brokers) & set(topic.cluster.brokers):
                        yield label, topic.topic

    def _status_label(self) -> str:
        topic = self.settings.status_topic
        assert topic is not None
        return next(label for label, cluster in self._clusters.items() if cluster == topic.cluster)

    def _status_lane(self) -> Lane | None:
        topic = self.settings.status_topic
        return None if topic is None else self.outbox.lane(self._status_label(), topic.topic)

    async def _log_statistics(self) -> None:
        while True:
            await asyncio.sleep(self.settings.statistics_interval_s)
            log.info("statistics: %s", self._reporting.statistics())


def _storage(settings: Settings) -> StorageTopic | None:
    if settings.storage_topic is None:
        return None
    return StorageTopic(settings.storage_topic, settings.service_id, overwrite=settings.skip_retrieval)


def _clusters(settings: Settings) -> tuple[dict[str, str], dict[str, ClusterSettings]]:
    """The outbox's name of the cluster that each broker belongs to, and the settings of each cluster by that name."""
    clusters = {_DEFAULT_CLUSTER: settings.output}
    labels = {"": _DEFAULT_CLUSTER, **dict.fromkeys(settings.output.brokers, _DEFAULT_CLUSTER)}
    for cluster in settings.allowed_outputs:
        label = labels.setdefault(cluster.brokers[0], cluster.brokers[0])
        clusters.setdefault(label, cluster)
        for broker in cluster.brokers:
            labels.setdefault(broker, label)
    status = settings.status_topic
    if status is not None and status.cluster not in clusters.values():
        clusters[_STATUS_CLUSTER] = status.cluster
    return labels, clusters


def _loop_factory(choice: EventLoop) -> Callable[[], asyncio.AbstractEventLoop]:
    if choice is not EventLoop.ASYNCIO:
        try:
            import uvloop
        except ImportError:
            if choice is EventLoop.UVLOOP:
                raise BadSetting("event-loop: uvloop is not installed; allowed here: auto, asyncio") from None
        else:
            return uvloop.new_event_loop
    return asyncio.new_event_loop


@contextmanager
def _stop_signals(stop: asyncio.Event) -> Iterator[None]:
    """The first SIGTERM or SIGINT sets the event, a second one ends the process at once."""
    loop = asyncio.get_running_loop()

    def received() -> None:
        if stop.is_set():
            log.critical("told to stop a second time: leaving at once")
            logging.shutdown()
            os._exit(EXIT_ERROR)
        stop.set()

    before = {
        number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(received))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    if sys.platform != "win32":
        # The handler above runs only between bytecodes; this wakes a loop that sleeps.
        for number in before:
            loop.add_signal_handler(number, received)
    try:
        yield
    finally:
        for number, handler in before.items():
            if sys.platform != "win32":
                loop.remove_signal_handler(number)
            signal.signal(number, handler)


@contextmanager
def _ended_at_the_latest(after_s: float) -> Iterator[None]:
    """End the process at once when what is done here takes so long: a stop has to have an end."""

    def end() -> None:
        log.critical("the stop has taken %g s: leaving at once", after_s)
        logging.shutdown()
        os._exit(EXIT_ERROR)

    timer = threading.Timer(after_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
