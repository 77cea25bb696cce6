"""The table of all metrics: what each is called, what it says, and where it comes from."""

import platform
from collections.abc import Callable, Iterable

from .histogram import Histogram
from .measured import ClusterOf, Measured, MessagesOf
from .metric import Kind, Metric, Sample


def _one(value: Callable[[Measured], float]) -> Callable[[Measured], list[Sample]]:
    return lambda measured: [((), value(measured))]


def _maybe(value: Callable[[Measured], float | None]) -> Callable[[Measured], list[Sample]]:
    def samples(measured: Measured) -> list[Sample]:
        found = value(measured)
        return [] if found is None else [((), found)]

    return samples


def _by_topic(value: Callable[[MessagesOf], float]) -> Callable[[Measured], list[Sample]]:
    return lambda measured: [((each.cluster, each.topic), value(each)) for each in measured.messages]


def _by_cluster(value: Callable[[ClusterOf], float]) -> Callable[[Measured], list[Sample]]:
    return lambda measured: [((each.name,), value(each)) for each in measured.clusters]


def _client(protocol: str, name: str) -> Callable[[Measured], list[Sample]]:
    return lambda measured: [((), measured.clients[protocol][name])]


def _counter(
    name: str, help: str, samples: Callable[[Measured], Iterable[Sample]], labels: tuple[str, ...] = ()
) -> Metric[Measured]:
    return Metric(name, Kind.COUNTER, help, labels, samples)


def _gauge(
    name: str, help: str, samples: Callable[[Measured], Iterable[Sample]], labels: tuple[str, ...] = ()
) -> Metric[Measured]:
    return Metric(name, Kind.GAUGE, help, labels, samples)


def _histogram(name: str, help: str, histogram: Callable[[Measured], Histogram]) -> Metric[Measured]:
    return Metric(name, Kind.HISTOGRAM, help, (), lambda _: [], histogram)


_TOPIC = ("cluster", "topic")

METRICS: tuple[Metric[Measured], ...] = (
    _gauge(
        "build_info",
        "Always 1; the labels say what runs.",
        lambda m: [((m.version, platform.python_version()), 1)],
        ("version", "python"),
    ),
    _gauge("streams", "Streams that are forwarded.", _one(lambda m: m.streams)),
    _gauge(
        "pvs",
        "PVs by the state of their connection; searching is before the first connection and its grace period.",
        lambda m: [((pvs.protocol, state), count) for pvs in m.pvs for state, count in pvs.by_state.items()],
        ("protocol", "state"),
    ),
    _counter(
        "updates_received_total",
        "Updates of PVs that came, each counted once however many streams the PV has.",
        lambda m: [((pvs.protocol,), pvs.received) for pvs in m.pvs],
        ("protocol",),
    ),
    _counter("updates_failed_total", "Updates that could not be read.", _one(lambda m: m.updates["failed"])),
    _counter(
        "updates_refused_total",
        "How often an update could not be sent in the schema of a stream.",
        _one(lambda m: m.updates["refused"]),
    ),
    _counter(
        "updates_out_of_order_total",
        "Updates that were older than the newest of their PV.",
        _one(lambda m: m.updates["out_of_order"]),
    ),
    _counter(
        "updates_dropped_total",
        "Those of them that were dropped for it, as send-out-of-order says.",
        _one(lambda m: m.updates["dropped"]),
    ),
    _counter(
        "values_introduced_total",
        "Messages that told a new stream of a connected PV its last value.",
        _one(lambda m: m.updates["introduced"]),
    ),
    _counter(
        "values_repeated_total",
        "Messages that repeated a value in a periodic stream.",
        _one(lambda m: m.updates["repeated"]),
    ),
    _counter(
        "messages_appended_total",
        "Messages made of updates and of what happens to PVs. "
        "Appended + restored = acknowledged + waiting + dropped, for each topic, in every scrape.",
        _by_topic(lambda t: t.appended),
        _TOPIC,
    ),
    _counter(
        "messages_restored_total",
        "Messages that an earlier run had left in the spool.",
        _by_topic(lambda t: t.restored),
        _TOPIC,
    ),
    _counter(
        "messages_acknowledged_total",
        "Messages that Kafka has stored, by the schema they are in.",
        lambda m: [
            ((t.cluster, t.topic, schema), count) for t in m.messages for schema, count in t.acknowledged.items()
        ],
        (*_TOPIC, "schema"),
    ),
    _counter(
        "messages_dropped_total",
        "Messages that were given up, by reason.",
        lambda m: [((t.cluster, t.topic, reason), count) for t in m.messages for reason, count in t.dropped.items()],
        (*_TOPIC, "reason"),
    ),
    _counter(
        "messages_restamped_total",
        "Messages whose time the broker did not accept, and that have the time of sending in Kafka.",
        _by_topic(lambda t: t.restamped),
        _TOPIC,
    ),
    _gauge(
        "messages_waiting",
        "Messages that are neither acknowledged nor dropped, in memory or in the spool.",
        _by_topic(lambda t: t.waiting),
        _TOPIC,
    ),
    _gauge(
        "oldest_message_age_seconds",
        "Age of the oldest message that waits, wherever it does; 0 when none does. "
        "What an earlier run had left counts from the start of this one.",
        _by_topic(lambda t: t.oldest_s),
        _TOPIC,
    ),
    _gauge(
        "outbox_bytes",
        "Memory of the messages that wait or are on their way.",
        _by_topic(lambda t: t.waiting_bytes),
        _TOPIC,
    ),
    _gauge("outbox_limit_bytes", "Beyond it the oldest messages are dropped.", _one(lambda m: m.outbox_limit_bytes)),
    _gauge("spool_bytes", "Messages on disk, about.", _one(lambda m: m.condition.spool_bytes)),
    _gauge(
        "spool_limit_bytes",
        "Beyond it the oldest messages on disk are dropped; not there without a spool.",
        _maybe(lambda m: m.spool_limit_bytes),
    ),
    _gauge(
        "spool_working",
        "1 when messages can go to disk, 0 when the disk fails; not there without a spool.",
        _maybe(lambda m: None if m.spool_limit_bytes is None else not m.condition.spool_problem),
    ),
    _histogram(
        "receive_lag_seconds",
        "From a value's EPICS time to when it was taken. Sampled: the first and the last message of each beat and "
        "topic stand for half of that beat's each. Its average means little: a PV's first value may be days old.",
        lambda m: m.lags[0],
    ),
    _histogram(
        "delivery_latency_seconds",
        "From when a message was taken to its acknowledgement, by way of the disk too. Sampled: the oldest message of "
        "each acknowledged batch stands for all of it. What an earlier run had left is not in it.",
        lambda m: m.lags[1],
    ),
    _counter(
        "config_commands_total",
        "Messages on the config topics, by dialect, and whether they were obeyed or refused.",
        lambda m: [(labels, count) for labels, count in m.commands.items()],
        ("dialect", "result"),
    ),
    _counter(
        "config_streams_refused_total",
        "Streams in obeyed commands that can't be served.",
        _one(lambda m: m.streams_refused),
    ),
    _gauge(
        "config_last_command_timestamp_seconds",
        "Unix time of the last message on a config topic; 0: none has come.",
        _one(lambda m: m.condition.last_command_at),
    ),
    _gauge(
        "config_topic_reading",
        "1 when a command that is sent to the config topic now will be obeyed.",
        lambda m: [((name,), reading) for name, reading in m.config_topics.items()],
        ("topic",),
    ),
    _gauge(
        "state_restored",
        "1 when the streams of the run before have been read; commands are obeyed only then.",
        _one(lambda m: m.condition.restored),
    ),
    _gauge(
        "state_stored",
        "1 when the streams are in the storage topic, 0 when they can't be; not there without one.",
        _maybe(lambda m: None if m.condition.storage_problem is None else not m.condition.storage_problem),
    ),
    _counter(
        "ca_search_datagrams_total",
        "Datagrams sent to search PVs over Channel Access.",
        _client("ca", "search_datagrams"),
    ),
    _counter("ca_beacons_total", "Beacons of Channel Access servers that came.", _client("ca", "beacons")),
    _gauge("ca_circuits", "Connections to Channel Access servers, one for each.", _client("ca", "circuits")),
    _counter(
        "ca_circuits_lost_total",
        "Connections to Channel Access servers that were lost.",
        _client("ca", "circuits_lost"),
    ),
    _counter("pva_channels_lost_total", "PVs whose pvAccess connection was lost.", _client("pva", "lost_channels")),
    _counter(
        "pva_full_queues_total",
        "How often a PV's queue was found full; then the newest value had replaced others.",
        _client("pva", "full_queues"),
    ),
    _counter(
        "pva_merged_updates_total",
        "Updates left out for a newer one in their queue, because the service was behind for too long.",
        _client("pva", "merged_updates"),
    ),
    _counter("kafka_requests_total", "Produce requests sent.", _by_cluster(lambda c: c.requests), ("cluster",)),
    _counter(
        "kafka_requests_failed_total",
        "Produce requests that no broker answered; their messages are sent again.",
        _by_cluster(lambda c: c.requests_failed),
        ("cluster",),
    ),
    _counter(
        "kafka_connections_opened_total",
        "Connections opened to brokers to send; each beyond the number of brokers is a reconnection.",
        _by_cluster(lambda c: c.connections),
        ("cluster",),
    ),
    _counter(
        "kafka_producer_identities_total",
        "Producer identities taken; each beyond the number of partitions replaces one that a broker has forgotten.",
        _by_cluster(lambda c: c.identities),
        ("cluster",),
    ),
    _gauge(
        "kafka_topics_in_trouble",
        "Topics that have streams and can't be sent to: they are missing, or may not be written to.",
        _by_cluster(lambda c: c.topics_in_trouble),
        ("cluster",),
    ),
    _gauge(
        "event_loop_busy_ratio",
        "Part of a core that the event loop used in the last second.",
        _one(lambda m: m.condition.busy),
    ),
    _gauge(
        "event_loop_waiting_ratio",
        "Part of the last second in which updates that had come waited for the event loop.",
        _one(lambda m: m.condition.waiting),
    ),
    _gauge(
        "event_loop_lag_seconds",
        "How much later than it should the event loop looked at itself in the last second.",
        _one(lambda m: m.condition.lag_s),
    ),
    _gauge(
        "overloaded",
        "1 when the core of the event loop has been full for some seconds: updates may be merged by their servers.",
        _one(lambda m: m.condition.overloaded),
    ),
    _counter(
        "part_restarts_total",
        "How often a part of the service has died and was started again.",
        lambda m: [((part,), count) for part, count in m.condition.deaths.items()],
        ("part",),
    ),
    _gauge(
        "parts_stuck",
        "Parts of the service that do not get on; /live says which.",
        _one(lambda m: len(m.condition.stuck)),
    ),
    _gauge(
        "scrape_seconds",
        "How long the scrape before this one has kept the event loop.",
        _one(lambda m: m.scrape_s),
    ),
)
