"""Graylog: what it is sent, and that it disturbs nobody, however it behaves. The inputs here are real sockets."""

import logging
import time

import pytest

from forwarder.observe import graylog, graylog_link, logs
from forwarder.settings.types import GraylogSettings, LogSettings
from tests.support.graylog import TcpGraylog, UdpGraylog
from tests.support.ports import free_port
from tests.support.waiting import wait_until

log = logging.getLogger("forwarder.test")

MORE = {"service_id": "one", "profile": "local"}


def settings(port: int, protocol: str = "tcp", level: int = logging.INFO) -> LogSettings:
    return LogSettings(level=level, graylog=GraylogSettings(protocol, "127.0.0.1", port))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses and patience as short as a test's."""
    monkeypatch.setattr(graylog, "_REST_S", (0.02, 0.1))
    monkeypatch.setattr(graylog, "_STEADY_S", 0.1)
    monkeypatch.setattr(graylog, "_LOOK_S", 0.05)
    monkeypatch.setattr(graylog, "_STOP_S", 0.5)
    monkeypatch.setattr(graylog_link, "_TIMEOUT_S", 0.3)
    monkeypatch.setattr(logs, "FloodGuard", Unguarded)


class Unguarded(logging.Handler):
    """Hands on as many records as there are: here it is Graylog that has to cope with them."""

    def __init__(self, handlers: list[logging.Handler]) -> None:
        super().__init__()
        self._handlers = handlers

    def emit(self, record: logging.LogRecord) -> None:
        for handler in self._handlers:
            handler.handle(record)


@pytest.fixture
def away() -> int:
    """A port nobody listens at."""
    return free_port()


def said(capsys: pytest.CaptureFixture[str], before: list[str]) -> list[str]:
    """All that the console has shown since the list was made."""
    before += capsys.readouterr().err.splitlines()
    return before


def test_a_record_has_its_fields_by_either_way() -> None:
    with UdpGraylog() as udp, TcpGraylog() as tcp:
        for each in (settings(udp.port, "udp"), settings(tcp.port)):
            with logs.set_up(each, MORE):
                log.warning("hot: %s", "K1")
        wait_until(lambda: tcp.records)
        for record in (udp.read(), *tcp.records):
            assert record["version"] == "1.1"
            assert record["short_message"] == "hot: K1"
            assert record["level"] == 4
            assert abs(record["timestamp"] - time.time()) < 60
            extra = {name: value for name, value in record.items() if name.startswith("_")}
            assert extra == {"_logger": "forwarder.test", "_service_id": "one", "_profile": "local"}


def test_every_level_and_any_text_arrives() -> None:
    with TcpGraylog() as tcp:
        with logs.set_up(settings(tcp.port, level=logs.TRACE), MORE):
            for level in (logs.TRACE, 15, logging.ERROR, 99):
                log.log(level, "at %d", level)
            log.info("two\nlines, a nul \0 and no UTF-8: %s", b"\xff".decode(errors="surrogateescape"))
            try:
                raise KeyError("gone")
            except KeyError:
                log.exception("failed")
            log.info("x" * 10_000)
        wait_until(lambda: len(tcp.records) == 7)
        assert [record["level"] for record in tcp.records[:4]] == [7, 7, 3, 2]
        assert tcp.texts[4] == "two\nlines, a nul \0 and no UTF-8: \\udcff"
        assert tcp.records[5]["full_message"].startswith("failed\nTraceback")
        assert tcp.records[5]["full_message"].endswith("KeyError: 'gone'")
        assert len(tcp.texts[6]) == 8000


def test_what_is_long_goes_by_udp_in_chunks() -> None:
    noise = "".join(chr(0x4E00 + (number * number) % 20_000) for number in range(8000))
    with UdpGraylog() as udp, logs.set_up(settings(udp.port, "udp"), MORE):
        log.warning(noise)
        assert udp.read()["short_message"] == noise


def test_arguments_that_do_not_fit_reach_nobody_as_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest's own handler would raise.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with TcpGraylog() as tcp:
        with logs.set_up(settings(tcp.port), MORE):
            log.info("%d", "no number")
            log.info("goes on")
        wait_until(lambda: tcp.texts == ["goes on"])
    assert "goes on" in capsys.readouterr().err


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_graylog_that_does_not_exist_is_told_once(
    protocol: str, away: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with logs.set_up(settings(away, protocol), MORE):
        lines: list[str] = []
        for number in range(50):
            log.warning("line %d", number)
            time.sleep(0.002)
        wait_until(lambda: any("does not take the log" in line for line in said(capsys, lines)))
    said(capsys, lines)
    told = [line for line in lines if "INFO" not in line and "line " not in line]
    assert len([line for line in told if "does not take the log" in line]) == 1
    assert "refused" in told[0]
    assert [line.split(" ", 3)[3] for line in lines if "line " in line] == [f"line {n}" for n in range(50)]
    assert "records were not sent to Graylog" in told[-1]


def test_one_that_goes_away_and_returns_gets_all_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    first = TcpGraylog()
    with logs.set_up(settings(first.port), MORE):
        log.info("before")
        wait_until(lambda: first.texts == ["before"])
        first.close()
        for number in range(100):
            log.info("meanwhile %d", number)
        wait_until(lambda: any("does not take the log" in line for line in said(capsys, lines)))
        with TcpGraylog(first.port) as second:
            wait_until(lambda: len(second.texts) >= 100)
            wait_until(lambda: any("over after" in line for line in said(capsys, lines)))
            log.info("after")
            wait_until(lambda: "after" in second.texts)
            texts = [text for text in second.texts if "Graylog at" not in text]
    assert texts == [*(f"meanwhile {number}" for number in range(100)), "after"]
    faults = [line for line in said(capsys, lines) if "does not take the log" in line]
    assert len([line for line in faults if "over after" in line]) == 1
    assert len(faults) == len(set(faults)) <= 4
    assert not any("not sent" in line for line in lines)


def test_what_finds_no_room_is_counted_and_told_when_it_is_back(
    away: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graylog, "QUEUED", 100)
    lines: list[str] = []
    with logs.set_up(settings(away), MORE):
        for number in range(1000):
            log.info("number %d", number)
        with TcpGraylog(away) as back:
            wait_until(lambda: any("were not sent to Graylog" in line for line in said(capsys, lines)))
            wait_until(lambda: any("were not sent" in text for text in back.texts))
            arrived = [text for text in back.texts if text.startswith("number")]
    (told,) = [line for line in lines if "were not sent to Graylog" in line]
    lost = int(told.split(": ", 1)[1].split()[0])
    assert 800 < lost < 1000
    # The line that says that Graylog is away has to find room as well.
    assert lost - 3 <= 1000 - len(arrived) <= lost
    assert arrived[:50] == [f"number {number}" for number in range(50)]


def test_one_that_hangs_keeps_nobody_waiting(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts and reads nothing. What is logged is more than all buffers between take."""
    # Who waited would wait for so long: far longer than a busy machine makes anybody wait.
    patience_s = 1.5
    monkeypatch.setattr(graylog_link, "_TIMEOUT_S", patience_s)
    longest = 0.0
    lines: list[str] = []
    with TcpGraylog(hangs=True) as hung:
        begin = time.monotonic()
        with logs.set_up(settings(hung.port), MORE):
            for number in range(12_000):
                before = time.perf_counter()
                log.info("%d %s", number, "x" * 2000)
                longest = max(longest, time.perf_counter() - before)
            wait_until(lambda: any("timed out" in line for line in said(capsys, lines)), 30)
            wait_until(lambda: hung.connections > 1, 30, what="it is tried again")
            stopping = time.monotonic()
        assert time.monotonic() - stopping < 3
        assert time.monotonic() - begin > patience_s
    assert longest < 0.8 * patience_s, "a call waits for Graylog"
    assert any("records were not sent to Graylog" in line for line in said(capsys, lines))


def test_the_end_sends_what_waits() -> None:
    with TcpGraylog() as tcp:
        with logs.set_up(settings(tcp.port), MORE):
            for number in range(2000):
                log.info("%d", number)
        wait_until(lambda: len(tcp.records) == 2000)


def test_a_name_that_cannot_be_looked_up_is_a_fault_like_others(capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = LogSettings(graylog=GraylogSettings("udp", "x" * 70 + ".invalid", 1))
    lines: list[str] = []
    with logs.set_up(nowhere, MORE):
        log.info("one")
        wait_until(lambda: any("does not take the log" in line for line in said(capsys, lines)))
        log.info("two")
    assert any(line.endswith("two") for line in said(capsys, lines))
