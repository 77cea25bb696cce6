"""How the process is told to stop, and how it ends when the stop itself hangs."""

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

log = logging.getLogger(__name__)

EXIT_ERROR = 1
EXIT_LOST = 3
"""It stopped as told, but not all that had been received could be sent or kept before the deadline."""

_LAST_WORD_S = 0.2
"""How long the last line of the log may take: where it is written may be what hangs."""


def leave_at_once(why: str) -> None:
    """End the process from whichever thread this is, whatever else goes on in it."""

    def tell() -> None:
        log.critical("%s: leaving at once", why)
        logging.shutdown()

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    teller.join(_LAST_WORD_S)
    os._exit(EXIT_ERROR)


class Guard:
    """A thread that ends the process when a stop takes too long, even when the event loop hangs.

    Its methods may be called in a signal's handler: they only put something into a queue.
    """

    def __init__(self, leave: Callable[[str], None] = leave_at_once) -> None:
        self.since: float | None = None
        """When the stop began, by the monotonic clock; None while nobody said so."""
        self._leave = leave
        self._orders: SimpleQueue[tuple[float, str] | None] = SimpleQueue()
        threading.Thread(target=self._run, name="guard", daemon=True).start()

    def stand(self, after_s: float) -> None:
        """Leave so many seconds after this was called for the first time, unless released."""
        if self.since is None:
            self.since = time.monotonic()
            self._orders.put((self.since + after_s, f"the stop has taken {after_s:g} s"))

    def leave(self, why: str) -> None:
        """Leave now."""
        self._orders.put((time.monotonic(), why))

    def release(self) -> None:
        """There is nothing to guard any more."""
        self._orders.put(None)

    def _run(self) -> None:
        order = self._orders.get()
        while order is not None:
            at, why = order
            try:
                order = self._orders.get(timeout=max(at - time.monotonic(), 0.0))
            except Empty:
                self._leave(why)
                return


_TO_STOP = tuple(number for name in ("SIGTERM", "SIGINT", "SIGBREAK") if (number := getattr(signal, name, None)))
"""SIGBREAK is Windows's Ctrl-Break; its Ctrl-C is SIGINT."""


@contextmanager
def stop_signals(first: Callable[[], object], second: Callable[[str], None]) -> Iterator[None]:
    """Call this in the main thread at the first SIGTERM, Ctrl-C or Ctrl-Break, that with the reason at a second one."""
    told = False

    def received(*_: object) -> None:
        nonlocal told
        if told:
            second("told to stop a second time")
        else:
            told = True
            first()

    # Not by the event loop, which may be what hangs. One that sleeps is woken by the signal.
    before = {number: signal.signal(number, received) for number in _TO_STOP}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stopped_by_signals(stop: asyncio.Event, guard: Guard, within_s: float) -> Iterator[None]:
    """At the first signal `stop` is set and the guard stands, for so many seconds; a second one leaves now."""
    loop = asyncio.get_running_loop()

    def told() -> None:
        guard.stand(within_s)
        loop.call_soon_threadsafe(stop.set)

    with stop_signals(told, guard.leave):
        yield
