"""The PVs that a benchmark forwards."""

from dataclasses import dataclass

PREFIX = "BENCH:"
UPDATES_PER_PV_S = 10
"""The fastest of EPICS's standard scans; a rate is reached with so many PVs at this pace."""
WAVEFORM_ELEMENTS = 2048


@dataclass(frozen=True, slots=True)
class Pvs:
    """`count` PVs named `PREFIX` and a number; each counts up by one (a waveform: in its first element)."""

    count: int
    elements: int = 1
    moving: bool = True
    """Whether they count 10 times a second, or have one value and keep it."""
    kind: str = "D"

    @classmethod
    def for_rate(cls, updates_per_s: int, elements: int = 1) -> "Pvs":
        return cls(max(1, updates_per_s // UPDATES_PER_PV_S), elements, kind="D" if elements == 1 else "W")

    @property
    def updates_per_s(self) -> int:
        """How many there should be if the IOC keeps up."""
        return self.count * UPDATES_PER_PV_S if self.moving else 0

    def names(self) -> list[str]:
        return [f"{PREFIX}{self.kind}{number}" for number in range(self.count)]
