"""Logging: form of a line, where it goes, and a repeating fault that is told once."""

import gzip
import json
import logging
import re
import socket
import zlib
from pathlib import Path

import pytest

from forwarder.errors import BadSetting
from forwarder.faults import RepeatingFault
from forwarder.observe import logs
from forwarder.settings.types import LogSettings

log = logging.getLogger("forwarder.test")


def test_a_line_has_time_in_utc_level_and_logger(capsys: pytest.CaptureFixture[str]) -> None:
    with logs.set_up(LogSettings()):
        log.info("%d clusters", 3)
        log.debug("not at this level")
    said = capsys.readouterr().err
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO forwarder\.test: 3 clusters\n", said)


def test_a_line_break_fakes_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with logs.set_up(LogSettings()):
        log.warning("PV %s", "a\r\n2026-01-01 ERROR b")
    assert capsys.readouterr().err.endswith(r"PV a\r\n2026-01-01 ERROR b" + "\n")


def test_a_traceback_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with logs.set_up(LogSettings()):
        try:
            raise KeyError("gone")
        except KeyError:
            log.exception("failed")
    said = capsys.readouterr().err
    assert "ERROR forwarder.test: failed\nTraceback" in said
    assert "KeyError: 'gone'" in said


def test_the_file_has_the_same_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "f.log"
    with logs.set_up(LogSettings(file=file)):
        log.warning("µs")
    assert file.read_text(encoding="utf-8") == capsys.readouterr().err


def test_a_full_file_gives_way_to_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 1000)
    with logs.set_up(LogSettings(file=tmp_path / "f.log")):
        for _ in range(200):
            log.warning("x" * 50)
    assert len(list(tmp_path.iterdir())) == logs.FILES_KEPT + 1


def test_a_file_that_cannot_be_written_is_a_bad_setting(tmp_path: Path) -> None:
    before = logging.getLogger().handlers[:]
    with pytest.raises(BadSetting, match=r"log-file: .* cannot be written"), logs.set_up(LogSettings(file=tmp_path)):
        pass
    assert logging.getLogger().handlers == before


def test_libraries_are_quiet_except_at_trace(capsys: pytest.CaptureFixture[str]) -> None:
    aiokafka = logging.getLogger("aiokafka.conn")
    with logs.set_up(LogSettings(level=logging.DEBUG)):
        aiokafka.error("lost, for the tenth time this second")
        logging.getLogger("asyncio").debug("selector")
    assert capsys.readouterr().err == ""
    with logs.set_up(LogSettings(level=logs.TRACE)):
        aiokafka.debug("all it has")
        log.log(logs.TRACE, "and ours")
    said = capsys.readouterr().err
    assert "DEBUG aiokafka.conn: all it has" in said
    assert "TRACE forwarder.test: and ours" in said


def test_all_is_as_before_afterwards() -> None:
    root, aiokafka = logging.getLogger(), logging.getLogger("aiokafka")
    before = (root.level, root.handlers[:], aiokafka.level)
    with logs.set_up(LogSettings(level=logging.ERROR)):
        assert (root.level, root.handlers[:], aiokafka.level) != before
    assert (root.level, root.handlers[:], aiokafka.level) == before


def test_graylog_is_sent_gelf() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as graylog:
        graylog.bind(("127.0.0.1", 0))
        graylog.settimeout(5)
        with logs.set_up(LogSettings(graylog=f"127.0.0.1:{graylog.getsockname()[1]}")):
            log.warning("hot: %s", "K1")
        datagram = graylog.recv(65536)
    record = json.loads(gzip.decompress(datagram) if datagram[:2] == b"\x1f\x8b" else zlib.decompress(datagram))
    assert record["short_message"] == "hot: K1"
    assert record["level"] == 4


def test_a_graylog_that_does_not_exist_disturbs_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    with logs.set_up(LogSettings(graylog="127.0.0.1:1")):
        for _ in range(3):
            log.warning("still here")
    said = capsys.readouterr().err
    assert said.count("\n") == said.count("still here") == 3


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_repeating_fault_is_told_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    fault = RepeatingFault(log, "cluster b:1 is away", clock)
    fault.over()
    for _ in range(50):
        fault.occurred("refused")
        clock.now += 0.5
    fault.occurred(TimeoutError())
    fault.occurred("refused")
    fault.over()
    fault.over()
    assert fault.count == 0
    fault.occurred("refused")
    assert caplog.messages == [
        "cluster b:1 is away: refused",
        "cluster b:1 is away: TimeoutError",
        "cluster b:1 is away: over after 25.0 s, occurred 52 times",
        "cluster b:1 is away: refused",
    ]


def test_a_reason_that_is_new_each_time_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    fault = RepeatingFault(log, "bad command", Clock())
    for number in range(1000):
        fault.occurred(f"at offset {number}")
    assert len(caplog.messages) < 10
    assert fault.count == 1000
