"""What `forwarder blocks` tells the service manager that started it."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.blocks_process import BlocksProcess
from tests.support.ports import LOOPBACK, free_port

_SOON_S = 20.0


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(_SOON_S)
        yield listening


def test_it_is_ready_without_anybody_to_talk_to_feeds_the_watchdog_and_says_when_it_stops(
    manager: socket.socket,
) -> None:
    process = BlocksProcess(
        "NOTIFY:",
        "NOTIFY",
        config=f"{LOOPBACK}:{free_port()}/config",
        environment={"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "300000"},
    )
    with process:
        assert manager.recv(100) == b"READY=1"
        assert [manager.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        os.kill(process.child.pid, signal.SIGTERM)
        said = b""
        while said != b"STOPPING=1":
            said = manager.recv(100)
            assert said in (b"WATCHDOG=1", b"STOPPING=1")
        assert process.child.wait(_SOON_S) == 0
