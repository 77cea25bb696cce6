"""What `forwarder record` prints: how far it is while it goes on, and what is in the file at its end."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

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
    reading: Reading, terminal: Terminal, instrument: str, path: Path, begin: str, until: str | None, *, force: bool
) -> int:
    """Record until there is an end; the exit code."""
    try:
        wanted = span(begin, until)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    # It says what is wrong with the name of an instrument.
    topics_of(instrument, reading.settings.topics)
    topics = {each: reading.topic(f"{instrument}_{each}") for each in TOPICS}

    def trouble(reason: str) -> None:
        terminal.note(f"waiting: {reason}" if reason else "the brokers are back", DOUBTFUL if reason else FAINT)

    with _shown(terminal, path, until_end=wanted.until is Until.END) as progress:
        recorder = Recorder(instrument, path, force, terminal.warn, trouble, progress)
        try:
            # Ctrl-C is the end that most recordings have.
            with suppress(KeyboardInterrupt, asyncio.CancelledError):
                asyncio.run(_until_told(recorder, topics, wanted))
        finally:
            recorder.close()
    _summarise(terminal, recorder)
    return exits.DONE


async def _until_told(recorder: Recorder, topics: Mapping[str, TopicSettings], wanted: Range) -> None:
    task = asyncio.current_task()
    assert task is not None, "asyncio.run has made a task of it"
    # Windows has no such signal.
    with suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await recorder.record(topics, wanted)


@contextmanager
def _shown(terminal: Terminal, path: Path, *, until_end: bool) -> Iterator[Callable[[Recorder], None]]:
    if terminal.draws_notes and until_end:
        with terminal.progress(path.name, "messages") as bar:
            yield lambda recorder: bar(*recorder.done) if recorder.done[1] else None
        return
    if terminal.draws_notes:
        with terminal.waiting(f"{path.name}: waiting for messages") as say:
            yield lambda recorder: say(_state(recorder))
        return
    begun = time.monotonic()
    next_s = _FIRST_LINE_S

    def progress(recorder: Recorder) -> None:
        nonlocal next_s
        if (now := time.monotonic() - begun) >= next_s:
            next_s = now + min(now, _MOST_BETWEEN_S)
            terminal.note(_state(recorder))

    yield progress


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
