"""How much memory the forwarder holds by the number of its PVs, which have one value and keep it."""

import time
from dataclasses import dataclass

from benchmarks.arrival import wait_for_all
from benchmarks.ioc import serve
from benchmarks.measure import rss_bytes
from benchmarks.pvs import Pvs
from benchmarks.rates import FORWARDERS
from benchmarks.trial import fresh_topic
from tests.support.kafka import Broker

_WITHIN_S = 120.0
_REST_S = 2.0


@dataclass(frozen=True, slots=True)
class Memory:
    subject: str
    pvs: int
    rss_bytes: int
    """Of its process at rest, when the first value of each PV was in Kafka."""


def measure(broker: Broker, ioc_kind: str, subject: str, count: int) -> Memory:
    """In a fresh process. Raises TimeoutError if not all PVs get there."""
    pvs = Pvs(count, moving=False)
    # No IOC runs without a record.
    with serve(Pvs(max(count, 1), moving=False), ioc_kind) as ioc, fresh_topic(broker) as topic:
        forwarder = FORWARDERS[subject](ioc, broker)
        forwarder.launch()
        try:
            if count:
                forwarder.add(pvs, topic)
                wait_for_all(
                    broker.address,
                    topic,
                    count,
                    deadline_s=_WITHIN_S,
                    still_alive=lambda: forwarder.child.exit_code is None,
                )
            time.sleep(_REST_S)  # the measurement is of a process at rest
            return Memory(subject, count, rss_bytes(forwarder.child.pid))
        finally:
            forwarder.stop()
