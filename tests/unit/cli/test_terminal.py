"""What commands print, with and without a terminal."""

import re

import click
import pytest

from forwarder.cli.terminal import BAD, Column, Styled, Terminal, aligned, count_of

COLUMNS = (Column("PV"), Column("count", True))
ROWS = [("IN:DEMO:TEMP1", "7"), ("X", Styled("123", BAD))]


def test_plain_columns_are_below_each_other() -> None:
    assert aligned([["PV", "count"], ["IN:DEMO:TEMP1", "7"]], [False, True]) == [
        "PV             count",
        "IN:DEMO:TEMP1      7",
    ]


def test_a_pipe_gets_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal("auto")
    terminal.table(COLUMNS, ROWS)
    terminal.say("bad", BAD)
    terminal.note("a note", BAD)
    with terminal.waiting("for nothing"):
        pass
    with terminal.progress("reading", "messages") as show:
        show(1, 2)
    said = capsys.readouterr()
    assert said.out.splitlines() == ["PV             count", "IN:DEMO:TEMP1      7", "X                123", "bad"]
    assert said.err == "a note\n"


def test_a_terminal_gets_colours(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal("always")
    terminal.table(COLUMNS, ROWS)
    terminal.say("bad [bold]", BAD)
    said = capsys.readouterr().out
    assert "\x1b[31m  123\x1b[0m" in said
    assert "\x1b[31mbad [bold]\x1b[0m" in said
    assert "IN:DEMO:TEMP1" in said


def test_a_bar_says_how_much_of_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal("always").progress("reading [all]", "messages") as show:
        click.echo("an answer")
        show(1234.4, 2_000_000)
        click.echo("another")
    said = capsys.readouterr()
    drawn = click.unstyle(said.err)
    assert "reading [all] ━" in drawn
    assert set(re.findall(r"[\d,]+ of [\d,]+ \w+", drawn)) == {"1,234 of 2,000,000 messages"}
    assert said.err.endswith("\x1b[?25h\r\x1b[1A\x1b[2K"), "it is gone, and the cursor is back"
    assert said.out == "an answer\nanother\n"


def test_what_never_begins_has_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal("always").progress("reading", "messages"):
        pass
    assert capsys.readouterr().err == ""


def test_a_narrow_terminal_loses_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    Terminal("always").table(COLUMNS, [("IN:DEMO:CS:SB:A_VERY_LONG_NAME_OF_A_BLOCK", "7")])
    lines = click.unstyle(capsys.readouterr().out).splitlines()
    assert "".join(line.replace("7", "").strip() for line in lines[2:]) == "IN:DEMO:CS:SB:A_VERY_LONG_NAME_OF_A_BLOCK"


def test_no_rows_need_no_heading(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().table(COLUMNS, [])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("variable", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours_gets_none(variable: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Terminal("auto").draws
    monkeypatch.setenv(*variable)
    assert not Terminal("auto").draws


def test_nobody_is_asked_where_nobody_is() -> None:
    with pytest.raises(click.UsageError, match="this closes all, and nobody can be asked: give --yes"):
        Terminal().confirm("this closes all", otherwise="give --yes")


def test_counts() -> None:
    assert (count_of(1, "stream"), count_of(0, "stream")) == ("1 stream", "0 streams")
