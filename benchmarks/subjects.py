"""What is measured: three programs that carry the same PVs to the same kind of topic, each in a process of its own."""

import sys
from typing import Protocol

from benchmarks.pvs import Pvs
from forwarder.demo.child import Child
from tests.support.epics import EpicsServer
from tests.support.kafka import Broker
from tests.support.processes import spawn


class Subject(Protocol):
    """Runs from `start` to `stop`, once."""

    name: str

    @property
    def child(self) -> Child:
        """Its process."""
        ...

    def start(self, pvs: Pvs, topic: str) -> None:
        """Returns when it has been told of all PVs; it may still be connecting to them."""
        ...

    def stop(self) -> None: ...


class Program:
    """A subject that is a module of this package and takes all it needs as arguments."""

    def __init__(self, name: str, ioc: EpicsServer, broker: Broker) -> None:
        self.name = name
        self._ioc = ioc
        self._broker = broker
        self._child: Child | None = None

    def start(self, pvs: Pvs, topic: str) -> None:
        what = [self._ioc.ca_address, self._broker.address, topic, str(pvs.count), str(pvs.elements), pvs.kind]
        self._child = spawn(self.name, [sys.executable, "-m", f"benchmarks.{self.name}", *what])

    @property
    def child(self) -> Child:
        if self._child is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._child

    def stop(self) -> None:
        # Nothing is measured after this, so that how it ends is its own affair.
        self.child.terminate()
