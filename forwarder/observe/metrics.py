"""What Prometheus is told: read from the plain counters that the service keeps anyway, and only when it asks.

All is read at one moment of the event loop, so that the numbers of one answer fit each other exactly:

    stream_updates - stream_updates_unsent + messages_extra + messages_restored
        = messages_appended = messages_acknowledged + messages_waiting + messages_dropped
"""

import platform
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.utils import floatToGoString

from forwarder.commands import DIALECTS, UNKNOWN
from forwarder.model import ConnectionState, Message, Transport

from .http import Answer, Endpoint, Request
from .load import Load

_TOPICS = 500
"""That have lines of their own; further ones are one sum, lest whoever sends commands makes the answer endless."""
_OTHERS = ("others", "others")
_DEFAULT_BROKER = "default"
_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_SEARCHING = "searching"
_STATES = (_SEARCHING, *(state.value for state in ConnectionState))


class Histogram:
    """How often which amounts occurred, in plain integers."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = _BOUNDS_S) -> None:
        self.bounds = bounds
        """The largest amount of each bucket; the one of what is larger is the last."""
        self.counts = [0] * (len(bounds) + 1)
        """Of each bucket alone."""
        self.total = 0.0
        """All amounts together."""

    def observe(self, amount: float, times: int = 1) -> None:
        """It occurred so often. An amount below nothing, as of a clock that is ahead, counts as nothing."""
        amount = max(amount, 0.0)
        self.counts[bisect_left(self.bounds, amount)] += times
        self.total += amount * times

    def buckets(self) -> list[tuple[str, float]]:
        """For each bound, how often it or less occurred."""
        names = [floatToGoString(bound) for bound in (*self.bounds, float("inf"))]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))


class Latencies:
    """How long messages to one cluster take; told by its sender, once a batch and not once a message."""

    def __init__(self, wall: Callable[[], float]) -> None:
        """`wall` gives seconds since the Unix epoch."""
        self.receive_lag = Histogram()
        self.delivery = Histogram()
        self._wall = wall

    def taken(self, messages: Sequence[Message]) -> None:
        """These have come since the last tick; the last one speaks for all, so that it costs the same for a million."""
        if messages:
            self.receive_lag.observe(self._wall() - messages[-1][2] / 1000, len(messages))

    def landed(self, count: int, waited_s: float) -> None:
        """So many were acknowledged; the oldest had waited so long."""
        self.delivery.observe(waited_s, count)


class Lane(Protocol):
    """What became of the messages for one topic."""

    broker: str
    topic: str
    acknowledged_by_schema: Counter[str]
    dropped: Counter[str]
    restamped: int
    restored: int
    waiting_bytes: int

    @property
    def appended(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def on_disk(self) -> int: ...
    def unsent_since(self) -> float | None:
        """When the oldest message came that is not acknowledged; None when there is none."""
        ...


class Route(Protocol):
    """One PV."""

    transport: Transport
    state: ConnectionState | None


class Times(Protocol):
    """What was wrong with the times of updates."""

    out_of_order: int
    in_the_future: int
    clamped: int


class Pipeline(Protocol):
    """What became of the updates."""

    def __iter__(self) -> Iterator[Route]: ...
    @property
    def times(self) -> Times: ...
    @property
    def received(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def type_changes(self) -> int: ...
    @property
    def moves(self) -> int: ...
    @property
    def stream_updates(self) -> int:
        """Updates, each counted once for every stream of its PV that was open then."""
        ...

    def unsent(self) -> Mapping[str, int]:
        """Of these, by reason, those of which no message was made."""
        ...

    def extra(self) -> Mapping[str, int]:
        """Messages, by kind, that no update made."""
        ...

    def refusals(self) -> Iterable[object]:
        """The streams that can't be sent in their schema."""
        ...


class Commands(Protocol):
    """What became of the configuration messages."""

    obeyed: Counter[str]
    refused: Counter[str]
    refused_streams: int


class Client(Protocol):
    """Reads PVs over one transport."""

    def counts(self) -> Mapping[str, int]: ...


class Sender(Protocol):
    """Sends to one cluster."""

    requests: int

    def problems(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the numbers are."""

    version: str
    service_id: str
    lanes: Callable[[], Iterable[Lane]]
    """Those of the streams, always in the same order."""
    drop_reasons: Sequence[str] = ()
    """Those there may be: what is told as 0 before it happens can be seen to happen."""
    memory_limit_bytes: int
    pipeline: Pipeline
    streams: Sized
    commands: Commands
    command_at_s: Callable[[], float]
    """When the last configuration message came, in seconds since the Unix epoch; 0: none yet."""
    config_topics: Callable[[], Mapping[str, bool]]
    """Whether each is being read."""
    clients: Mapping[Transport, Client]
    senders: Mapping[str, Sender]
    """By the outbox's name of their cluster, as are the latencies."""
    latencies: Mapping[str, Latencies]
    spool_bytes: Callable[[], int]
    spool_limit_bytes: int
    spool_works: Callable[[], bool]
    deaths: Callable[[], Mapping[str, int]]
    """Of each part of the service, those that never died too."""
    load: Load
    clock: Callable[[], float]
    """By which messages are told to have come."""


class Metrics:
    """Makes the page that Prometheus reads."""

    def __init__(self, sources: Sources) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(sources))
        ProcessCollector(registry=self._registry)

    def endpoint(self) -> Endpoint:
        """The page at its usual path."""
        return Endpoint("/metrics", self._answer)

    def page(self) -> bytes:
        """All numbers of now, in Prometheus's text format."""
        return generate_latest(self._registry)

    async def _answer(self, request: Request) -> Answer:
        return Answer(self.page(), CONTENT_TYPE_PLAIN_0_0_4)


class _Collector:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        """Called by prometheus_client for every page."""
        sources = self._sources
        yield _gauge(
            "build_info",
            "Which forwarder this is; always 1.",
            {(sources.version, platform.python_version(), sources.service_id): 1},
            ("version", "python", "service_id"),
        )
        yield from _of_pvs(sources)
        yield from _of_updates(sources.pipeline)
        yield from _of_messages(sources)
        yield from _of_kafka(sources)
        yield from _of_commands(sources)
        yield from _of_clients(sources.clients)
        yield from _of_the_process(sources)


def _of_pvs(sources: Sources) -> Iterator[Metric]:
    pvs = {(_name(transport), state): 0 for transport in sources.clients for state in _STATES}
    for (transport, state), count in Counter((route.transport, route.state) for route in sources.pipeline).items():
        pvs[_name(transport), state.value if state else _SEARCHING] = count
    yield _gauge("pvs", "PVs that are wanted, by the state of their connection.", pvs, ("protocol", "state"))
    yield _gauge("streams", "Streams: a PV in a schema to a topic.", len(sources.streams))
    unsendable = sum(1 for _ in sources.pipeline.refusals())
    yield _gauge("streams_unsendable", "Streams whose schema can't say what their PV delivers.", unsendable)


def _of_updates(pipeline: Pipeline) -> Iterator[Metric]:
    times = pipeline.times
    yield _counter("updates_received", "Updates that came from PVs.", pipeline.received)
    yield _counter("updates_failed", "Updates that could not be read.", pipeline.errors)
    yield _counter("updates_out_of_order", "Updates older than the newest of their PV.", times.out_of_order)
    yield _counter("updates_in_the_future", "Updates with a time too far in the future.", times.in_the_future)
    yield _counter("updates_too_old", "Updates with a time older than Kafka is told.", times.clamped)
    yield _counter("pv_type_changes", "PVs that came back with another type.", pipeline.type_changes)
    yield _counter("pv_moves", "PVs that came back from another server.", pipeline.moves)
    text = "Updates, each counted once for every stream of its PV."
    yield _counter("stream_updates", text, pipeline.stream_updates)
    text = "Stream updates of which no message was made."
    yield _counter("stream_updates_unsent", text, pipeline.unsent(), ("reason",))
    yield _counter("messages_extra", "Messages that no update made.", pipeline.extra(), ("kind",))


def _of_messages(sources: Sources) -> Iterator[Metric]:
    per_topic: dict[str, Counter[tuple[str, ...]]] = {name: Counter() for name in _PER_TOPIC}
    acknowledged: Counter[tuple[str, ...]] = Counter()
    dropped: Counter[tuple[str, ...]] = Counter()
    ages: dict[tuple[str, ...], float] = {}
    now = sources.clock()
    for index, lane in enumerate(sources.lanes()):
        topic = (_broker(lane.broker), lane.topic) if index < _TOPICS else _OTHERS
        for name, (_, number) in _PER_TOPIC.items():
            per_topic[name][topic] += number(lane)
        for schema, count in lane.acknowledged_by_schema.items():
            acknowledged[*topic, schema] += count
        for reason in {*sources.drop_reasons, *lane.dropped}:
            dropped[*topic, reason] += lane.dropped[reason]
        since = lane.unsent_since()
        ages[topic] = max(ages.get(topic, 0.0), 0.0 if since is None else now - since)
    labels = ("broker", "topic")
    for name, (text, _) in _PER_TOPIC.items():
        kind = _gauge if name in _GAUGES else _counter
        yield kind(name, text, per_topic[name], labels)
    text = "Messages that Kafka has stored."
    yield _counter("messages_acknowledged", text, acknowledged, (*labels, "schema"))
    yield _counter("messages_dropped", "Messages given up.", dropped, (*labels, "reason"))
    yield _gauge("oldest_unsent_seconds", "Since when the oldest message waits; 0: none does.", ages, labels)
    yield _gauge("outbox_limit_bytes", "Memory that may be used for what waits.", sources.memory_limit_bytes)
    yield _gauge("spool_bytes", "On disk, waiting for Kafka.", sources.spool_bytes())
    yield _gauge("spool_limit_bytes", "How much may be on disk.", sources.spool_limit_bytes)
    yield _gauge("spool_works", "Whether what waits can be put on disk: 1 or 0.", sources.spool_works())


_PER_TOPIC: Mapping[str, tuple[str, Callable[[Lane], int]]] = {
    "messages_appended": (
        "Messages that came to be sent, those of an earlier run in the spool too.",
        lambda lane: lane.appended,
    ),
    "messages_restored": ("Messages that an earlier run had left in the spool.", lambda lane: lane.restored),
    "messages_restamped": ("Messages whose time Kafka did not accept.", lambda lane: lane.restamped),
    "messages_waiting": ("Messages neither acknowledged nor dropped.", lambda lane: lane.waiting),
    "messages_on_disk": ("Waiting messages that are on disk.", lambda lane: lane.on_disk),
    "outbox_bytes": ("Memory of what waits.", lambda lane: lane.waiting_bytes),
}
_GAUGES = {"messages_waiting", "messages_on_disk", "outbox_bytes"}


def _of_kafka(sources: Sources) -> Iterator[Metric]:
    requests = {(_broker(label),): sender.requests for label, sender in sources.senders.items()}
    yield _counter("produce_requests", "Requests sent to Kafka with messages in them.", requests, ("broker",))
    troubled = {(_broker(label),): len(sender.problems()) for label, sender in sources.senders.items()}
    yield _gauge("topics_in_trouble", "Topics that can't be sent to.", troubled, ("broker",))
    lag = HistogramMetricFamily(
        "forwarder_receive_lag_seconds",
        "From the time stamp of an update until it was taken up; a sample of one message a tick and topic.",
        labels=["broker"],
    )
    delivery = HistogramMetricFamily(
        "forwarder_delivery_seconds",
        "From when the oldest message of a batch was taken up until Kafka had stored the batch.",
        labels=["broker"],
    )
    for label, latencies in sources.latencies.items():
        lag.add_metric([_broker(label)], latencies.receive_lag.buckets(), latencies.receive_lag.total)
        delivery.add_metric([_broker(label)], latencies.delivery.buckets(), latencies.delivery.total)
    yield lag
    yield delivery


def _of_commands(sources: Sources) -> Iterator[Metric]:
    commands = sources.commands
    results = {(dialect, "obeyed"): commands.obeyed[dialect] for dialect in DIALECTS}
    results |= {(dialect, "refused"): commands.refused[dialect] for dialect in (*DIALECTS, UNKNOWN)}
    yield _counter("commands", "Messages on the config topics.", results, ("dialect", "result"))
    text = "Streams in obeyed commands that can't be served."
    yield _counter("streams_refused", text, commands.refused_streams)
    if at_s := sources.command_at_s():
        yield _gauge("last_command_timestamp_seconds", "When the last configuration message came.", at_s)
    reading = {(name,): reading for name, reading in sources.config_topics().items()}
    yield _gauge("config_topic_reading", "Whether a command sent now is received: 1 or 0.", reading, ("topic",))


def _of_clients(clients: Mapping[Transport, Client]) -> Iterator[Metric]:
    counts = {(_name(transport),): client.counts() for transport, client in clients.items()}
    for key, (name, text) in CLIENT_COUNTS.items():
        values = {protocol: of_client[key] for protocol, of_client in counts.items() if key in of_client}
        if values:
            kind = _gauge if key in _CLIENT_GAUGES else _counter
            yield kind(name, text, values, ("protocol",))


CLIENT_COUNTS = {
    "updates": ("client_updates", "Updates that servers sent."),
    "refused_updates": ("client_updates_refused", "Updates that servers sent with an error instead of a value."),
    "failed_updates": ("client_updates_failed", "Updates that could not be read."),
    "property_updates": ("client_property_updates", "Updates that told units, limits or enum strings."),
    "updates_without_time": ("client_updates_without_time", "Updates that came without a time stamp."),
    "full_queues": ("client_full_queues", "How often a queue was full, so that updates may have been merged."),
    "searching": ("client_searching", "PVs that are being searched."),
    "subscribed": ("client_subscribed", "PVs that are subscribed."),
    "search_datagrams": ("client_search_datagrams", "Search datagrams sent."),
    "beacons": ("client_beacons", "Beacons of servers received."),
    "circuits": ("client_circuits", "Connections to servers."),
    "circuits_lost": ("client_circuits_lost", "Connections to servers that broke; their PVs are searched again."),
    "lost_channels": ("client_channels_lost", "PVs whose connection broke; they are searched again."),
    "ended_subscriptions": ("client_subscriptions_ended", "Subscriptions that servers ended."),
    "wake_ups": ("client_wake_ups", "How often the event loop was woken up for updates."),
    "length_changes": ("client_length_changes", "Arrays that came back with another length."),
}
"""By what an EPICS client calls a count: name of the metric, and what it says. What is not here is not told."""
_CLIENT_GAUGES = {"searching", "subscribed", "circuits"}


def _of_the_process(sources: Sources) -> Iterator[Metric]:
    load = sources.load
    yield _gauge("loop_busy_ratio", "Part of a core that the event loop needs.", load.busy)
    yield _gauge("loop_lag_seconds", "How late the event loop is.", load.lag_s)
    yield _gauge("overloaded", "Whether updates may come faster than they are taken: 1 or 0.", load.overloaded)
    deaths = {(part,): count for part, count in sources.deaths().items()}
    yield _counter("parts_started_again", "Parts of the service that died and were started again.", deaths, ("part",))


_Values = float | Mapping[str, float] | Mapping[tuple[str, ...], float]


def _counter(name: str, text: str, values: _Values, labels: Sequence[str] = ()) -> Metric:
    return _filled(CounterMetricFamily(f"forwarder_{name}", text, labels=labels), values)


def _gauge(name: str, text: str, values: _Values, labels: Sequence[str] = ()) -> Metric:
    return _filled(GaugeMetricFamily(f"forwarder_{name}", text, labels=labels), values)


def _filled(family: CounterMetricFamily | GaugeMetricFamily, values: _Values) -> Metric:
    if isinstance(values, Mapping):
        for names, value in values.items():
            family.add_metric([names] if isinstance(names, str) else names, float(value))
    else:
        family.add_metric((), float(values))
    return family


def _name(transport: Transport) -> str:
    return transport.name.lower()


def _broker(label: str) -> str:
    return label or _DEFAULT_BROKER
