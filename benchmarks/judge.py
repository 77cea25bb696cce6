"""Whether all updates arrived, each once and in order, and how late."""

from dataclasses import dataclass

import numpy as np

from benchmarks.records import Records


@dataclass(frozen=True, slots=True)
class Verdict:
    """Each PV counts up by one, so that every step other than one is somebody's fault."""

    pvs: int
    missing_pvs: int
    """PVs without any record."""
    records: int
    lost: int
    """Counts that were left out since the window opened."""
    twice: int
    """Counts that came again at once."""
    backwards: int
    """Steps to a lower count."""
    lost_connecting: int
    """Counts that were left out before the window opened, while there was much else to do."""
    lost_at_start: int
    """Counts left out between a PV's first and second record.

    The IOC may process a record between posting the first value of a subscription and enabling it (rsrv,
    event_add_action), so that these are not the forwarder's, and not part of the others.
    """

    @property
    def clean(self) -> bool:
        """Leaves out what was lost while connecting, which is a figure of its own."""
        return self.missing_pvs == self.lost == self.twice == self.backwards == 0


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the EPICS time stamp to the broker's append."""

    p50: float
    p99: float
    worst: float


def judge(records: Records, pvs: int, window_offset: int) -> Verdict:
    """`window_offset` is the first record of the window in which the subject had nothing to do but to forward."""
    # Stable, so that the records of one PV stay in the topic's order.
    order = np.argsort(records.pv, kind="stable")
    pv = records.pv[order]
    same_pv = pv[1:] == pv[:-1]
    steps = np.diff(records.value[order])[same_pv]
    first = np.concatenate([[True], ~same_pv])[:-1][same_pv] if len(pv) else np.empty(0, bool)
    in_window = records.offset[order][1:][same_pv] >= window_offset
    found = len(np.unique(pv))
    return Verdict(
        pvs=found,
        missing_pvs=pvs - found,
        records=len(pv),
        lost=_left_out(steps[~first & in_window]),
        twice=int((steps == 0).sum()),
        backwards=int((steps < 0).sum()),
        lost_connecting=_left_out(steps[~first & ~in_window]),
        lost_at_start=_left_out(steps[first]),
    )


def _left_out(steps: np.ndarray) -> int:
    return int((steps[steps > 1] - 1).sum())


def latency(records: Records, first_offset: int, end_offset: int) -> Latency:
    """Of the records between two offsets."""
    inside = (records.offset >= first_offset) & (records.offset < end_offset)
    # The broker's clock is cut to whole milliseconds: half of one is what that takes away on average.
    late_ms = records.appended_ms[inside] + 0.5 - records.time_ns[inside] / 1e6
    p50, p99, worst = np.percentile(late_ms, [50, 99, 100])
    return Latency(round(float(p50), 2), round(float(p99), 2), round(float(worst), 2))
