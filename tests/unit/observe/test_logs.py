"""Logging: form of a line, where it goes, and a repeating fault that is told once."""

import errno
import json
import logging
import os
import re
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from forwarder.errors import BadSetting
from forwarder.faults import RepeatingFault
from forwarder.observe import log_file, logs
from forwarder.settings.types import LogFormat, LogSettings

log = logging.getLogger("forwarder.test")


def set_up(settings: LogSettings) -> AbstractContextManager[logs.Logs]:
    return logs.set_up(settings, {"service_id": "one", "profile": "local"})


def test_a_line_has_time_in_utc_level_and_logger(capsys: pytest.CaptureFixture[str]) -> None:
    with set_up(LogSettings()):
        log.info("%d clusters", 3)
        log.debug("not at this level")
    said = capsys.readouterr().err
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO forwarder\.test: 3 clusters\n", said)


def test_a_line_break_fakes_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with set_up(LogSettings()):
        log.warning("PV %s", "a\r\n2026-01-01 ERROR b")
    assert capsys.readouterr().err.endswith(r"PV a\r\n2026-01-01 ERROR b" + "\n")


def test_a_traceback_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with set_up(LogSettings()):
        try:
            raise KeyError("gone")
        except KeyError:
            log.exception("failed")
    said = capsys.readouterr().err
    assert "ERROR forwarder.test: failed\nTraceback" in said
    assert "KeyError: 'gone'" in said


def test_the_file_has_the_same_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "f.log"
    with set_up(LogSettings(file=file)):
        log.warning("µs")
    assert file.read_text(encoding="utf-8") == capsys.readouterr().err


def test_a_full_file_gives_way_to_a_new_one(tmp_path: Path) -> None:
    with set_up(LogSettings(file=tmp_path / "f.log", file_bytes=1000, files_kept=3)):
        for number in range(90):
            log.warning("%d %s", number, "x" * 50)
    names = ["f.log", "f.log.1", "f.log.2", "f.log.3"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    lines = [line for name in reversed(names) for line in (tmp_path / name).read_text().splitlines()]
    assert [int(line.split()[3]) for line in lines] == list(range(90 - len(lines), 90))


def test_a_file_without_a_bound_grows(tmp_path: Path) -> None:
    with set_up(LogSettings(file=tmp_path / "f.log", file_bytes=0)):
        log.warning("x" * 100_000)
        log.warning("y")
    assert [path.name for path in tmp_path.iterdir()] == ["f.log"]


def test_a_full_file_that_cannot_be_renamed_is_written_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on Windows while an editor has it open; older ones stay what they are."""
    monkeypatch.setattr(log_file, "_ROTATE_AGAIN_S", 0.0)
    (tmp_path / "f.log.1").write_text("older")
    rename = os.rename

    def refuse(source: str, target: str) -> None:
        raise PermissionError(errno.EACCES, "it is open elsewhere")

    with set_up(LogSettings(file=tmp_path / "f.log", file_bytes=200)):
        monkeypatch.setattr(os, "rename", refuse)
        for number in range(20):
            log.warning("line %d", number)
        monkeypatch.setattr(os, "rename", rename)
        said = capsys.readouterr().err
        assert said.count("cannot be renamed: [Errno 13] it is open elsewhere") == 1
        assert (tmp_path / "f.log.1").read_text() == "older"
        assert [f"line {number}\n" in (tmp_path / "f.log").read_text() for number in range(20)] == [True] * 20
        log.warning("at last")
    assert "cannot be renamed: over after" in capsys.readouterr().err
    assert "older" in [path.read_text() for path in tmp_path.iterdir()]
    assert len(list(tmp_path.iterdir())) > 2


def test_a_file_that_can_no_more_be_written_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "f.log"
    with set_up(LogSettings(file=file)) as running:
        log.warning("first")
        file.rename(tmp_path / "moved")
        file.mkdir()
        running.reopen()
        for number in range(20):
            log.warning("lost %d", number)
        file.rmdir()
        log.warning("last")
    said = capsys.readouterr().err
    assert said.count("lost") == 20
    assert said.count("the log file cannot be opened again") == 1
    assert said.count(f"the log file {file} cannot be written: [Errno 21]") == 1
    assert "cannot be written: over after" in said
    assert "Traceback" not in said
    assert "last" in file.read_text()


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    file, moved = tmp_path / "f.log", tmp_path / "f.log-20260131"
    with set_up(LogSettings(file=file)) as running:
        log.warning("old")
        file.rename(moved)
        log.warning("still old")
        running.reopen()
        log.warning("new")
    assert [line.rpartition(": ")[2] for line in moved.read_text().splitlines()] == ["old", "still old"]
    assert [line.rpartition(": ")[2] for line in file.read_text().splitlines()] == ["new"]


def test_the_folder_is_made(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "prod_forwarder" / "forwarder.log"
    with set_up(LogSettings(file=file, makes_folder=True)):
        log.warning("there")
    assert "there" in file.read_text()


def test_a_folder_that_cannot_be_made_is_a_bad_setting(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    file = tmp_path / "taken" / "prod_forwarder" / "forwarder.log"
    expected = r'log-directory: ".*/taken/prod_forwarder" cannot be written: Not a directory; allowed: a directory'
    with pytest.raises(BadSetting, match=expected), set_up(LogSettings(file=file, makes_folder=True)):
        pass


ODD = {
    "a line break": "a\r\n2026-01-01T00:00:00.000Z ERROR b: c\u2028d",
    "no UTF-8": b"\xb5A".decode(errors="surrogateescape"),
    "quotes": "\"'{}\\",
    "an escape": "\x1b[2J\0",
    "beyond ASCII": "\u00b5A \U0001f321",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_a_json_line_is_one_whatever_is_in_it(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "f.log"
    with set_up(LogSettings(format=LogFormat.JSON, file=file)):
        log.warning("PV %s", text)
        try:
            raise ValueError(text)
        except ValueError:
            log.exception("failed")
    assert file.read_text() == capsys.readouterr().err
    lines = [json.loads(line) for line in file.read_text().split("\n")[:-1]]
    first, second = lines
    assert list(first) == ["time", "level", "logger", "message", "exception", "service_id", "profile"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {
        "level": "WARNING",
        "logger": "forwarder.test",
        "message": f"PV {text}".encode(errors="backslashreplace").decode(),
        "exception": None,
        "service_id": "one",
        "profile": "local",
    }
    assert second["message"] == "failed"
    assert second["exception"].startswith("Traceback")
    assert "ValueError" in second["exception"]


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_a_line_is_one_whatever_is_in_it(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "f.log"
    with set_up(LogSettings(file=file)):
        log.warning("PV %s", text)
    assert len(capsys.readouterr().err.splitlines()) == len(file.read_text(encoding="utf-8").splitlines()) == 1
    assert "\x1b" not in file.read_text(encoding="utf-8")


def test_levels_of_single_loggers_count_before_that_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    levels = (("forwarder.test", logging.ERROR), ("forwarder.test", logging.DEBUG), ("aiokafka", logging.INFO))
    with set_up(LogSettings(level=logging.ERROR, levels=levels)):
        log.debug("one")
        log.getChild("below").debug("two")
        logging.getLogger("forwarder.other").warning("not this one")
        logging.getLogger("aiokafka.conn").info("three")
        logging.getLogger("aiokafka.conn").debug("not this one")
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == ["one", "two", "three"]


def test_levels_change_while_it_runs_and_leave_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    with set_up(LogSettings(levels=(("forwarder.test", logging.ERROR),))) as running:
        log.warning("not this one")
        running.set_levels(logging.INFO, [])
        log.info("this one")
        running.set_levels(logging.WARNING, [("forwarder", logging.DEBUG)])
        log.debug("and this one")
    assert [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()] == ["this one", "and this one"]
    assert log.level == logging.getLogger("forwarder").level == logging.NOTSET


def test_a_file_that_cannot_be_written_is_a_bad_setting(tmp_path: Path) -> None:
    before = logging.getLogger().handlers[:]
    with pytest.raises(BadSetting, match=r"log-file: .* cannot be written"), set_up(LogSettings(file=tmp_path)):
        pass
    assert logging.getLogger().handlers == before


def test_libraries_are_quiet_except_at_trace(capsys: pytest.CaptureFixture[str]) -> None:
    aiokafka = logging.getLogger("aiokafka.conn")
    with set_up(LogSettings(level=logging.DEBUG)):
        aiokafka.error("lost, for the tenth time this second")
        logging.getLogger("asyncio").debug("selector")
    assert capsys.readouterr().err == ""
    with set_up(LogSettings(level=logs.TRACE)):
        aiokafka.debug("all it has")
        log.log(logs.TRACE, "and ours")
    said = capsys.readouterr().err
    assert "DEBUG aiokafka.conn: all it has" in said
    assert "TRACE forwarder.test: and ours" in said


def test_all_is_as_before_afterwards() -> None:
    root, aiokafka = logging.getLogger(), logging.getLogger("aiokafka")
    before = (root.level, root.handlers[:], aiokafka.level)
    with set_up(LogSettings(level=logging.ERROR)):
        assert (root.level, root.handlers[:], aiokafka.level) != before
    assert (root.level, root.handlers[:], aiokafka.level) == before


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


def test_a_fault_without_a_sign_of_its_end_is_over_when_it_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    fault = RepeatingFault(log, "refused", clock)
    fault.over_if_quiet(60)
    fault.occurred("too large")
    clock.now += 59
    fault.over_if_quiet(60)
    fault.occurred("too large")
    clock.now += 59
    fault.over_if_quiet(60)
    assert caplog.messages == ["refused: too large"]
    clock.now += 1
    fault.over_if_quiet(60)
    assert caplog.messages[1:] == ["refused: over after 119.0 s, occurred 2 times"]
