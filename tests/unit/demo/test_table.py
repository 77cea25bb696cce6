"""What the demo's consumer shows."""

import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from forwarder.demo.decode import Connection, Reading, RunChange
from forwarder.demo.picture import Picture, Row
from forwarder.demo.table import display, line, short, table, time_of_day

SHORT = {
    "float": (291.123456789, "291.123"),
    "int": (7, "7"),
    "text": ("vanadium", "vanadium"),
    "short array": (np.array([1.5, 2.0]), "2: [1.5 2]"),
    "long array": (np.arange(6), "6: [0 1 2 3 …]"),
    "texts": (["a", "b"], "2: [a b]"),
}


@pytest.mark.parametrize(("value", "shown"), SHORT.values(), ids=SHORT)
def test_a_value_is_shown_in_a_few_characters(value: Any, shown: str) -> None:
    assert short(value) == shown


def picture() -> Picture:
    made = Picture()
    made.rows["DEMO:PV"] = Row(Reading("DEMO:PV", 2.5, 0, None), ("HIHI", "MAJOR"), count=3)
    made.rows["DEMO:PV"].arrivals.extend([100.0, 104.0, 108.0])
    made.rows["DEMO:DAE:GOODFRAMES"] = Row(Reading("DEMO:DAE:GOODFRAMES", 7, 0, None))
    made.updates = 3
    made.run, made.events = RunChange("demo 2", True), 1234
    made.last_event = Connection("DEMO:PV", "CONNECTED", 1_700_000_000_123_456_789)
    return made


def test_the_table_has_everything_of_a_pv() -> None:
    console = Console(file=io.StringIO(), width=120)
    with console.capture() as captured:
        console.print(table(picture(), now=108.5))
    for part in (
        "run demo 2 counts, 1234 events",
        "DEMO:DAE:GOODFRAMES",
        "DEMO:PV",
        "2.5",
        "MAJOR (HIHI)",
        "00:00:00.000",
        "3",
        "0.4",
        "22:13:20.123 DEMO:PV CONNECTED",
    ):
        assert part in captured.get()


def test_without_a_terminal_there_is_a_line_a_second() -> None:
    output = io.StringIO()
    with display(Console(file=output, width=40)) as shown:
        for now in (100.0, 100.5, 101.0):
            shown.show(picture(), now)
    assert output.getvalue().splitlines() == [line(picture(), 100.0), line(picture(), 101.0)]


def test_a_line_has_the_blocks_and_the_run() -> None:
    shown = picture()
    assert line(shown, 108.5) == "3 updates, 0.4/s, run demo 2 counts, 1234 events  DEMO:PV=2.5"
    shown.run = RunChange("demo 2", False)
    assert "run demo 2 has stopped, " in line(shown, 108.5)
    assert line(Picture(), 0.0) == "0 updates, 0.0/s, no run yet  no connection event yet"


def test_times_are_cut_not_rounded() -> None:
    assert time_of_day(1_999_999_999) == "00:00:01.999"
