"""What the process beside an instrument shows over HTTP: metrics and health."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Protocol

from .. import __version__
from ..blocks.feed import Feed
from ..blocks.ledger import Ledger
from ..blocks.names import Fault
from ..blocks.wanted import Source
from ..heartbeat import Heartbeat
from ..observe.blocks import METRICS, MeasuredBlocks, SourceOf
from ..observe.exposition import Metrics
from ..observe.health import OK, Probes, live_checks
from ..observe.http.server import Server
from ..settings.blocks.types import BlocksSettings
from ..supervision import Supervision
from .hearing import Hearing
from .ordering import Ordering

_FAULTS = {Source.BLOCKS: [each.value for each in Fault], Source.ARCHIVE: ["rows"], Source.RUN_LOG: list[str]()}
_KINDS = "add", "remove"
_RESULTS = "sent", "failed", "refused"
"""All are told from the start: what grows from nothing looks to Prometheus as if it had always been there."""


class Measurable(Protocol):
    """Where all of it comes from."""

    settings: BlocksSettings
    feeds: Mapping[Source, Feed]
    ledger: Ledger
    ordering: Ordering
    hearing: Hearing | None
    supervision: Supervision
    heartbeat: Heartbeat

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        ...


def http_server(companion: Measurable) -> Server:
    """The server with everything that can be seen of this process. It listens once it is opened."""
    settings = companion.settings.http
    assert settings is not None, "it is asked for"
    probes = Probes(partial(live, companion), partial(ready, companion))
    metrics = Metrics(partial(measure, companion), METRICS)
    return Server(settings, [probes.add_routes, metrics.add_routes], every_second=_nothing)


def live(companion: Measurable) -> dict[str, str]:
    """What only a new start of the process can mend: by check, `ok` or what is wrong."""
    heartbeat = companion.heartbeat
    age_s = None if heartbeat.looked_at is None else time.monotonic() - heartbeat.looked_at
    return live_checks(heartbeat.stuck, age_s, stopping=companion.stopping)


def ready(companion: Measurable) -> dict[str, str]:
    """What keeps it from its work: by check, `ok` or what is wrong."""
    problems = companion.ordering.problems
    sources = {source.value: feed.problem or _not_yet(feed) for source, feed in companion.feeds.items()}
    status = companion.hearing.problem if companion.hearing is not None else ""
    held = companion.ledger.held_back
    return {
        "process": "it is stopping" if companion.stopping else OK,
        **{name: problem or OK for name, problem in sources.items()},
        "config": problems.get("config") or OK,
        "status": status or OK,
        "forwarder": problems.get("forwarder") or (f"{held} streams can't be removed alone" if held else OK),
        "memory": problems.get("memory") or OK,
    }


def measure(companion: Measurable, scrape_s: float) -> MeasuredBlocks:
    """All of it, now, in the event loop."""
    ledger, counts = companion.ledger, companion.ordering.counts
    hearing = companion.hearing
    return MeasuredBlocks(
        version=__version__,
        sources=tuple(
            SourceOf(
                source.value,
                ledger.wanted_of.get(source, 0),
                feed.changes,
                {kind: feed.bad[kind] for kind in _FAULTS[source]},
                feed.reconnects,
                feed.connected,
                feed.age_s,
            )
            for source, feed in companion.feeds.items()
        ),
        wanted=ledger.wanted,
        served=ledger.served if hearing is not None else None,
        announced=ledger.announced,
        held_back=ledger.held_back,
        unconfirmed={kind: ledger.unconfirmed[kind] for kind in _KINDS},
        commands={(kind, result): counts[kind, result] for kind in _KINDS for result in _RESULTS},
        statuses=hearing.statuses if hearing is not None else 0,
        forwarder_alive=ledger.is_alive if hearing is not None else None,
        deaths=dict(companion.supervision.deaths),
        scrape_s=scrape_s,
    )


def _not_yet(feed: Feed) -> str:
    return "" if feed.age_s is not None else "it has not said anything yet"


def _nothing() -> None:
    """There is nothing to remember for a probe."""
