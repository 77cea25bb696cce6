"""When the demo's runs start and stop, and what is counted in them.

Pure: whoever takes part works it out from the same beginning.
"""

from dataclasses import dataclass

RUN_S = 20.0
PAUSE_S = 4.0
PULSES_PER_S = 10
EVENTS_PER_PULSE = 100
"""On the average."""


@dataclass(frozen=True, slots=True)
class Run:
    """The run that is under way, or was the last one."""

    number: int
    """From 1."""
    counts: bool
    """Whether it is under way."""
    started_s: float
    """Seconds since the beginning."""
    counted_s: float
    """How long it has counted so far."""

    @property
    def name(self) -> str:
        return f"demo {self.number}"


def run_at(since_s: float) -> Run:
    """So many seconds after the beginning, which starts the first one."""
    before, into = divmod(max(since_s, 0.0), RUN_S + PAUSE_S)
    return Run(int(before) + 1, into < RUN_S, before * (RUN_S + PAUSE_S), min(into, RUN_S))
