"""The demo from its first process to its last."""

import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from tempfile import TemporaryDirectory

from rich.console import Console

from forwarder.demo.broker import EmbeddedBroker
from forwarder.demo.child import Child
from forwarder.demo.consumer import TopicReader
from forwarder.demo.ioc import pv_names
from forwarder.demo.parts import (
    CONFIG,
    DATA,
    PREFIX,
    STATUS,
    places,
    start_blocks,
    start_forwarder,
    start_ioc,
    start_neutrons,
)
from forwarder.demo.picture import Picture
from forwarder.demo.search import wait_until_served
from forwarder.demo.stop import StopSignals
from forwarder.demo.table import Display, display
from forwarder.demo.verdict import Verdict, judge

_READY_WITHIN_S = 30.0
_STOPPED_WITHIN_S = 20.0
_READ_WITHIN_S = 10.0
_POLL_S = 0.1


def run(seconds: float | None) -> int:
    """Run for so long, or until Ctrl-C. Gives the exit code: 0 if every update arrived."""
    console = Console()
    try:
        with StopSignals() as stop:
            verdict = _watch(console, stop, seconds)
    except (TimeoutError, RuntimeError) as error:
        _say(console, f"demo: {error}")
        return 1
    for text in (*verdict.complaints, verdict.summary):
        _say(console, text)
    return 1 if verdict.complaints else 0


def _watch(console: Console, stop: StopSignals, seconds: float | None) -> Verdict:
    picture = Picture()
    with ExitStack() as opened:
        broker = opened.enter_context(EmbeddedBroker())
        for topic in (CONFIG, STATUS, *DATA):
            broker.create_topic(topic)
        directory = opened.enter_context(TemporaryDirectory(prefix="forwarder-demo-"))
        at = places(broker.address, directory, time.time())
        parts = [opened.enter_context(start(at)) for start in (start_ioc, start_forwarder, start_neutrons)]
        ioc, forwarder, _ = parts
        for text in at.hints:
            _say(console, f"demo: {text}")
        reader = opened.enter_context(TopicReader(broker.address, [STATUS, *DATA]))
        wait_until_served(
            pv_names(PREFIX)[0], at.ca_port, deadline_s=_READY_WITHIN_S, still_alive=lambda: ioc.exit_code is None
        )
        with display(console) as shown:

            def follow(until: Callable[[], bool]) -> None:
                _follow(reader, picture, shown, until)

            give_up = time.monotonic() + _READY_WITHIN_S
            follow(lambda: picture.obeyed or _is_over(parts, stop) or time.monotonic() > give_up)
            # What is said before the forwarder listens has to be said again, which takes longer.
            parts.append(opened.enter_context(start_blocks(at)))
            follow(lambda: picture.updates > 0 or _is_over(parts, stop) or time.monotonic() > give_up)
            if picture.updates:
                end = float("inf") if seconds is None else time.monotonic() + seconds
                follow(lambda: time.monotonic() > end or _is_over(parts, stop))
            for part in parts:
                if part.exit_code is not None:
                    raise RuntimeError(f"{part.name} ended by itself; its log ends:\n{part.log_tail()}")

            # First of all, while everything it needs is still there: it has to send what it holds.
            forwarder.send(signal.SIGTERM)
            give_up = time.monotonic() + _STOPPED_WITHIN_S
            follow(lambda: forwarder.exit_code is not None or time.monotonic() > give_up)
            exit_code = forwarder.wait(0)
            for message in reader.read_to_end(_READ_WITHIN_S):
                picture.take(message, time.monotonic())
        return judge(picture.status, picture.updates, exit_code)


def _follow(reader: TopicReader, picture: Picture, shown: Display, until: Callable[[], bool]) -> None:
    """Read and show what comes, until it is enough."""
    while not until():
        for message in reader.read(_POLL_S):
            picture.take(message, time.monotonic())
        shown.show(picture, time.monotonic())


def _is_over(parts: Sequence[Child], stop: StopSignals) -> bool:
    return stop.requested or any(part.exit_code is not None for part in parts)


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
