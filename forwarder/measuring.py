"""Gathers what is counted all over the service, at one moment."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Protocol

from . import __version__
from .commands import DIALECTS, UNKNOWN
from .kafka.producing import REASONS
from .observe.histogram import Lags
from .observe.measured import ClusterOf, Condition, Measured, MessagesOf, PvsOf
from .outbox import Lane
from .reporting import Facts, Reporting

MOST_TOPICS = 200
"""What comes after them is counted together: anybody who may send commands can make up topics."""
OTHERS = "others"
_OUTPUT = "output"
"""What the default cluster is called, which has no name in the outbox."""
_DROPPED = ("memory full", "spool full", "spool damaged", "spool unreadable", *dict.fromkeys(REASONS.values()))
"""The reasons there are: each is told from the start, because what grows from nothing looks to Prometheus as if it had
always been there."""


class Measurable(Facts, Protocol):
    """Where all of it comes from."""

    lags: Lags

    def condition(self) -> Condition:
        """How the service itself is."""
        ...


def measure(facts: Measurable, reporting: Reporting) -> Measured:
    """All of it, now, in the event loop. Takes a few milliseconds with 10 000 PVs."""
    pipeline, control, settings = facts.pipeline, facts.control, facts.settings
    return Measured(
        version=__version__,
        condition=facts.condition(),
        streams=len(control.table),
        pvs=tuple(
            PvsOf(transport.name.lower(), received, by_state)
            for transport, (received, by_state) in pipeline.census().items()
        ),
        clients={transport.name.lower(): client.counts() for transport, client in facts.clients.items()},
        updates={
            "failed": pipeline.errors,
            "refused": pipeline.refused_updates,
            "out_of_order": pipeline.times.out_of_order,
            "dropped": pipeline.dropped,
            "introduced": pipeline.introduced,
            "repeated": pipeline.repeated,
        },
        messages=messages(reporting.data_lanes(), asyncio.get_running_loop().time(), reporting.started_at),
        clusters=tuple(
            ClusterOf(
                cluster_name(label),
                sender.requests,
                sender.requests_failed,
                sender.connections_opened,
                sender.identities,
                len(sender.problems()),
            )
            for label, sender in facts.senders.items()
        ),
        outbox_limit_bytes=settings.producer.max_waiting_bytes,
        spool_limit_bytes=None if settings.spool.directory is None else settings.spool.max_bytes,
        lags=(facts.lags.receive, facts.lags.delivery),
        commands=_commands(control.counts.obeyed, control.counts.refused),
        streams_refused=control.counts.refused_streams,
        config_topics={reader.name: reader.reading.is_set() for reader in facts.readers},
    )


def messages(lanes: Iterable[Lane], now: float, started_at: float) -> tuple[MessagesOf, ...]:
    """What became of the messages for each topic, with the clock by which the outbox collects."""
    counted: dict[tuple[str, str], MessagesOf] = {}
    for lane in lanes:
        place = (cluster_name(lane.broker), lane.topic)
        if len(counted) >= MOST_TOPICS:
            place = (OTHERS, OTHERS)
        of_topic = counted.setdefault(place, MessagesOf(*place, dropped=dict.fromkeys(_DROPPED, 0)))
        of_topic.appended += lane.appended - lane.restored
        of_topic.restored += lane.restored
        of_topic.waiting += lane.waiting
        of_topic.waiting_bytes += lane.waiting_bytes
        of_topic.restamped += lane.restamped
        oldest = lane.oldest_waiting(started_at)
        if oldest is not None:
            of_topic.oldest_s = max(of_topic.oldest_s, now - oldest)
        for schema, count in lane.acknowledged_by_schema.items():
            of_topic.acknowledged[schema] = of_topic.acknowledged.get(schema, 0) + count
        for reason, count in lane.dropped.items():
            of_topic.dropped[reason] = of_topic.dropped.get(reason, 0) + count
    return tuple(counted.values())


def _commands(obeyed: Mapping[str, int], refused: Mapping[str, int]) -> dict[tuple[str, str], int]:
    counted = {(dialect, "obeyed"): obeyed.get(dialect, 0) for dialect in DIALECTS}
    return counted | {(dialect, "refused"): refused.get(dialect, 0) for dialect in (*DIALECTS, UNKNOWN)}


def cluster_name(cluster: str) -> str:
    """What a cluster is called, by its name in the outbox."""
    return cluster or _OUTPUT
