"""Whether every count is in Kafka: each PV counts up by one, so that any other step is somebody's fault."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.faults.topic import Ints, Log


@dataclass(slots=True)
class Values:
    """The values of a topic, PV by PV and, of each, in the order of the topic, each once."""

    pv: Ints
    session: Ints
    """Grows with each connection of the PV: a server counts on while nobody is connected to it, or begins again."""
    value: Ints
    time_ns: Ints
    duplicated: int
    """Values that came again, with the time that they had before. The first value of a connection may be the last one
    of the connection before: it is not among them."""

    def ends(self) -> tuple[Ints, Ints]:
        """Where the values of each PV begin, and where its last ones are."""
        changes = np.nonzero(np.diff(self.pv))[0]
        return np.concatenate([[0], changes + 1]), np.concatenate([changes, [len(self.pv) - 1]])


@dataclass(frozen=True, slots=True)
class Verdict:
    pvs: int
    values: int
    """Each once."""
    duplicated: int
    missing: int
    """Counts left out within a connection.

    The step from its first value to the second is not looked at: the IOC may process a record between posting the
    first value of a subscription and enabling it (rsrv, event_add_action).
    """
    backwards: int
    """Steps to a lower count, or to the same one with another time, within a connection."""


def values_of(log: Log) -> Values:
    # Stable, so that the messages of one PV stay in the topic's order.
    order = np.argsort(log.pv, kind="stable")
    sessions = np.cumsum(log.connects[order], dtype=np.int64)
    is_value = log.is_value[order]
    chosen = order[is_value]
    pv, session, value, time_ns = log.pv[chosen], sessions[is_value], log.value[chosen], log.time_ns[chosen]
    first = np.ones(len(pv), bool)
    first[1:] = (pv[1:] != pv[:-1]) | (session[1:] != session[:-1])
    again = _again(pv, time_ns, value) & ~first
    keep = ~again
    return Values(pv[keep], session[keep], value[keep], time_ns[keep], int(again.sum()))


def judge(values: Values) -> Verdict:
    same = (np.diff(values.pv) == 0) & (np.diff(values.session) == 0)
    second = same & np.concatenate([[True], ~same[:-1]]) if len(same) else same
    steps = np.diff(values.value)
    inside = steps[same & ~second]
    return Verdict(
        pvs=len(np.unique(values.pv)),
        values=len(values.pv),
        duplicated=values.duplicated,
        missing=int((inside[inside > 1] - 1).sum()),
        backwards=int((steps[same] <= 0).sum()),
    )


def _again(*columns: Ints) -> npt.NDArray[np.bool_]:
    """Which rows have an equal one before them."""
    order = np.lexsort(columns)
    equal = np.ones(max(len(order) - 1, 0), bool)
    for column in columns:
        equal &= np.diff(column[order]) == 0
    again = np.zeros(len(order), bool)
    again[order[1:][equal]] = True
    return again
