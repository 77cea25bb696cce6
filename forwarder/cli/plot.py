"""Readings over time as a drawing of braille dots, two by four in each character.

By hand, because it is drawn anew four times a second: plotille takes 175 ms for 20 000 readings where this takes 23, is
wider than it is told to be, and does not say when the last reading was; plotext has a compiled core for some platforms.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeAlias

Point: TypeAlias = tuple[int, float]
"""Time in nanoseconds since the Unix epoch, and value."""

_BLANK = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""By row and column within a character (Unicode, Braille Patterns)."""
_LABEL = 11
_SMALLEST_WIDTH, _SMALLEST_HEIGHT = 8, 2


def draw(points: Sequence[Point], width: int, height: int) -> list[str]:
    """Lines of a drawing with its scales: a reading holds until the next one. `width` and `height` in characters."""
    shown = sorted((at, value) for at, value in points if math.isfinite(value))
    columns = max(width - _LABEL - 2, _SMALLEST_WIDTH)
    # An odd number has a row in the middle, for the value in the middle.
    rows = max(height - 2, _SMALLEST_HEIGHT) | 1
    if not shown:
        return [f"{'':{_LABEL}} │ no numbers yet"]
    low, high = min(value for _, value in shown), max(value for _, value in shown)
    if low == high:
        # A line in the middle, with a scale that says so.
        low, high = low - (abs(low) * 0.1 or 1.0), high + (abs(high) * 0.1 or 1.0)
    first, last = shown[0][0], max(shown[-1][0], shown[0][0] + 1)
    canvas = _canvas(shown, (first, last), (low, high), columns, rows)
    labels = {0: high, rows // 2: (low + high) / 2, rows - 1: low}
    lines = [
        f"{_number(labels[row]) if row in labels else '':>{_LABEL}} {'┤' if row in labels else '│'}{line}"
        for row, line in enumerate(canvas)
    ]
    return [*lines, f"{'':{_LABEL}} └{'─' * columns}", _times(first, last, columns)]


def _canvas(
    points: Sequence[Point], times: tuple[int, int], values: tuple[float, float], columns: int, rows: int
) -> list[str]:
    cells = [[_BLANK] * columns for _ in range(rows)]
    across, down = 2 * columns - 1, 4 * rows - 1

    def place(at: int, value: float) -> tuple[int, int]:
        share = (value - values[0]) / (values[1] - values[0])
        return round((at - times[0]) * across / (times[1] - times[0])), round((1 - share) * down)

    def dot(x: int, y: int) -> None:
        cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]

    before_x, before_y = place(*points[0])
    dot(before_x, before_y)
    for point in points[1:]:
        x, y = place(*point)
        for between in range(before_x, x + 1):
            dot(between, before_y)
        for between in range(min(before_y, y), max(before_y, y) + 1):
            dot(x, between)
        before_x, before_y = x, y
    return ["".join(map(chr, row)).rstrip(chr(_BLANK)) for row in cells]


def _number(value: float) -> str:
    return f"{value:.6g}"


def _times(first: int, last: int, columns: int) -> str:
    left, right = _time(first), _time(last)
    return f"{'':{_LABEL + 2}}{left}{right:>{max(columns - len(left), len(right) + 1)}}"


def _time(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns / 1e9, UTC):%H:%M:%S}"
