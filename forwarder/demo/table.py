"""Showing a picture of the messages: a live table on a terminal, one line a second anywhere else."""

from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from forwarder.demo.picture import Picture

_STYLE = {"NO_ALARM": "green", "MINOR": "yellow", "MAJOR": "red", "INVALID": "magenta"}
_ELEMENTS_SHOWN = 4
_RUN_LOG = ":DAE:"
_TABLE_EVERY_S = 0.25
_LINE_EVERY_S = 1.0


class Display(Protocol):
    """Something that shows pictures while it is open."""

    def show(self, picture: Picture, now: float) -> None:
        """Show the newest picture, if it is time for it. Call it as often as you like."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...


def display(console: Console) -> Display:
    """What suits the console."""
    return LiveTable(console) if console.is_terminal else PlainLines(console)


class LiveTable:
    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)
        self._next = 0.0

    def show(self, picture: Picture, now: float) -> None:
        if now >= self._next:
            self._next = now + _TABLE_EVERY_S
            self._live.update(table(picture, now), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()


class PlainLines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = 0.0

    def show(self, picture: Picture, now: float) -> None:
        if now >= self._next:
            self._next = now + _LINE_EVERY_S
            self._console.print(line(picture, now), markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


def table(picture: Picture, now: float) -> Table:
    drawn = Table(title=f"{head(picture, now)}, {run(picture)}", caption=last_event(picture))
    for heading in ("PV", "value", "alarm", "EPICS time"):
        drawn.add_column(heading, no_wrap=True)
    for heading in ("count", "rate/s"):
        drawn.add_column(heading, justify="right")
    for pv, row in sorted(picture.rows.items()):
        status, severity = row.alarm
        alarm = "" if severity == "NO_ALARM" else f" {severity} ({status})"
        drawn.add_row(
            pv,
            escape(short(row.reading.value)),
            f"[{_STYLE.get(severity, 'white')}]●{alarm}[/]",
            time_of_day(row.reading.time_ns),
            str(row.count),
            f"{row.rate(now):.1f}",
        )
    return drawn


def line(picture: Picture, now: float) -> str:
    # The run log would make it twice as long.
    shown = ((pv, row.reading.value) for pv, row in sorted(picture.rows.items()) if _RUN_LOG not in pv)
    values = "  ".join(f"{pv}={short(value)}" for pv, value in shown)
    return f"{head(picture, now)}, {run(picture)}  {values or last_event(picture)}"


def head(picture: Picture, now: float) -> str:
    return f"{picture.updates} updates, {picture.rate(now):.1f}/s"


def run(picture: Picture) -> str:
    """What the detectors' electronics say."""
    if picture.run is None:
        return "no run yet"
    return f"run {picture.run.name} {'counts' if picture.run.counts else 'has stopped'}, {picture.events} events"


def last_event(picture: Picture) -> str:
    if (event := picture.last_event) is None:
        return "no connection event yet"
    return f"{time_of_day(event.time_ns)} {event.pv} {event.event}"


def short(value: Any) -> str:
    """A value in a few characters."""
    match value:
        case float():
            return f"{value:.6g}"
        case list() | np.ndarray():
            shown = " ".join(short(element) for element in value[:_ELEMENTS_SHOWN])
            return f"{len(value)}: [{shown}{' …' if len(value) > _ELEMENTS_SHOWN else ''}]"
        case _:
            return str(value)


def time_of_day(time_ns: int) -> str:
    """UTC, to the millisecond."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}.{nanoseconds // 1_000_000:03d}"
