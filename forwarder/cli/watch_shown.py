"""What `forwarder watch` prints: a line a message, or a drawing, and a summary."""

import asyncio
import json
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import click
import numpy as np

from ..settings.types import TopicSettings
from ..tools.following import Following, Start
from ..tools.sighting import Sighting, Tally, Wanted, sight
from . import exits
from .plot import Point, draw
from .terminal import BAD, DOUBTFUL, FAINT, GOOD, Column, Styled, Terminal, count_of
from .watch_options import Options
from .watch_progress import Progress

if TYPE_CHECKING:
    from rich.live import Live

_ELEMENTS_SHOWN = 6
_LONGEST_TEXT = 160
_WIDEST_NAME = 60
_PLOTTED_PVS = 6
_PLOTTED_POINTS = 20_000
_PLOT_HEIGHT = 10
_DRAWN_EVERY_S = 0.25
_STYLE = {"NO_ALARM": GOOD, "OK": GOOD, "MINOR": DOUBTFUL, "MAJOR": BAD, "INVALID": "magenta"}


class _View(Protocol):
    def take(self, sighting: Sighting) -> None:
        """One message that is wanted."""
        ...

    def refresh(self) -> None:
        """Some time has passed, or messages have come."""
        ...

    def close(self) -> None:
        """That was all."""
        ...


def show(terminal: Terminal, topics: Sequence[TopicSettings], begin: Start, options: Options) -> int:
    """Show messages until there is an end; the exit code."""
    tally = Tally()
    view = _view(terminal, options, len(topics))
    with _until_nobody_reads():
        try:
            asyncio.run(_watch(terminal, topics, begin, options, view, tally))
        except KeyboardInterrupt:
            # Then the terminal has ^C in it.
            terminal.note("")
        finally:
            view.close()
    summarise(terminal, tally)
    return exits.DONE


async def _watch(
    terminal: Terminal, topics: Sequence[TopicSettings], begin: Start, options: Options, view: _View, tally: Tally
) -> None:
    wanted = Wanted(options.pvs, options.schemas)

    def trouble(reason: str) -> None:
        terminal.note(f"waiting: {reason}" if reason else "the brokers are back", DOUBTFUL if reason else FAINT)

    async def refresh() -> None:
        while True:
            await asyncio.sleep(_DRAWN_EVERY_S)
            view.refresh()
            progress.show()

    following = Following(topics, begin, until_end=options.until_end, trouble=trouble)
    with Progress(terminal, following, tally, options) as progress:
        refreshing = asyncio.create_task(refresh(), name="refresh")
        try:
            async with following:
                async for batch in following.batches():
                    for record in batch:
                        sighting = sight(record)
                        if sighting in wanted:
                            tally.add(sighting)
                            view.take(sighting)
                            if tally.messages == options.count:
                                return
                    # A long backlog must not keep Ctrl-C and the drawing from their turn.
                    await asyncio.sleep(0)
        finally:
            refreshing.cancel()
            await asyncio.gather(refreshing, return_exceptions=True)


def summarise(terminal: Terminal, tally: Tally) -> None:
    """Counts and rates by topic and schema."""
    columns = (
        Column("topic"), Column("schema"), Column("messages", True), Column("a second", True), Column("names", True),
        Column("kB", True), Column("undecodable", True),
    )  # fmt: skip
    rows = [
        (
            topic,
            schema,
            str(count.messages),
            f"{count.rate:.1f}",
            str(len(count.names)),
            f"{count.size / 1000:.1f}",
            Styled(str(count.undecodable), BAD) if count.undecodable else "0",
        )
        for (topic, schema), count in sorted(tally.counts.items())
    ]
    if rows:
        terminal.note("")
        terminal.table(columns, rows, notes=True)
    terminal.note(count_of(tally.messages, "message"))


def _view(terminal: Terminal, options: Options, topics: int) -> _View:
    if options.quiet:
        return _Nothing()
    if options.as_json:
        return _Json()
    return _Plot(terminal) if options.plot else _Lines(terminal, with_topic=topics > 1)


class _Nothing:
    def take(self, sighting: Sighting) -> None:
        pass

    def refresh(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Json(_Nothing):
    def take(self, sighting: Sighting) -> None:
        click.echo(json.dumps(sighting.as_json(), separators=(",", ":"), ensure_ascii=False))


class _Lines(_Nothing):
    def __init__(self, terminal: Terminal, *, with_topic: bool) -> None:
        self._terminal = terminal
        self._with_topic = with_topic
        self._widths = [0, 0]

    def take(self, sighting: Sighting) -> None:
        text, style = line(sighting, self._widths, self._with_topic)
        self._terminal.say(text, style)


def line(sighting: Sighting, widths: list[int], with_topic: bool = False) -> tuple[str, str]:
    """A message in one line, and its colour. `widths` are those of topic and name so far, and grow."""
    record = sighting.record
    name = printable(sighting.name)
    widths[0] = max(widths[0], len(record.topic))
    widths[1] = max(widths[1], min(len(name), _WIDEST_NAME))
    topic = f"{record.topic:{widths[0]}}  " if with_topic else ""
    head = f"{when(sighting.time_ns)}  {topic}{sighting.schema:4}  {name:{widths[1]}}"
    decoded = sighting.decoded
    if decoded is None:
        what = f"[{record.partition}]@{record.offset} {sighting.problem}".rstrip()
        return f"{head}  {what}", BAD if sighting.problem else FAINT
    style = _STYLE.get(decoded.alarm.partition(" ")[0], "")
    alarm = f"  {decoded.alarm}" if decoded.alarm and decoded.alarm not in ("NO_ALARM", "OK") else ""
    return f"{head}  {short(decoded.value)}{alarm}", style if style != GOOD else ""


def short(value: Any) -> str:
    """A value in a few words, with nothing in it that a terminal would obey."""
    if isinstance(value, (list, np.ndarray)):
        shown = " ".join(short(element) for element in value[:_ELEMENTS_SHOWN])
        return f"[{shown}{' ...' if len(value) > _ELEMENTS_SHOWN else ''}] {len(value)}"
    if isinstance(value, (float, np.floating)):
        return f"{value:.10g}"
    text = printable(str(value))
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."


def printable(text: str) -> str:
    """The text with escapes in place of what does not print."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def when(ns: int) -> str:
    """UTC, to the millisecond; as it is where no calendar has it."""
    try:
        return f"{datetime.fromtimestamp(ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S}.{ns // 1_000_000 % 1000:03d}"
    except (OverflowError, ValueError, OSError):
        return f"{ns} ns"


class _Plot:
    """A drawing for each PV: while it is watched on a terminal, and once at the end anywhere else."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._points: dict[str, deque[Point]] = {}
        self._left_out: set[str] = set()
        self._live = _live(terminal) if terminal.draws else None

    def take(self, sighting: Sighting) -> None:
        decoded = sighting.decoded
        if decoded is None or isinstance(decoded.value, bool) or not isinstance(decoded.value, (int, float)):
            return
        if sighting.name not in self._points and len(self._points) >= _PLOTTED_PVS:
            self._left_out.add(sighting.name)
            return
        points = self._points.setdefault(sighting.name, deque(maxlen=_PLOTTED_POINTS))
        points.append((sighting.time_ns, float(decoded.value)))

    def refresh(self) -> None:
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text("\n".join(self._drawing())), refresh=True)

    def close(self) -> None:
        self.refresh()
        if self._live is not None:
            self._live.stop()
        else:
            for drawn in self._drawing():
                self._terminal.say(drawn)
        if self._left_out:
            self._terminal.note(f"{len(self._left_out)} more PVs are not drawn")

    def _drawing(self) -> Iterator[str]:
        width, rows = self._terminal.size()
        height = max(min(_PLOT_HEIGHT, (rows - 2) // max(len(self._points), 1) - 1), 4)
        if not self._points:
            yield "no numbers yet"
        for name, points in sorted(self._points.items()):
            yield f"{printable(name)} = {short(points[-1][1])}  ({len(points)} readings)"
            yield from draw(points, width, height)


def _live(terminal: Terminal) -> "Live":
    from rich.live import Live

    live = Live(console=terminal.console(), auto_refresh=False)
    live.start()
    return live


@contextmanager
def _until_nobody_reads() -> Iterator[None]:
    """Ends quietly what `| head` has had enough of."""
    try:
        yield
    except BrokenPipeError:
        # Else Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
