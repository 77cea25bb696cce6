"""How long many PVs take from the command to their first values in Kafka, and how much memory each of them keeps."""

import time
from dataclasses import dataclass

from benchmarks.arrival import wait_for_all
from benchmarks.forwarder_run import Forwarder
from benchmarks.ioc import serve
from benchmarks.measure import rss_bytes
from benchmarks.pvs import Pvs
from benchmarks.trial import fresh_topic
from tests.support.kafka import Broker

_FEW = 100
_WITHIN_S = 60.0
_REST_S = 2.0


@dataclass(frozen=True, slots=True)
class ConnectTime:
    pvs: int
    seconds: float
    """From just before the ADD was sent to when the broker took the first value of the last PV."""
    bytes_per_pv: float
    """What each PV more than the first 100 adds to the memory of the process."""


def measure(broker: Broker, ioc_kind: str, count: int) -> ConnectTime:
    """The PVs have one value and keep it, so that no traffic is measured."""
    _, few_bytes = _connect(broker, ioc_kind, _FEW)
    seconds, bytes_ = _connect(broker, ioc_kind, count)
    return ConnectTime(count, round(seconds, 3), round((bytes_ - few_bytes) / (count - _FEW)))


def _connect(broker: Broker, ioc_kind: str, count: int) -> tuple[float, int]:
    """Seconds until all are there, and the memory of the process some time after."""
    pvs = Pvs(count, moving=False)
    with serve(pvs, ioc_kind) as ioc, fresh_topic(broker) as topic:
        forwarder = Forwarder(ioc.ca_address, broker)
        forwarder.launch()
        try:
            began_ms = time.time() * 1e3
            forwarder.add(pvs, topic)
            done_ms = wait_for_all(
                broker.address,
                topic,
                count,
                deadline_s=_WITHIN_S,
                still_alive=lambda: forwarder.child.exit_code is None,
            )
            time.sleep(_REST_S)  # the measurement is of a process at rest
            return (done_ms - began_ms) / 1e3, rss_bytes(forwarder.child.pid)
        finally:
            forwarder.stop()
