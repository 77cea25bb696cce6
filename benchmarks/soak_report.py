"""What came of a soak, what it was to be, and both as a table and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from benchmarks.soak_follow import Follower
from benchmarks.soak_samples import Sample, Slope, slope

_STEEPEST = 20.0
"""MB/h; less than a hundred bytes for each stream that came and went."""
_SAMPLES = 200
"""Kept in the file."""


@dataclass(slots=True)
class Soak:
    """What was seen of the process."""

    machine: Mapping[str, Any]
    seconds: float
    samples: Sequence[Sample] = ()
    rests: list[Sample] = field(default_factory=list)
    """After the warm-up and at the end, with nothing but the streams that stay."""
    answers: Sequence[float] = ()
    """Seconds from each command to the status that tells of it."""
    ioc_restarts: int = 0
    exit_code: int = -1
    log: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    what: str
    target: str
    figure: str
    reached: bool | None
    """None: it could not be told, or there is nothing to reach."""


@dataclass(frozen=True, slots=True)
class Outcome:
    machine: Mapping[str, Any]
    seconds: float
    checks: Sequence[Check]
    statistics: Mapping[str, Any]
    """The last ones that it told."""
    samples: Sequence[Sample]
    log: str

    @classmethod
    def of(cls, soak: Soak, follower: Follower) -> "Outcome":
        every = max(1, len(soak.samples) // _SAMPLES)
        checks = [*_growth(soak), *_answers(soak, follower), *_values(soak, follower)]
        statistics = follower.status["statistics"]
        return cls(soak.machine, soak.seconds, checks, statistics, soak.samples[::every], soak.log)

    @property
    def passed(self) -> bool:
        return all(check.reached is not False for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def markdown(self) -> str:
        words = {True: "yes", False: "**NO**", None: ""}
        rows = [(c.what, c.target, c.figure, words[c.reached]) for c in self.checks]
        head = ("what", "to be", "was", "reached")
        lines = [head, ["---"] * len(head), *rows]
        table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        return f"# Soak\n\n{self.seconds / 60:g} minutes\n\n{table}"


def _growth(soak: Soak):
    half = soak.seconds / 2
    seen = slope([sample for sample in soak.samples if sample.at_s >= half])
    figure = f"{seen.mb_per_h:+.1f} ± {seen.within:.1f} MB/h, {soak.samples[-1].rss_bytes / 1e6:.0f} MB at the end"
    yield Check("Memory, second half", f"< {_STEEPEST:g} MB/h", figure, _flat(seen))
    first, last = soak.rests[0], soak.rests[-1]
    figure = f"{first.rss_bytes / 1e6:.1f} -> {last.rss_bytes / 1e6:.1f} MB"
    yield Check("Memory at rest, after the warm-up and at the end", "", figure, None)
    for what in ("threads", "descriptors"):
        before, after = getattr(first, what), getattr(last, what)
        most = max(getattr(sample, what) for sample in soak.samples)
        yield Check(f"{what.capitalize()} at rest", "no more", f"{before} -> {after}, at most {most}", after <= before)


def _flat(seen: Slope) -> bool | None:
    """Only what is surely steeper has failed, and only what is surely less steep has passed."""
    if seen.mb_per_h + seen.within < _STEEPEST:
        return True
    return False if seen.mb_per_h - seen.within > _STEEPEST else None


def _answers(soak: Soak, follower: Follower):
    p50, p99, worst = np.percentile(soak.answers, [50, 99, 100])
    figure = f"p50 {p50:.2f} s, p99 {p99:.2f} s, worst {worst:.2f} s of {len(soak.answers)}"
    yield Check("Command to the status that tells of it", "p99 <= 2 s", figure, bool(p99 <= 2))
    cpu_s = soak.samples[-1].cpu_s - soak.samples[0].cpu_s
    cores = cpu_s / (soak.samples[-1].at_s - soak.samples[0].at_s)
    yield Check("Event loop late by at most", "", f"{follower.longest_lag_s:.2f} s, {cores:.0%} of a core used", None)


def _values(soak: Soak, follower: Follower):
    counted = follower.status["statistics"]
    dropped, waiting = counted["messages_dropped"], counted["messages_waiting"]
    figure = (
        f"{counted['updates_received']:,} updates received, {counted['messages_acknowledged']:,} messages "
        f"acknowledged, {waiting} waiting, {dropped} dropped"
    )
    came = counted["messages_appended"] + counted["messages_restored"]
    whole = came == counted["messages_acknowledged"] + waiting + dropped
    yield Check("Sent", "all, none dropped", figure, whole and waiting == dropped == 0)
    for topic, counter in follower.counters.items():
        figure = f"{counter.missing} missing, {counter.twice} twice, {counter.backwards} back of {counter.values:,}"
        clean = counter.missing == counter.twice == counter.backwards == 0 and counter.values > 0
        yield Check(f"Counts in {topic}, IOC restarted {soak.ioc_restarts} times", "every one, once", figure, clean)
    deaths = follower.status["parts_started_again"]
    figure = f"exit code {soak.exit_code}, parts started again: {deaths or 'none'}"
    well = soak.exit_code == 0 and not deaths and "Traceback" not in soak.log
    yield Check("Its end", "exit code 0, no traceback", figure, well)
