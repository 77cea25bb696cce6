"""Ports for the servers of tests."""

import os

from forwarder.demo.ports import LOOPBACK, PORTS
from forwarder.demo.ports import free_port as free_port_within

__all__ = ["LOOPBACK", "free_port"]

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_given: set[int] = set()


def free_port() -> int:
    """A port that nobody uses just now, nor is about to: each worker of a parallel run has its own to choose from.

    None is given twice: a server has several, and opens them later.
    """
    while (port := free_port_within(PORTS[_WORKER::_WORKERS])) in _given:
        pass
    _given.add(port)
    return port
