"""A clock that is set by an hour: that of the forwarder, or that of the IOC."""

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faults.chain import DATABASE, FAULT_S, Chain, lasting
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker

_LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

pytestmark = pytest.mark.skipif(_LIBRARY is None, reason="there is no libfaketime (Debian: faketime)")

Unique = Callable[[str], str]

_HOUR_S = 3600
_LONGEST_S = 10.0
"""It is the step that counts, and not how long the clock is wrong."""
_AT_ONCE_S = 8.0
"""Nothing is to be waited for when it is right again, but a process on a busy machine."""
_NOTICED_S = 1
"""How often the library looks for another offset."""


class _Clock:
    """The clock of a process that was started with it; other clocks, that are never set, go on as they do."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(_LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(_NOTICED_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, offset_s: int) -> None:
        # Replaced and not written, so that it is never read half.
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+d}\n")
        os.replace(new, self._file)


@pytest.mark.parametrize("offset_s", [_HOUR_S, -_HOUR_S], ids=["forward", "back"])
def test_the_clock_of_the_forwarder_is_set(
    broker: Broker, ioc: EpicsIoc, unique: Unique, tmp_path: Path, offset_s: int
) -> None:
    clock = _Clock(tmp_path / "offset")
    flags = ["--status-interval", "500"]
    with Chain(broker, ioc, unique, environment=clock.environment, flags=flags) as chain:
        clock.set(offset_s)
        lasted_s = lasting(min(FAULT_S, _LONGEST_S))
        clock.set(0)
        chain.over(lasted_s, _AT_ONCE_S)
        chain.nothing_is_lost(f"clock of the forwarder set by {offset_s:+d} s")
        times_s = [record.timestamp_ms / 1000 for record in chain.statuses()]
        jumps_s = {round((after - before) / _HOUR_S) * _HOUR_S for before, after in pairwise(times_s)}
        assert offset_s in jumps_s, "it has gone by that clock"


def test_the_clock_of_the_ioc_is_set(broker: Broker, unique: Unique, tmp_path: Path) -> None:
    clock = _Clock(tmp_path / "offset")
    with EpicsIoc(DATABASE, environment=clock.environment) as ioc, Chain(broker, ioc, unique) as chain:
        clock.set(-_HOUR_S)
        half_s = lasting(max(2 * _NOTICED_S, min(FAULT_S, _LONGEST_S) / 2))
        clock.set(_HOUR_S)
        lasting(half_s)
        clock.set(0)
        chain.over(2 * half_s, _AT_ONCE_S)
        chain.nothing_is_lost("clock of the IOC set by an hour, back and forward")
        assert chain.counted["updates_out_of_order"] > 0
        assert chain.counted["updates_in_the_future"] > 0
