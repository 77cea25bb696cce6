"""All that one run of the benchmarks found out."""

import asyncio
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.connect_time import ConnectTime
from benchmarks.memory import Memory
from benchmarks.missing import Missing
from benchmarks.trial import Trial


@dataclass(slots=True)
class Results:
    ioc: str
    quick: bool
    seconds: float
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    machine: dict[str, str | int] = field(default_factory=lambda: machine())
    scalars: list[Trial] = field(default_factory=list)
    scan: list[Trial] = field(default_factory=list)
    """All records of one scan at once."""
    waveforms: list[Trial] = field(default_factory=list)
    f144: list[Trial] = field(default_factory=list)
    """Scalars as f142 and as f144."""
    waveforms_f144: list[Trial] = field(default_factory=list)
    pva: list[Trial] = field(default_factory=list)
    pva_120hz: list[Trial] = field(default_factory=list)
    latency: list[Trial] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    stock: list[Trial] = field(default_factory=list)
    sustained: list[Trial] = field(default_factory=list)
    connect: ConnectTime | None = None
    missing: Missing | None = None
    failures: list[str] = field(default_factory=list)
    """Parts that could not be measured, and why."""

    @property
    def trials(self) -> list[Trial]:
        scalars = [*self.scalars, *self.scan, *self.f144, *self.pva, *self.pva_120hz]
        return [*scalars, *self.latency, *self.waveforms, *self.waveforms_f144, *self.stock, *self.sustained]

    def stock_best(self) -> Trial | None:
        """Stock at the highest rate that it kept up with."""
        return max((t for t in self.stock if t.kept_up), key=lambda t: t.asked_per_s, default=None)

    def held(self) -> Trial | None:
        """The long trial at the highest rate that was held."""
        last = self.sustained[-1:]
        return last[0] if last and last[0].kept_up else None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def of(trials: Sequence[Trial], subject: str, asked_per_s: int) -> list[Trial]:
    return [trial for trial in trials if trial.subject == subject and trial.asked_per_s == asked_per_s]


def cost(trials: Sequence[Trial]) -> float:
    """CPU microseconds per update over all rounds; not a number if there were none."""
    records = sum(trial.window.records for trial in trials)
    spent = sum(trial.window.cpu_s[trial.subject] for trial in trials)
    return spent / records * 1e6 if records else float("nan")


def machine() -> dict[str, str | int]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "real_time_priority": "given up (CAP_SYS_NICE dropped)" if os.geteuid() == 0 else "not available (not root)",
        "empty_tick_us": round(empty_tick_us()),
        "load_at_start": ", ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def empty_tick_us() -> float:
    """CPU time of an event loop that wakes 100 times a second and does nothing.

    Part of every figure at low rates, and the machine's rather than the program's.
    """
    ticks = 100

    async def tick() -> float:
        began = time.process_time()
        for _ in range(ticks):
            await asyncio.sleep(0.01)
        return (time.process_time() - began) / ticks * 1e6

    return asyncio.run(tick())


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
