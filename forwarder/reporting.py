"""What the service says of itself: the status on its topic, and the counts in its log."""

import os
import socket
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from . import __version__
from .control import Control
from .encode import x5f2
from .epics.interface import Client
from .kafka.config_topic import ConfigTopic
from .kafka.sender import Sender
from .model import Transport
from .observe.status import StreamList
from .outbox import Lane, Outbox
from .pipeline import Pipeline
from .settings.types import Settings

_SHOWN_REFUSALS = 20


class Facts(Protocol):
    """Where the counts come from."""

    settings: Settings
    outbox: Outbox
    pipeline: Pipeline
    control: Control
    clients: Mapping[Transport, Client]
    senders: Mapping[str, Sender]
    readers: Sequence[ConfigTopic]

    def more(self) -> Mapping[str, Any]:
        """Further facts, by name."""
        ...


class Reporting:
    """Puts the facts into words. The status goes to its lane, when there is one."""

    def __init__(self, facts: Facts, lane: Lane | None) -> None:
        self.lane = lane
        self._facts = facts
        self._streams = StreamList()
        self.started_at = time.monotonic()
        """By the monotonic clock."""
        self._sender = x5f2.Sender(
            "forwarder",
            __version__,
            facts.settings.service_id,
            socket.gethostname(),
            os.getpid(),
            int(facts.settings.status_interval_s * 1000),
        )

    def streams_changed(self) -> None:
        """The streams are no longer those of the last status."""
        self._streams.set(tuple(self._facts.control.table))

    def data_lanes(self) -> list[Lane]:
        """The lanes of all that is not the status."""
        return [lane for lane in self._facts.outbox if lane is not self.lane]

    def waiting(self) -> int:
        """Messages of streams that are neither acknowledged nor dropped."""
        return sum(lane.waiting for lane in self.data_lanes())

    def send_status(self, state: str) -> None:
        """Put a status into the outbox. While Kafka is away only the newest matters."""
        lane = self.lane
        if lane is None:
            return
        while lane.waiting_bytes and lane.drop_oldest("superseded by a newer status"):
            pass
        facts = self._facts
        text = self._streams.status(
            state,
            {
                "statistics": self.statistics(),
                "config": self._config(),
                "unsendable": self._unsendable(),
                **facts.more(),
            },
        )
        lane.append((facts.settings.service_id.encode(), x5f2.encode(self._sender, text), time.time_ns() // 1_000_000))

    def statistics(self) -> dict[str, Any]:
        """All counts since the start."""
        facts = self._facts
        pipeline = facts.pipeline
        lanes = self.data_lanes()
        by_schema: Counter[str] = Counter()
        dropped: Counter[str] = Counter()
        for lane in lanes:
            by_schema.update(lane.acknowledged_by_schema)
            dropped.update(lane.dropped)
        return {
            "uptime_s": round(time.monotonic() - self.started_at, 3),
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
            "messages_appended": sum(lane.appended - lane.restored for lane in lanes),
            "messages_restored": sum(lane.restored for lane in lanes),
            "messages_acknowledged": sum(lane.acknowledged for lane in lanes),
            "messages_by_schema": dict(by_schema),
            "messages_restamped": sum(lane.restamped for lane in lanes),
            "messages_waiting": self.waiting(),
            "messages_dropped": dropped.total(),
            "dropped_by_reason": dict(dropped),
            "pvs": dict(pipeline.states()),
            "clients": {transport.name.lower(): dict(client.counts()) for transport, client in facts.clients.items()},
            "refused_by_kafka": {k: v for sender in facts.senders.values() for k, v in sender.refused_pvs.items()},
            "topics_in_trouble": {k: v for sender in facts.senders.values() for k, v in sender.problems().items()},
        }

    def _config(self) -> Mapping[str, Any]:
        counts = self._facts.control.counts
        return {
            "topics": {
                reader.name: "reading" if reader.reading.is_set() else "waiting" for reader in self._facts.readers
            },
            "obeyed": counts.obeyed,
            "refused": counts.refused,
            "streams_refused": counts.refused_streams,
            "last_refusal": counts.last_refusal,
        }

    def _unsendable(self) -> Mapping[str, Any]:
        """Streams whose schema has no place for what their PV delivers, as many as one wants to read."""
        refusals = list(self._facts.pipeline.refusals())
        shown = [
            {"channel": o.stream.channel, "schema": o.stream.schema, "topic": o.stream.topic, "reason": o.refused}
            for o in refusals[:_SHOWN_REFUSALS]
        ]
        return {"count": len(refusals), "streams": shown}
