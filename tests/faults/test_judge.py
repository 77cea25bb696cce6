"""The judge of the fault tests finds what it is there for."""

import numpy as np
import pytest

from tests.faults.judge import Verdict, judge, values_of
from tests.faults.topic import Log

CONNECTED = "connected"


def verdict(*messages: int | str) -> Verdict:
    """Of one PV whose counts come every tenth of a second; beside it there is one without any fault."""
    rows: list[tuple[int, int, int, bool]] = []
    for number, message in enumerate((CONNECTED, *messages)):
        rows.append((1, number, 10**9 + number, True))
        rows.append((0, 0, 0, False) if message == CONNECTED else (0, int(message), 10**9 + int(message), True))
    pv, value, time_ns, is_value = (np.array(column) for column in zip(*rows, strict=True))
    return judge(values_of(Log({}, pv, value, time_ns, is_value.astype(bool), (pv == 0) & ~is_value.astype(bool))))


@pytest.mark.parametrize(
    ("messages", "missing", "duplicated", "backwards"),
    [
        ((1, 2, 3, 4), 0, 0, 0),
        ((1, 2, 3, 5, 6, 9), 3, 0, 0),
        ((1, 3, 4, 5), 0, 0, 0),
        ((1, 2, 3, 2, 3, 4), 0, 2, 0),
        ((1, 2, 4, 3, 5), 2, 0, 1),
        ((1, 2, 3, CONNECTED, 9, 10, 11), 0, 0, 0),
        ((1, 2, 3, CONNECTED, 3, 4, 5), 0, 0, 0),
        ((7, 8, 9, CONNECTED, 0, 1, 2), 0, 0, 0),
        ((1, 2, 3, CONNECTED, 9, 10, 12), 1, 0, 0),
    ],
)
def test_what_is_missing_doubled_or_out_of_order(
    messages: tuple[int | str, ...], missing: int, duplicated: int, backwards: int
) -> None:
    found = verdict(*messages)
    assert (found.missing, found.duplicated, found.backwards) == (missing, duplicated, backwards)
