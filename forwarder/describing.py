"""What the page and the API show, gathered from where it happens. Everything is read, and nothing is kept."""

import os
import socket
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import cast

from . import __version__
from .encode.al00 import status_text
from .measuring import Measurable
from .model import ConnectionState, Transport, Value
from .observe.web.facts import (
    CommandFacts,
    Counted,
    Event,
    Pv,
    ServiceFacts,
    StreamFacts,
    TopicFacts,
    Totals,
    Trouble,
)
from .outbox import Lane
from .output import Output
from .reporting import Reporting
from .route import Route
from .settings.types import TopicSettings
from .troubles import troubles

_PLACE = "command at "


class Describing:
    """Answers what is asked about the service. It holds nothing but the way to where the answers are."""

    def __init__(self, facts: Measurable, reporting: Reporting) -> None:
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
        return Totals(
            received=self._facts.pipeline.received,
            acknowledged=sum(lane.acknowledged for lane in lanes),
            waiting=sum(lane.waiting for lane in lanes),
            waiting_bytes=sum(lane.waiting_bytes for lane in lanes),
            spooled_bytes=condition.spool_bytes,
            dropped=dict(dropped),
            oldest_s=self.oldest_s(lanes),
            delivered=sum(delivery.counts),
            delivery_s=delivery.sum,
            busy=condition.busy,
            overloaded=condition.overloaded,
        )

    def troubles(self) -> Sequence[Trouble]:
        return troubles(self._facts)

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
            oldest_s=self.oldest_s([lane]),
            problem=self.problem(lane),
        )

    def problem(self, lane: Lane) -> str:
        """Why messages for this topic do not get to Kafka now; empty where nothing is known of."""
        sender = self._facts.senders.get(lane.broker)
        return "" if sender is None else sender.problem(lane)

    def oldest_s(self, lanes: Iterable[Lane]) -> float:
        """Age of the oldest message that waits for one of these topics."""
        births = [b for lane in lanes if (b := lane.oldest_waiting(self._reporting.started_at)) is not None]
        return round(max(0.0, time.monotonic() - min(births)), 3) if births else 0.0


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
                waiting=output.lane.waiting,
                oldest_s=self._describing.oldest_s([output.lane]),
                problem=self._describing.problem(output.lane),
            )
            for output in route.outputs
        ]


def _lanes(outputs: Sequence[Output]) -> Iterable[Lane]:
    """Each once: streams of a PV may share a topic."""
    return [outputs[0].lane] if len(outputs) == 1 else {id(output.lane): output.lane for output in outputs}.values()


def _name(topic: TopicSettings | None) -> str:
    return "" if topic is None else f"{topic.cluster.brokers[0]}/{topic.topic}"
