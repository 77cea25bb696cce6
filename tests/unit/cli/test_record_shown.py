"""What is shown while an instrument is recorded."""

from pathlib import Path

import pytest

from forwarder.cli import record_shown
from forwarder.cli.record_shown import Shown, _summarise
from forwarder.cli.terminal import Terminal
from forwarder.tools.recording import Recorder, Until, span

PATH = Path("run.nxs")


def recorder(messages: int = 0) -> Recorder:
    return Recorder("LARMOR", PATH, False, print, print, print, print, messages=messages)


def test_on_a_terminal_it_is_one_line_that_changes(capsys: pytest.CaptureFixture[str]) -> None:
    with Shown(Terminal("always"), PATH, until_end=False) as shown:
        shown.progress(recorder(2_000))
    out, err = capsys.readouterr()
    assert out == ""
    assert "run.nxs: 2000 messages, 0 PVs, 0 events" in err


def test_what_has_an_end_has_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    half = recorder()
    half.done = (1_000, 2_000)
    with Shown(Terminal("always"), PATH, until_end=True) as shown:
        shown.progress(recorder())
        shown.progress(half)
    out, err = capsys.readouterr()
    assert out == ""
    assert "1,000 of 2,000 messages" in err


def test_before_the_start_there_is_a_bar_and_then_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Shown(Terminal("always"), PATH, until_end=False) as shown:
        shown.looks_back(0, 0)
        shown.looks_back(500, 2_000)
        shown.progress(recorder(7))
    err = capsys.readouterr().err
    assert (
        err.index("run.nxs, before its start") < err.index("500 of 2,000 messages") < err.index("run.nxs: 7 messages")
    )


def test_in_a_pipe_looking_back_is_told_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(record_shown.time, "monotonic", lambda: now)
    with Shown(Terminal(), PATH, until_end=True) as shown:
        for done in range(3):
            shown.looks_back(done, 3)
            now += 1
    assert capsys.readouterr().err.splitlines() == [
        f"run.nxs: {done} of 3 messages before its start" for done in (1, 2)
    ]


def test_in_a_pipe_lines_come_ever_less_often(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(record_shown.time, "monotonic", lambda: now)
    with Shown(Terminal(), PATH, until_end=False) as shown:
        for _ in range(3_000):
            now += 0.1
            shown.progress(recorder(1))
    err = capsys.readouterr().err.splitlines()
    assert err == ["run.nxs: 1 message, 0 PVs, 0 events"] * 10, "after 1, 2, 4 ... 64 s, and then each minute"


def test_what_is_missing_is_said_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    done = recorder()
    done.not_stored.update({f"topic: ad00 CAM{number}: no place": number + 1 for number in range(12)})
    _summarise(Terminal(), done)
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "warning: 12 messages not in the file: topic: ad00 CAM11: no place"
    assert err[-1] == "warning: 2 further kinds of messages not in the file"


def test_what_to_record() -> None:
    assert (span("now", None).until, span("run-start", "run-stop").until) == (Until.NOTHING, Until.RUN_STOP)
    assert (span("beginning", "1.5").seconds, span("time:2026-01-01", "end").until) == (1.5, Until.END)


@pytest.mark.parametrize("begin", ["end", "offset:1", "-5", "noon", "time:noon"])
def test_no_place_to_begin(begin: str) -> None:
    with pytest.raises(ValueError, match=f"--from {begin}: "):
        span(begin, None)


@pytest.mark.parametrize("until", ["", "now", "-1", "nan", "inf", "run-start"])
def test_no_end(until: str) -> None:
    with pytest.raises(ValueError, match=f"--until {until}: allowed: run-stop, end, or a number of seconds"):
        span("now", until)
