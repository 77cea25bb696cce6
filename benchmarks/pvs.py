"""The PVs that a benchmark forwards."""

from dataclasses import dataclass

PREFIX = "BENCH:"
UPDATES_PER_PV_S = 10
"""The fastest of EPICS's standard scans; a rate is reached with so many PVs at this pace."""
WAVEFORM_ELEMENTS = 2048
PHASES = 7
"""Groups of records that post one after the other, so that updates come in a stream as from many devices.

All records of one scan would post in one burst every 100 ms, which a forwarder can send in very few batches. Seven,
because that puts them evenly into any 20 ms: with ten, 10 ms apart, a forwarder that sends every 20 ms would wait for
the same two times all along, and its latency would be a matter of when it was started.
"""


@dataclass(frozen=True, slots=True)
class Pvs:
    """`count` PVs named `PREFIX` and a number; each counts up by one (a waveform: in its first element)."""

    count: int
    elements: int = 1
    moving: bool = True
    """Whether they count, or have one value and keep it."""
    kind: str = "D"
    phases: int = PHASES
    """Groups that post one after the other; 1: all records of the scan at once, as EPICS does it."""
    beats: int = 1
    """How often each PV counts within a tenth of a second, evenly spread."""

    @classmethod
    def for_rate(cls, updates_per_s: int, elements: int = 1, phases: int = PHASES) -> "Pvs":
        kind = "D" if elements == 1 else "W"
        return cls(max(1, updates_per_s // UPDATES_PER_PV_S), elements, kind=kind, phases=phases)

    @property
    def updates_per_s(self) -> int:
        """How many there should be if the IOC keeps up."""
        return self.count * UPDATES_PER_PV_S * self.beats if self.moving else 0

    def names(self) -> list[str]:
        return [f"{PREFIX}{self.kind}{number}" for number in range(self.count)]
