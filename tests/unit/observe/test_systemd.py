"""What systemd is told, on a socket as it opens one."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from forwarder.observe.systemd import Notifier


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    address = str(tmp_path / "notify") if request.param == "file" else f"@forwarder-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + address[1:] if address.startswith("@") else address)
        listening.settimeout(5)
        yield listening, address


def test_it_is_told_what_happens(manager: tuple[socket.socket, str]) -> None:
    listening, address = manager
    notifier = Notifier({"NOTIFY_SOCKET": address})
    for tell in (notifier.ready, notifier.alive, lambda: notifier.status("all is well"), notifier.stopping):
        tell()
    said = [listening.recv(100) for _ in range(4)]
    assert said == [b"READY=1", b"WATCHDOG=1", b"STATUS=all is well", b"STOPPING=1"]


def test_without_a_manager_or_with_one_that_is_gone_nothing_happens(tmp_path: Path) -> None:
    Notifier({}).ready()
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdogs_period_is_the_managers(environment: dict[str, str], seconds: float) -> None:
    assert Notifier(environment).watchdog_s == seconds
