"""How the service is put together, started and stopped. Nothing is created anywhere else."""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Any

from . import __version__
from .commands import parse_streams_file
from .control import Control
from .encode import x5f2
from .epics.ca.client import ChannelAccess
from .epics.interface import Client
from .epics.p4p_client import PvAccess
from .epics.simulated import Simulated
from .errors import BadCommand, BadSetting, BadStream
from .kafka.cluster import Cluster
from .kafka.config_topic import ConfigMessage, ConfigTopic
from .kafka.sender import Sender
from .model import Add, Transport
from .observe.status import StreamList
from .outbox import Lane, Outbox
from .pipeline import Pipeline
from .repeats import Repeats
from .route import Clocks
from .settings.types import ClusterSettings, EventLoop, Settings
from .ticker import Ticker

log = logging.getLogger(__name__)

EXIT_ERROR = 1
EXIT_LOST = 3
"""It stopped as told, but not all that had been received could be sent before the deadline."""

_DEFAULT_CLUSTER = ""
_STATUS_CLUSTER = "status"
_LAST_STATUS_S = 2.0
"""How long the last status, and only that, may take to be sent."""
_REPEAT_RESOLUTION_S = 0.02
_SHOWN_REFUSALS = 20


def main(settings: Settings) -> int:
    """Serve until told to stop; the exit code. Raises BadSetting for what shows itself only when it is used."""
    with asyncio.Runner(loop_factory=_loop_factory(settings.event_loop)) as runner:
        try:
            return runner.run(Service(settings).run())
        except Exception as error:
            wrong = _bad_setting(error)
            if wrong is not None:
                raise wrong from None
            log.critical("a part of the service has failed and could not be mended", exc_info=error)
    return EXIT_ERROR


class Service:
    """One running forwarder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clocks = Clocks(time.time_ns, time.monotonic)
        self._outbox = Outbox(settings.producer.max_waiting_bytes)
        self._repeats = Repeats(settings.repeat_period_s)
        self._pipeline = Pipeline(self._outbox, self._repeats, self._clocks, settings.service_id, settings.times)
        self._ticker = Ticker(settings.producer.linger_s)
        self._clients: dict[Transport, Client] = {
            Transport.CA: ChannelAccess(settings.ca, settings.never_connected_after_s, self._ticker.hold),
            Transport.PVA: PvAccess(settings.pva, settings.never_connected_after_s, self._ticker.hold),
            Transport.FAKE: Simulated(settings.fake_period_s),
        }
        self._stop = asyncio.Event()
        self._status_due = asyncio.Event()
        self._streams = StreamList()
        self._labels, self._clusters = _clusters(settings)
        self._senders = {label: self._sender(label, cluster) for label, cluster in self._clusters.items()}
        self._control = Control(
            self._pipeline,
            self._clients,
            self._label,
            changed=self._changed,
            leave=self._stop.set,
            settings=settings.commands,
            own_topics=self._own_topics(),
        )
        self._readers = [ConfigTopic(topic, settings.service_id, self._receive) for topic in settings.config_topics]
        self._started_at = time.time()

    async def run(self) -> int:
        """Serve until a signal or a command says stop. Raises what no part could mend."""
        settings = self._settings
        async with AsyncExitStack() as opened:
            for sender in self._senders.values():
                opened.push_async_callback(sender.close)
            for client in self._clients.values():
                opened.push_async_callback(client.close)
                await client.start()
            self._open_first_streams()
            with _stop_signals(self._stop):
                async with asyncio.TaskGroup() as tasks:
                    ticking = tasks.create_task(self._ticker.run(), name="ticker")
                    sending = [ticking] + [
                        tasks.create_task(s.run(), name=f"sender {b}") for b, s in self._senders.items()
                    ]
                    feeding = [tasks.create_task(r.run(), name=f"config {r.name}") for r in self._readers]
                    feeding += [tasks.create_task(c.run(), name=f"{t.name} client") for t, c in self._clients.items()]
                    if settings.repeat_period_s:
                        feeding.append(tasks.create_task(self._repeat(), name="repeats"))
                    feeding.append(tasks.create_task(self._report(), name="status"))
                    if settings.statistics_interval_s:
                        feeding.append(tasks.create_task(self._log_statistics(), name="statistics"))
                    log.info(
                        "forwarder %s, profile %s, service id %s", __version__, settings.profile, settings.service_id
                    )
                    if settings.storage_topic is not None:
                        log.info("the streams are not kept over a restart by this version: their sender repeats them")
                    await self._stop.wait()
                    for task in feeding:
                        task.cancel()
                    lost = await self._finish(feeding)
                    for task in sending:
                        task.cancel()
        return EXIT_LOST if lost else 0

    async def _finish(self, feeding: list[asyncio.Task[None]]) -> int:
        """Close what feeds the outbox, then send what is in it; how many messages could not be sent."""
        log.info("stopping: %d messages are still to be acknowledged", self._data_waiting())
        await asyncio.wait(feeding)
        for client in self._clients.values():
            await client.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.stop_timeout_s
        senders = [sender for label, sender in self._senders.items() if label != _STATUS_CLUSTER]
        # The status in the data's cluster need not be waited for: it is replaced by the last one.
        await asyncio.gather(*(sender.drained(deadline, self._data_lanes()) for sender in senders))
        lost = self._data_waiting()
        if lost:
            log.error("%d messages could not be sent within %g s and are lost", lost, self._settings.stop_timeout_s)
        lane = self._status_lane()
        if lane is not None:
            self._send_status("stopped")
            label = self._status_label()
            await self._senders[label].drained(loop.time() + _LAST_STATUS_S, [lane])
        log.info("stopped: %s", self._statistics())
        return lost

    def _sender(self, label: str, cluster: ClusterSettings) -> Sender:
        producer = self._settings.producer
        connections = Cluster(cluster, self._settings.service_id, producer.request_timeout_s)
        return Sender(connections, label, self._outbox, producer, self._ticker.tick)

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
        path = self._settings.streams_file
        if path is None:
            return
        try:
            streams = parse_streams_file(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, BadCommand) as error:
            raise BadSetting(f"streams-json: {path}: {error}") from None
        self._control.obey(Add(streams), str(path))
        self._changed()

    def _receive(self, message: ConfigMessage) -> None:
        place = f"command at {message.topic}[{message.partition}]@{message.offset}"
        self._control.receive(message.value, place)

    def _changed(self) -> None:
        self._streams.set(tuple(self._control.table))
        self._status_due.set()

    async def _repeat(self) -> None:
        while True:
            now = time.monotonic()
            due = self._repeats.run(now)
            # What is watched from now on is due after a whole period, and so not before the next look.
            delay = self._settings.repeat_period_s if due is None else due - now
            await asyncio.sleep(max(delay, _REPEAT_RESOLUTION_S))

    async def _report(self) -> None:
        for reader in self._readers:
            # Who sees a status knows that a command sent now will be obeyed.
            await reader.reading.wait()
        while True:
            self._status_due.clear()
            self._pipeline.times.look()
            self._send_status("running")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.status_interval_s):
                    await self._status_due.wait()

    def _own_topics(self) -> Iterator[tuple[str, str]]:
        settings = self._settings
        for topic in (*settings.config_topics, settings.status_topic, settings.storage_topic):
            if topic is not None:
                for label, cluster in self._clusters.items():
                    if set(cluster.brokers) & set(topic.cluster.brokers):
                        yield label, topic.topic

    def _status_label(self) -> str:
        topic = self._settings.status_topic
        assert topic is not None
        return next(label for label, cluster in self._clusters.items() if cluster == topic.cluster)

    def _status_lane(self) -> Lane | None:
        topic = self._settings.status_topic
        return None if topic is None else self._outbox.lane(self._status_label(), topic.topic)

    def _send_status(self, state: str) -> None:
        lane = self._status_lane()
        if lane is None:
            return
        # While Kafka is away only the newest matters.
        while lane.waiting_bytes and lane.drop_oldest("superseded by a newer status"):
            pass
        settings = self._settings
        sender = x5f2.Sender(
            "forwarder",
            __version__,
            settings.service_id,
            socket.gethostname(),
            os.getpid(),
            int(settings.status_interval_s * 1000),
        )
        more = {"statistics": self._statistics(), "config": self._config_state(), "unsendable": self._unsendable()}
        text = self._streams.status(state, more)
        lane.append((settings.service_id.encode(), x5f2.encode(sender, text), time.time_ns() // 1_000_000))

    def _config_state(self) -> Mapping[str, Any]:
        counts = self._control.counts
        return {
            "topics": {reader.name: "reading" if reader.reading.is_set() else "waiting" for reader in self._readers},
            "obeyed": counts.obeyed,
            "refused": counts.refused,
            "streams_refused": counts.refused_streams,
            "last_refusal": counts.last_refusal,
        }

    def _unsendable(self) -> Mapping[str, Any]:
        """Streams whose schema has no place for what their PV delivers, as many as one wants to read."""
        refusals = list(self._pipeline.refusals())
        shown = [
            {"channel": o.stream.channel, "schema": o.stream.schema, "topic": o.stream.topic, "reason": o.refused}
            for o in refusals[:_SHOWN_REFUSALS]
        ]
        return {"count": len(refusals), "streams": shown}

    def _statistics(self) -> dict[str, Any]:
        pipeline = self._pipeline
        lanes = self._data_lanes()
        by_schema: dict[str, int] = {}
        dropped: dict[str, int] = {}
        for lane in lanes:
            for schema, count in lane.acknowledged_by_schema.items():
                by_schema[schema] = by_schema.get(schema, 0) + count
            for reason, count in lane.dropped.items():
                dropped[reason] = dropped.get(reason, 0) + count
        return {
            "uptime_s": round(time.time() - self._started_at, 3),
            "updates_received": pipeline.received,
            "updates_failed": pipeline.errors,
            "updates_refused_by_a_schema": pipeline.refused_updates,
            "updates_out_of_order": pipeline.times.out_of_order,
            "updates_dropped_as_out_of_order": pipeline.dropped,
            "updates_in_the_future": pipeline.times.in_the_future,
            "updates_too_old_for_kafka": pipeline.times.clamped,
            "pvs_with_another_type": pipeline.type_changes,
            "pvs_from_another_server": pipeline.moves,
            "values_repeated": pipeline.repeated,
            "values_introduced": pipeline.introduced,
            "messages_appended": sum(lane.appended for lane in lanes),
            "messages_acknowledged": sum(lane.acknowledged for lane in lanes),
            "messages_by_schema": by_schema,
            "messages_restamped": sum(lane.restamped for lane in lanes),
            "messages_waiting": self._data_waiting(),
            "messages_dropped": sum(dropped.values()),
            "dropped_by_reason": dropped,
            "pvs": dict(pipeline.states()),
            "clients": {transport.name.lower(): dict(client.counts()) for transport, client in self._clients.items()},
            "topics_in_trouble": {k: v for sender in self._senders.values() for k, v in sender.problems().items()},
        }

    def _data_lanes(self) -> list[Lane]:
        status = self._status_lane()
        return [lane for lane in self._outbox if lane is not status]

    def _data_waiting(self) -> int:
        return sum(lane.waiting for lane in self._data_lanes())

    async def _log_statistics(self) -> None:
        while True:
            await asyncio.sleep(self._settings.statistics_interval_s)
            log.info("statistics: %s", self._statistics())


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


def _bad_setting(error: Exception) -> BadSetting | None:
    """The first wrong setting among the errors that ended the parts of the service."""
    if isinstance(error, ExceptionGroup):
        return next(filter(None, map(_bad_setting, error.exceptions)), None)
    return error if isinstance(error, BadSetting) else None


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
