"""What PVs cost that exist nowhere: CPU time, and search datagrams that all hosts of a site would have to read."""

import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from benchmarks.forwarder_run import Forwarder
from benchmarks.measure import cpu_ns
from benchmarks.pvs import Pvs
from benchmarks.trial import fresh_topic
from forwarder.demo.ports import LOOPBACK
from tests.support.kafka import Broker

_LARGEST_DATAGRAM = 65_536
_FIRST_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Missing:
    pvs: int
    cores: float
    """Share of a core that the process uses, after the first searches."""
    datagrams_per_s: float
    """On average, from the first one on."""
    most_in_a_second: int


class Listener:
    """A host that hears all searches and answers none."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self.address = f"{LOOPBACK}:{self._socket.getsockname()[1]}"
        self.first = threading.Event()
        self.by_second: Counter[int] = Counter()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listener")

    def _listen(self) -> None:
        while True:
            self._socket.recv(_LARGEST_DATAGRAM)
            if self._closing.is_set():
                return
            self.by_second[int(time.monotonic())] += 1
            self.first.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        self._socket.sendto(b"", self._socket.getsockname())  # wakes it
        self._thread.join()
        self._socket.close()


def measure(broker: Broker, count: int, *, settle_s: float, seconds: float) -> Missing:
    with Listener() as listener, fresh_topic(broker) as topic:
        forwarder = Forwarder(listener.address, broker)
        forwarder.start(Pvs(count, kind="NOWHERE"), topic)
        try:
            if not listener.first.wait(_FIRST_WITHIN_S):
                raise TimeoutError(f"nothing was searched; the forwarder's log ends:\n{forwarder.child.log_tail()}")
            began = time.perf_counter()
            time.sleep(settle_s)
            before, window_began = cpu_ns(forwarder.child.pid), time.perf_counter()
            time.sleep(seconds)
            after, ended = cpu_ns(forwarder.child.pid), time.perf_counter()
            by_second = listener.by_second.copy()
        finally:
            forwarder.stop()
    return Missing(
        pvs=count,
        cores=round((after - before) / 1e9 / (ended - window_began), 4),
        datagrams_per_s=round(by_second.total() / (ended - began), 1),
        most_in_a_second=max(by_second.values()),
    )
