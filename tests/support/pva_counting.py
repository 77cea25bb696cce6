"""A pvAccess server whose PVs all count up at a rate that no scan of an IOC reaches."""

import sys
import time

from p4p import Value
from p4p.nt import NTScalar
from p4p.server import Server, StaticProvider
from p4p.server.raw import SharedPV

from forwarder.demo.child import Child
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import Server as ServerProcess
from tests.support.processes import spawn, without_real_time
from tests.support.waiting import wait_until

_SERVING = "serving"


class CountingServer(ServerProcess):
    """`pvs` PVs named COUNT:0, COUNT:1, ..., each of which counts up by one `rate` times a second."""

    def __init__(self, pvs: int, rate: float) -> None:
        super().__init__()
        self.address = f"{LOOPBACK}:{free_port()}"
        self._arguments = [str(pvs), str(rate), str(free_port()), self.address.rpartition(":")[2]]

    def _launch(self) -> Child:
        command = [sys.executable, "-m", "tests.support.pva_counting", *self._arguments]
        return spawn("counting", without_real_time(command))

    def _wait_until_ready(self, child: Child) -> None:
        wait_until(lambda: _SERVING in child.log(), 30, what="the counting server serves")


def count(pvs: int, period_s: float, tcp_port: str, udp_port: str) -> None:
    structure = NTScalar("d").type
    provider = StaticProvider("counting")
    served = [SharedPV(initial=Value(structure, {"value": 0.0})) for _ in range(pvs)]
    for n, pv in enumerate(served):
        provider.add(f"COUNT:{n}", pv)
    conf = {
        "EPICS_PVAS_INTF_ADDR_LIST": LOOPBACK,
        "EPICS_PVAS_SERVER_PORT": tcp_port,
        "EPICS_PVAS_BROADCAST_PORT": udp_port,
        "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
    }
    with Server(providers=[provider], conf=conf, useenv=False):
        print(_SERVING, flush=True)  # noqa: T201  (what the parent waits for)
        due = time.monotonic()
        value = 0.0
        while True:
            value += 1
            seconds, nanoseconds = divmod(time.time_ns(), 10**9)
            stamp = {"secondsPastEpoch": seconds, "nanoseconds": nanoseconds}
            for pv in served:
                pv.post(Value(structure, {"value": value, "timeStamp": stamp}))
            due += period_s
            time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    count(int(sys.argv[1]), 1 / float(sys.argv[2]), sys.argv[3], sys.argv[4])
