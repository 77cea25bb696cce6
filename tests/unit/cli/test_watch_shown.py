"""Messages as lines, and numbers as a drawing."""

import math
from typing import Any

import numpy as np
import pytest

from forwarder.cli.plot import Point, draw
from forwarder.cli.terminal import BAD, DOUBTFUL, FAINT
from forwarder.cli.watch_shown import line, printable, short, when
from forwarder.encode import f142
from forwarder.kafka.topic_reader import Record
from forwarder.model import ChannelType, ValueType
from forwarder.tools.sighting import sight

T = 1_700_000_000_123_456_789
CLOCK = "2023-11-14 22:13:20.123"


def log_data(value: Any, kind: ChannelType, alarm: tuple[int, int] = (0, 0)) -> bytes:
    return f142.encoder("IN:TEMP", kind).encode_with_alarm(value, T, *alarm)


DOUBLE, STRING = ChannelType(ValueType.FLOAT64, False), ChannelType(ValueType.STRING, False)
LINES = {
    "a number": (log_data(290.125, DOUBLE), f"{CLOCK}  f142  IN:TEMP  290.125", ""),
    "an alarm": (log_data(1.0, DOUBLE, (3, 2)), f"{CLOCK}  f142  IN:TEMP  1  MAJOR HIHI", BAD),
    "a minor alarm": (log_data(1.0, DOUBLE, (4, 1)), f"{CLOCK}  f142  IN:TEMP  1  MINOR HIGH", DOUBTFUL),
    "what a terminal would obey": (
        log_data("\x1b[2J\nwarm", STRING), f"{CLOCK}  f142  IN:TEMP  \\x1b[2J\\nwarm", ""
    ),
    "undecodable": (
        b"hello there", "1970-01-01 00:00:00.005  ?     IN:TEMP  [1]@2 11 bytes in no known schema: bytes 4 to 8 are "
        "b'o th'", BAD
    ),
    "a tombstone": (None, "1970-01-01 00:00:00.005  tombstone  IN:TEMP  [1]@2", FAINT),
}  # fmt: skip


@pytest.mark.parametrize(("value", "text", "style"), LINES.values(), ids=LINES)
def test_a_line(value: bytes | None, text: str, style: str) -> None:
    assert line(sight(Record("T", 1, 2, 5, b"IN:TEMP", value)), [0, 0]) == (text, style)


def test_names_and_topics_stay_below_each_other() -> None:
    widths = [0, 0]
    records = [Record(topic, 0, 0, 5, key, None) for topic, key in (("TOPIC", b"LONG:NAME"), ("T", b"X"))]
    lines = [line(sight(record), widths, with_topic=True)[0] for record in records]
    assert lines[0].index("[0]@0") == lines[1].index("[0]@0")


SHORT = {
    "a float": (0.1 + 0.2, "0.3"),
    "a float of numpy": (np.float32(0.5), "0.5"),
    "an int": (1 << 60, "1152921504606846976"),
    "not a number": (math.nan, "nan"),
    "an array": (np.arange(3), "[0 1 2] 3"),
    "a long array": (np.arange(100.0), "[0 1 2 3 4 5 ...] 100"),
    "texts": (["a", "b"], "[a b] 2"),
    "a long text": ("x" * 200, "x" * 160 + "..."),
}


@pytest.mark.parametrize(("value", "text"), SHORT.values(), ids=SHORT)
def test_a_value_in_short(value: Any, text: str) -> None:
    assert short(value) == text


def test_what_prints_stays_and_the_rest_is_escaped() -> None:
    assert printable("µm °C") == "µm °C"
    assert printable("a\tb\x07\u202e") == r"a\tb\x07\u202e"


def test_times() -> None:
    assert when(T) == CLOCK
    assert when(2**63) == "2262-04-11 23:47:16.854"
    assert when(2**80) == f"{2**80} ns"


def points(*values: float) -> list[Point]:
    return [(T + number * 1_000_000_000, value) for number, value in enumerate(values)]


def test_a_drawing_holds_each_reading_until_the_next() -> None:
    assert draw(points(0, 0, 1, 1), 21, 5) == [
        "          1 ┤⠀⠀⠀⠀⠀⡏⠉⠉",
        "        0.5 ┤⠀⠀⠀⠀⠀⡇",
        "          0 ┤⣀⣀⣀⣀⣀⡇",
        "            └────────",
        "             22:13:20 22:13:23",
    ]


def test_a_drawing_of_one_value_has_it_in_the_middle() -> None:
    lines = draw(points(5, 5), 21, 5)
    assert [line.split("┤")[0].strip() for line in lines[:3]] == ["5.5", "5", "4.5"]
    assert "⠤" in lines[1] or "⠒" in lines[1]


@pytest.mark.parametrize("values", [(), (math.nan,), (math.inf,)])
def test_nothing_to_draw(values: tuple[float, ...]) -> None:
    assert draw(points(*values), 40, 5) == ["            │ no numbers yet"]


def test_a_drawing_keeps_its_size_and_takes_times_as_they_come() -> None:
    lines = draw([*reversed(points(*range(1000)))], 60, 12)
    assert len(lines) <= 13
    assert max(map(len, lines)) <= 60
    assert lines[0].startswith("        999 ┤")
