"""The window of the references for pvAccess, which count updates and send nothing."""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks import shared_count
from benchmarks.arrival import NotAllArrived
from benchmarks.ioc import pva_address
from benchmarks.measure import window
from benchmarks.pvs import Pvs
from benchmarks.trial import Trial
from tests.support.epics import EpicsServer
from tests.support.kafka import Broker
from tests.support.processes import spawn

AT_ONCE = "p4p counter"
PACED = "p4p counter 20 ms"
PACES_S = {AT_ONCE: 0.0, PACED: 0.02}
"""How long each of them lets updates gather once one has come."""

_STEADY_WITHIN_S = 30.0
_LOOK_S = 1.0
_TOLERANCE = 0.03


def run(name: str, pvs: Pvs, ioc: EpicsServer, broker: Broker, *, seconds: float) -> Trial:
    """Watch it for so long. The broker is idle meanwhile."""
    with tempfile.TemporaryDirectory(prefix="count-") as folder:
        file = Path(folder) / "count"
        shared_count.create(file)
        counted = partial(shared_count.read, file)
        what = [pva_address(ioc), str(file), str(PACES_S[name]), str(pvs.count), pvs.kind]
        child = spawn(name, [sys.executable, "-m", "benchmarks.pva_counter", *what])
        try:
            give_up = time.monotonic() + _STEADY_WITHIN_S
            steady = False
            while not steady and time.monotonic() < give_up:
                seen = window(counted, {}, _LOOK_S)
                steady = abs(seen.records_per_s / pvs.updates_per_s - 1) <= _TOLERANCE
            pids = {name: child.pid, "ioc": ioc.pid, "kafka": broker.pid}
            seen = window(counted, pids, seconds)
            if seen.records == 0:
                raise NotAllArrived(f"nothing was counted; the log of {name} ends:\n{child.log_tail()}")
        finally:
            child.terminate()
    return Trial(name, pvs.updates_per_s, steady, seen, None, None)
