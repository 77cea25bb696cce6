"""Start and stop of the process, with nothing there that it needs."""

import socket
import time
from pathlib import Path

from tests.support.blocks_process import BlocksProcess
from tests.support.ports import free_port
from tests.support.waiting import wait_until

_STOPPED_WITHIN_S = 5.0


def test_with_nothing_there_it_lives_says_what_is_missing_and_stops(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    said: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)

        def has_said(word: bytes) -> bool:
            try:
                while True:
                    said.append(manager.recv(1000))
            except BlockingIOError:
                return word in said

        companion = BlocksProcess(
            "IN:X:",
            "X",
            config=f"{nowhere}/c",
            status=f"{nowhere}/s",
            flags=["--database", f"127.0.0.1:{free_port()}", "--never-connected-after", "0.2"],
            environment={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"},
        )
        with companion:
            wait_until(lambda: companion.checks.keys() >= {"blocks", "archive", "config", "status"})
            wait_until(lambda: companion.checks["blocks"] == "no server has IN:X:CS:BLOCKSERVER:BLOCKNAMES")
            assert "the database at" in companion.checks["archive"]
            assert nowhere in companion.checks["config"]
            assert companion.asked("live").status == 200
            assert companion.asked("ready").status == 503
            wait_until(lambda: has_said(b"WATCHDOG=1"))
            assert said[0] == b"READY=1"
            began = time.monotonic()
            assert companion.stop() == 0
            assert time.monotonic() - began < _STOPPED_WITHIN_S
            assert has_said(b"STOPPING=1")


def test_a_frozen_broker_does_not_keep_it_from_stopping() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        companion = BlocksProcess("IN:X:", "X", config=f"{address}/c", status=f"{address}/s")
        with companion:
            assert companion.asked("live").status == 200
            assert companion.stop() == 0
