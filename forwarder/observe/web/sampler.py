"""What can only be known by looking again: rates, silence, and how things were in the last minutes.

Nothing is done for it when an update comes. All PVs are looked at every few seconds, in slices.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from math import exp
from typing import Any

from .facts import Facts, Pv, Totals
from .slices import in_slices

_FRESH_S = 2.0
"""How old what it found may be when somebody reads it; then it looks again."""
_UNREAD_S = 10.0
"""How often it looks while nobody reads."""
_MEMORY_S = 5.0
"""A rate is that of about this long."""
_REMEMBERED = 400
LATELY_S = 600.0
"""How long something that is over is still told as news."""
SILENT_S = 300.0
"""A connected PV without an update for so long is counted as silent."""


class Sample:
    """One PV at the last look."""

    __slots__ = ("changed_at", "rate", "received")

    def __init__(self, received: int, now: float) -> None:
        self.received = received
        self.rate: float | None = None
        """Updates a second; None until the second look."""
        self.changed_at = now
        """When more had come than at the look before, by the monotonic clock; else when it was first seen."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The whole service at one look."""

    time_s: float
    """Since the Unix epoch."""
    totals: Totals
    received_rate: float
    acknowledged_rate: float
    latency_s: float | None
    """From when messages came to their acknowledgement, on average since the look before; None when none was."""


@dataclass(slots=True)
class Census:
    """How many PVs, or streams, are what."""

    states: Counter[str] = field(default_factory=Counter[str])
    severities: Counter[int] = field(default_factory=Counter[int])
    """Of those that are connected."""
    silent: int = 0
    with_losses: int = 0
    losses: Counter[str] = field(default_factory=Counter[str])
    """PVs with losses, by each reason that they have."""
    refused_streams: int = 0
    streams: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """By the cluster's name in streams, and topic."""


class Sampler:
    """Looks at all PVs as long as it runs."""

    def __init__(self, facts: Facts) -> None:
        self.moments: deque[Moment] = deque(maxlen=_REMEMBERED)
        """The oldest first."""
        self.census = Census()
        self._facts = facts
        self._samples: dict[Hashable, Sample] = {}
        self._looked_at = 0.0
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            self._wake.clear()
            try:
                async with asyncio.timeout(_UNREAD_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def read(self) -> None:
        """Somebody reads what it finds: look again soon if that is old."""
        if time.monotonic() - self._looked_at >= _FRESH_S:
            self._wake.set()

    def rate(self, pv: Pv) -> float | None:
        """Updates a second; None where that is not known yet."""
        sample = self._samples.get(pv.identity)
        return None if sample is None or sample.rate is None else round(sample.rate, 3)

    def silent_s(self, pv: Pv) -> float | None:
        """For how long no update has come, to a look; None for a PV that is not connected or was never looked at."""
        sample = self._samples.get(pv.identity)
        if sample is None or pv.state != "connected" or pv.received != sample.received:
            return None
        return max(0.0, time.monotonic() - sample.changed_at)

    async def look(self) -> None:
        """Look at everything once."""
        samples: dict[Hashable, Sample] = {}
        census = Census()
        now = time.monotonic()
        elapsed_s = now - self._looked_at
        keep = exp(-elapsed_s / _MEMORY_S)
        async for some in in_slices(self._facts.counted()):
            for each in some:
                pv = self._facts.pv(each)
                samples[pv.identity] = sample = self._sample(pv, now, elapsed_s, keep)
                _count(census, pv, now - sample.changed_at)
        self._samples = samples
        self.census = census
        self._remember(elapsed_s)
        self._looked_at = now

    def _sample(self, pv: Pv, now: float, elapsed_s: float, keep: float) -> Sample:
        received = pv.received
        sample = self._samples.get(pv.identity)
        if sample is None:
            return Sample(received, now)
        came = received - sample.received
        rate = came / elapsed_s
        sample.rate = rate if sample.rate is None else rate + (sample.rate - rate) * keep
        if came:
            sample.received = received
            sample.changed_at = now
        elif sample.rate < 1e-3:
            sample.rate = 0.0
        return sample

    def _remember(self, elapsed_s: float) -> None:
        totals = self._facts.totals()
        before = self.moments[-1].totals if self.moments else totals
        delivered = totals.delivered - before.delivered
        self.moments.append(
            Moment(
                time.time(),
                totals,
                (totals.received - before.received) / elapsed_s,
                (totals.acknowledged - before.acknowledged) / elapsed_s,
                (totals.delivery_s - before.delivery_s) / delivered if delivered else None,
            )
        )

    def dropped_lately(self) -> dict[str, int]:
        """Messages that were dropped in the last LATELY_S, by reason."""
        if not self.moments:
            return {}
        newest = self.moments[-1]
        oldest = next(each for each in self.moments if newest.time_s - each.time_s <= LATELY_S)
        first, last = oldest.totals.dropped, newest.totals.dropped
        return {reason: more for reason, count in last.items() if (more := count - first.get(reason, 0))}

    def series(self) -> dict[str, list[Any]]:
        """How things were, for charts."""
        moments = self.moments
        return {
            "time": [round(each.time_s, 1) for each in moments],
            "received": [round(each.received_rate, 1) for each in moments],
            "acknowledged": [round(each.acknowledged_rate, 1) for each in moments],
            "waiting": [each.totals.waiting for each in moments],
            "latency_s": [None if each.latency_s is None else round(each.latency_s, 4) for each in moments],
            "oldest_s": [round(each.totals.oldest_s, 3) for each in moments],
            "busy": [round(each.totals.busy, 3) for each in moments],
        }


def _count(census: Census, pv: Pv, unchanged_s: float) -> None:
    state = pv.state
    census.states[state] += 1
    if state == "connected":
        census.severities[pv.severity] += 1
        census.silent += unchanged_s >= SILENT_S
    if losses := pv.losses():
        census.with_losses += 1
        census.losses.update(losses.keys())
    for outlet in pv.outlets:
        census.streams[outlet.stream.broker, outlet.stream.topic] += 1
        census.refused_streams += bool(outlet.refused)
