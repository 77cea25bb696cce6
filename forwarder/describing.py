"""What the page and the API show, gathered from where it happens. Everything is read, and nothing is kept."""

import os
import socket
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, cast

from . import __version__
from .encode.al00 import status_text
from .kafka.sender import Sender
from .model import ConnectionState, Transport, Value
from .observe.histogram import Lags
from .observe.measured import Condition
from .observe.web.facts import (
    CommandFacts,
    Counted,
    Event,
    Level,
    Pv,
    ServiceFacts,
    StreamFacts,
    TopicFacts,
    Totals,
    Trouble,
)
from .outbox import Lane
from .output import Output
from .reporting import Facts, Reporting
from .route import Route
from .settings.types import TopicSettings

_PLACE = "command at "


class Described(Facts, Protocol):
    """Where the answers come from."""

    lags: Lags

    def condition(self) -> Condition:
        """How the service itself is."""
        ...


class Describing:
    """Answers what is asked about the service. It holds nothing but the way to where the answers are."""

    def __init__(self, facts: Described, reporting: Reporting) -> None:
        self._facts = facts
        self._reporting = reporting

    def service(self) -> ServiceFacts:
        settings = self._facts.settings
        return ServiceFacts(
            version=__version__,
            service_id=settings.service_id,
            profile=settings.profile,
            host=socket.gethostname(),
            pid=os.getpid(),
            uptime_s=round(time.monotonic() - self._reporting.started_at, 1),
            config_topics=[reader.name for reader in self._facts.readers],
            status_topic=_name(settings.status_topic),
            storage_topic=_name(settings.storage_topic),
            output=",".join(settings.output.brokers),
        )

    def totals(self) -> Totals:
        lanes = self._reporting.data_lanes()
        dropped: Counter[str] = Counter()
        for lane in lanes:
            dropped.update(lane.dropped)
        condition = self._facts.condition()
        delivery = self._facts.lags.delivery
        births = [b for lane in lanes if (b := lane.oldest_waiting(self._reporting.started_at)) is not None]
        return Totals(
            received=self._facts.pipeline.received,
            acknowledged=sum(lane.acknowledged for lane in lanes),
            waiting=sum(lane.waiting for lane in lanes),
            waiting_bytes=sum(lane.waiting_bytes for lane in lanes),
            spooled_bytes=condition.spool_bytes,
            dropped=dict(dropped),
            oldest_s=round(max(0.0, time.monotonic() - min(births)), 3) if births else 0.0,
            delivered=sum(delivery.counts),
            delivery_s=delivery.sum,
            busy=condition.busy,
            overloaded=condition.overloaded,
        )

    def troubles(self) -> Sequence[Trouble]:
        return [
            *self._of_kafka(),
            *self._of_commands(),
            *_of_the_service(self._facts.condition(), self._facts.settings.spool.directory is not None),
            *self._of_streams(),
        ]

    def counted(self) -> Sequence[Counted]:
        return tuple(self._facts.pipeline)

    def pv(self, counted: Counted) -> Pv:
        assert isinstance(counted, Route)
        return DescribedPv(counted, self)

    def find(self, protocol: str, name: str) -> Pv | None:
        route = self._facts.pipeline.find(Transport[protocol.upper()], name)
        return None if route is None else DescribedPv(route, self)

    def wants_description(self, pv: Pv) -> None:
        route = cast("Route", pv.identity)
        if route.kind is not None and route.units is None:
            self._facts.clients[route.transport].describe(route)

    def searched_at(self, protocol: str) -> Sequence[str]:
        return self._facts.clients[Transport[protocol.upper()]].searched_at()

    def topics(self) -> Sequence[TopicFacts]:
        return [self._topic(lane) for lane in self._reporting.data_lanes()]

    def commands(self) -> Sequence[CommandFacts]:
        return [
            CommandFacts(
                each.time_ns,
                each.place.removeprefix(_PLACE),
                each.dialect,
                each.command,
                each.refused,
                each.opened,
                each.closed,
                each.refused_streams,
                each.stream_refusal,
            )
            for each in reversed(self._facts.control.recent)
        ]

    def cluster(self, broker: str) -> str:
        """A cluster for people, by its name in streams."""
        return broker or ",".join(self._facts.settings.output.brokers)

    def _topic(self, lane: Lane) -> TopicFacts:
        sender = self._facts.senders.get(lane.broker)
        return TopicFacts(
            broker=lane.broker,
            cluster=self.cluster(lane.broker),
            topic=lane.topic,
            partitions=len(lane.partitions),
            acknowledged=lane.acknowledged,
            acknowledged_by_schema=lane.acknowledged_by_schema,
            waiting=lane.waiting,
            waiting_bytes=lane.waiting_bytes,
            on_disk=lane.on_disk,
            dropped=lane.dropped,
            dropped_unread=lane.dropped_unread,
            restamped=lane.restamped,
            problem=sender.problems().get(lane.topic, "") if sender else "",
        )

    def _of_kafka(self) -> Iterator[Trouble]:
        for label, sender in self._facts.senders.items():
            faults = sender.faults()
            for fault in faults:
                yield Trouble(Level.ERROR, fault.what, fault.reason, fault.lasts_s, link="topics")
            if not faults:
                yield from self._of_topics(label, sender)
            if refused := sender.refused_pvs:
                name, reason = next(reversed(refused.items()))
                yield Trouble(
                    Level.WARNING,
                    f"Kafka refused messages of {_count(len(refused), 'PV')}",
                    f"The last was of {name}, for {reason}.",
                    link="pvs?dropped=any&sort=dropped&order=desc",
                )

    def _of_topics(self, label: str, sender: Sender) -> Iterator[Trouble]:
        for topic, reason in sender.problems().items():
            lane = self._facts.outbox.lane(label, topic)
            # A new topic is asked for within a moment: until something waits there is nothing to tell.
            if lane.waiting or lane.partitions:
                yield Trouble(Level.ERROR, f"topic {topic}: {reason}", f"{lane.waiting} messages wait.", link="topics")

    def _of_commands(self) -> Iterator[Trouble]:
        for reader in self._facts.readers:
            if not reader.reading.is_set():
                detail = reader.problem or "It is not being read yet."
                yield Trouble(Level.ERROR, f"commands on {reader.name} are not read", detail, link="commands")
        counts = self._facts.control.counts
        refused = counts.refused.total()
        if refused or counts.refused_streams:
            yield Trouble(
                Level.NOTE,
                f"refused: {_count(refused, 'command')}, {_count(counts.refused_streams, 'stream')}",
                f"The last: {counts.last_refusal}",
                link="commands",
            )

    def _of_streams(self) -> Iterator[Trouble]:
        control = self._facts.control
        if unserved := len(control.unserved):
            yield Trouble(
                Level.WARNING,
                f"not served: {_count(unserved, 'stream')} of an earlier run",
                "The settings do not allow them now; they are kept until a command removes them.",
            )
        if not len(control.table):
            yield Trouble(Level.NOTE, "nothing is forwarded", "No command has asked for streams.", link="commands")
        merged = self._facts.clients[Transport.PVA].counts().get("full_queues", 0)
        if merged:
            yield Trouble(
                Level.NOTE,
                f"a queue of pvAccess was full {merged} times",
                "Updates came faster than they were taken, and some were replaced by newer ones.",
            )


def _of_the_service(condition: Condition, has_spool: bool) -> Iterator[Trouble]:
    if condition.stuck:
        yield Trouble(Level.ERROR, f"stuck: {', '.join(condition.stuck)}", "These parts of the service do not get on.")
    if condition.overloaded:
        yield Trouble(
            Level.ERROR,
            "the forwarder is overloaded",
            f"It uses {condition.busy:.0%} of a core; updates wait with their IOCs, which merge them then.",
            link="pvs?sort=rate&order=desc",
        )
    if not has_spool:
        yield Trouble(Level.NOTE, "there is no spool", "What Kafka does not take waits in memory, and a kill loses it.")
    elif condition.spool_problem:
        yield Trouble(Level.ERROR, "the disk does not take what waits for Kafka", condition.spool_problem)
    if condition.spool_bytes:
        yield Trouble(
            Level.WARNING,
            "what waits for Kafka goes to disk",
            f"{condition.spool_bytes / 1e6:.1f} MB are there; all is sent in order when Kafka takes it.",
            link="topics",
        )
    if condition.storage_problem is None:
        detail = "There is no storage topic: the next start begins without streams."
        yield Trouble(Level.NOTE, "the streams are not stored", detail)
    elif condition.storage_problem:
        yield Trouble(Level.WARNING, "the streams are not stored for the next start", condition.storage_problem)
    if deaths := +Counter(condition.deaths):
        parts = ", ".join(f"{name} ({count})" for name, count in deaths.items())
        yield Trouble(Level.WARNING, "parts of the service died and were started again", f"{parts}. The log says why.")


class DescribedPv:
    """One route, in the words of the page."""

    __slots__ = ("_describing", "_route")

    def __init__(self, route: Route, describing: Describing) -> None:
        self._route = route
        self._describing = describing

    @property
    def identity(self) -> Hashable:
        return self._route

    @property
    def name(self) -> str:
        return self._route.channel

    @property
    def protocol(self) -> str:
        return self._route.transport.name.lower()

    @property
    def state(self) -> str:
        state = self._route.state
        return state.value if state is not None else "searching"

    @property
    def type(self) -> str:
        kind = self._route.kind
        return "" if kind is None else f"{kind.element.value}{'[]' * kind.is_array}"

    @property
    def value(self) -> Value | None:
        return self._route.value if self._route.kind is not None else self._route.history.last_value

    @property
    def time_ns(self) -> int:
        return self._route.time_ns

    @property
    def choices(self) -> tuple[str, ...]:
        return self._route.choices

    @property
    def units(self) -> str | None:
        return self._route.units

    @property
    def severity(self) -> int:
        return self._route.alarm[1]

    @property
    def status(self) -> str:
        return status_text(self._route.alarm[0])

    @property
    def alarm_message(self) -> str:
        return self._route.alarm_message

    @property
    def received(self) -> int:
        return self._route.received

    @property
    def server(self) -> str:
        return self._route.server

    @property
    def connects(self) -> int:
        return self._route.history.connects

    @property
    def disconnects(self) -> int:
        return self._route.history.losses

    @property
    def connected_at_ns(self) -> int | None:
        return self._route.history.last(ConnectionState.CONNECTED)

    @property
    def lost_at_ns(self) -> int | None:
        return self._route.history.last(ConnectionState.DISCONNECTED)

    @property
    def type_changes(self) -> int:
        return self._route.type_changes

    @property
    def moves(self) -> int:
        return self._route.moves

    @property
    def error(self) -> tuple[int | None, str] | None:
        if self._route.history.error is not None:
            return self._route.history.error
        refused = next((output.refused for output in self._route.outputs if output.refused), "")
        return (None, refused) if refused else None

    @property
    def outlets(self) -> Sequence[Output]:
        return self._route.outputs

    @property
    def events(self) -> Sequence[Event]:
        events = self._route.history.events
        return [Event(each.time_ns, each.state.value, each.server, each.reason) for each in events]

    def losses(self) -> Mapping[str, int]:
        route = self._route
        losses: Counter[str] = Counter()
        if route.dropped:
            losses["older than the newest"] = route.dropped
        if route.errors:
            losses["could not be read"] = route.errors
        if refused := route.refused_updates:
            losses["no place in the schema"] = refused
        for lane in _lanes(route.outputs):
            if lane.dropped_by_key:
                losses.update(lane.losses(route.channel.encode()))
        return losses

    def streams(self) -> Sequence[StreamFacts]:
        route = self._route
        return [
            StreamFacts(
                schema=output.stream.schema,
                topic=output.stream.topic,
                cluster=self._describing.cluster(output.stream.broker),
                periodic=output.stream.periodic,
                refused=output.refused,
                refused_updates=output.refused_updates(route.received),
                dropped_unread=output.lane.dropped_unread,
            )
            for output in route.outputs
        ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _lanes(outputs: Sequence[Output]) -> Iterable[Lane]:
    """Each once: streams of a PV may share a topic."""
    return [outputs[0].lane] if len(outputs) == 1 else {id(output.lane): output.lane for output in outputs}.values()


def _name(topic: TopicSettings | None) -> str:
    return "" if topic is None else f"{topic.cluster.brokers[0]}/{topic.topic}"
