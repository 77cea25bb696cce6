"""The clock and the spool's directory, as `check` looks at them."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forwarder.settings.types import SpoolSettings
from forwarder.tools.check_host import check_clock, check_ntp, check_spool
from forwarder.tools.findings import Verdict

_EPOCH_S = 2_208_988_800


@contextmanager
def ntp_server(ahead_s: float, mode: int = 4) -> Iterator[str]:
    """Answers one request with a clock that is so far ahead."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)

        def answer() -> None:
            _, client = server.recvfrom(512)
            now = time.time() + ahead_s + _EPOCH_S
            stamp = struct.pack("!2I", int(now), int(now % 1 * 2**32))
            server.sendto(bytes([0x20 | mode]) + bytes(31) + stamp + stamp, client)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("ahead_s", "verdict", "words"),
    [(0, Verdict.OK, " ms "), (0.5, Verdict.WARNING, "ms behind it"), (-30, Verdict.FAILED, "ms ahead of it")],
)
def test_how_far_the_clock_is_off(ahead_s: float, verdict: Verdict, words: str) -> None:
    with ntp_server(ahead_s) as server:
        finding = asyncio.run(check_ntp(server))
    assert finding.verdict is verdict
    assert words in finding.detail
    measured_s = float(finding.detail.split()[0]) / 1000
    assert measured_s == pytest.approx(abs(ahead_s), abs=0.2)


def test_an_answer_that_is_none() -> None:
    with ntp_server(0, mode=3) as server:
        finding = asyncio.run(check_ntp(server))
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.detail == "no answer by NTP: what came is no answer of a server"


def test_what_the_kernel_says_of_its_clock_is_a_finding() -> None:
    assert check_clock().verdict in (Verdict.OK, Verdict.WARNING)


def test_a_spool_with_room(tmp_path: Path) -> None:
    findings = list(check_spool(SpoolSettings(tmp_path / "not" / "yet", 1_000_000)))
    assert [finding.verdict for finding in findings] == [Verdict.OK, Verdict.OK]
    assert "can make it" in findings[0].detail
    assert list(tmp_path.iterdir()) == []


def test_a_spool_without_room(tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(bytes(1000))
    findings = list(check_spool(SpoolSettings(tmp_path, 1 << 50)))
    assert [finding.verdict for finding in findings] == [Verdict.OK, Verdict.WARNING]
    assert findings[1].hint == "set spool-max-bytes to what the disk has room for"


def test_a_spool_that_cannot_be_written_to() -> None:
    (finding,) = check_spool(SpoolSettings(Path("/proc/spool")))
    assert finding.verdict is Verdict.FAILED
    assert "can't write to /proc: " in finding.detail


def test_no_spool() -> None:
    (finding,) = check_spool(SpoolSettings(None))
    assert finding.verdict is Verdict.WARNING
