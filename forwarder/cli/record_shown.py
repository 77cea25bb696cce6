"""What `forwarder record` prints: how far it is while it goes on, and what is in the file at its end."""

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Self

import click

from ..settings.load import Reading
from ..settings.types import TopicSettings
from ..tools.instrument import topics_of
from ..tools.recording import TOPICS, Range, Recorder, Until, span
from . import exits
from .terminal import DOUBTFUL, FAINT, Terminal, count_of

_FIRST_LINE_S, _MOST_BETWEEN_S = 1.0, 60.0
"""Where nobody watches, the lines about the state come ever less often, up to that."""
_KINDS_SHOWN = 10


def record(
    reading: Reading,
    terminal: Terminal,
    instrument: str,
    path: Path,
    words: tuple[str, str | None, float],
    *,
    force: bool,
) -> int:
    """Record until there is an end; the exit code. `words` are those that `span` takes."""
    try:
        wanted = span(*words)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    # It says what is wrong with the name of an instrument.
    topics_of(instrument, reading.settings.topics)
    topics = {each: reading.topic(f"{instrument}_{each}") for each in TOPICS}

    def trouble(reason: str) -> None:
        terminal.note(f"waiting: {reason}" if reason else "the brokers are back", DOUBTFUL if reason else FAINT)

    with Shown(terminal, path, until_end=wanted.until is Until.END) as shown:
        recorder = Recorder(instrument, path, force, terminal.warn, trouble, shown.progress, shown.looks_back)
        try:
            # Ctrl-C is the end that most recordings have.
            with suppress(KeyboardInterrupt, asyncio.CancelledError):
                asyncio.run(_until_told(recorder, topics, wanted))
        finally:
            recorder.close()
    if recorder.recording is None:
        terminal.note("ended before there was a file")
        return exits.ABORTED
    _summarise(terminal, recorder)
    return exits.DONE


async def _until_told(recorder: Recorder, topics: Mapping[str, TopicSettings], wanted: Range) -> None:
    task = asyncio.current_task()
    assert task is not None, "asyncio.run has made a task of it"
    # Windows has no such signal.
    with suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await recorder.record(topics, wanted)


class Shown:
    """What moves on a terminal, and elsewhere a line now and then: how far it looks back, then how far it records."""

    def __init__(self, terminal: Terminal, path: Path, *, until_end: bool) -> None:
        self._terminal = terminal
        self._name = path.name
        self._until_end = until_end
        self._open = ExitStack()
        self._drawn = ""
        self._draw: Callable[..., None] = _nothing
        self._begun = time.monotonic()
        self._next_s = _FIRST_LINE_S

    def __enter__(self) -> Self:
        if not self._until_end:
            self._waiting()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def looks_back(self, done: int, total: int) -> None:
        """How many messages before the start have been read, and of how many."""
        if self._terminal.draws_notes:
            self._bar(f"{self._name}, before its start", done, total)
        else:
            self._now_and_then(f"{self._name}: {done} of {count_of(total, 'message')} before its start")

    def progress(self, recorder: Recorder) -> None:
        """How far it records."""
        if not self._terminal.draws_notes:
            self._now_and_then(_state(recorder))
        elif self._until_end:
            self._bar(self._name, *recorder.done)
        else:
            self._waiting()
            self._draw(_state(recorder))

    def _bar(self, text: str, done: int, total: int) -> None:
        if total:
            self._change(text, lambda: self._terminal.progress(text, "messages"))
            self._draw(done, total)

    def _waiting(self) -> None:
        text = f"{self._name}: waiting for messages"
        self._change(text, lambda: self._terminal.waiting(text))

    def _change(self, text: str, drawing: Callable[[], AbstractContextManager[Callable[..., None]]]) -> None:
        """A terminal shows one of them at a time."""
        if text != self._drawn:
            self._open.close()
            self._draw = self._open.enter_context(drawing())
            self._drawn = text

    def _now_and_then(self, text: str) -> None:
        if (now := time.monotonic() - self._begun) >= self._next_s:
            self._next_s = now + min(now, _MOST_BETWEEN_S)
            self._terminal.note(text)


def _nothing(*_: object) -> None:
    """Nothing is drawn so far."""


def _state(recorder: Recorder) -> str:
    file = recorder.recording
    pvs, events = (file.pvs(), file.events()) if file is not None else (0, 0)
    missed = f", {recorder.not_stored.total()} not stored" if recorder.not_stored else ""
    return (
        f"{recorder.path.name}: {count_of(recorder.messages, 'message')}, {count_of(pvs, 'PV')}, "
        f"{count_of(events, 'event')}{missed}"
    )


def _summarise(terminal: Terminal, recorder: Recorder) -> None:
    for kind, count in recorder.not_stored.most_common(_KINDS_SHOWN):
        terminal.warn(f"{count_of(count, 'message')} not in the file: {kind}")
    if (more := len(recorder.not_stored) - _KINDS_SHOWN) > 0:
        terminal.warn(f"{count_of(more, 'further kind')} of messages not in the file")
    if recorder.recording is not None:
        terminal.say(f"{recorder.path}: {_state(recorder).partition(': ')[2]}")
