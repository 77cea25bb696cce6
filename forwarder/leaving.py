"""How the process is told to stop, and how it ends when the stop itself hangs."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
    """Ends the process when a stop takes too long, even when its event loop hangs."""

    def __init__(self, leave: Callable[[str], None] = leave_at_once) -> None:
        self._leave = leave
        self._timer: threading.Timer | None = None

    def stand(self, after_s: float) -> None:
        """Leave so many seconds after this was called for the first time, unless released."""
        if self._timer is None:
            self._timer = threading.Timer(after_s, self._leave, [f"the stop has taken {after_s:g} s"])
            self._timer.daemon = True
            self._timer.start()

    def release(self) -> None:
        """There is nothing to guard any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@contextmanager
def stop_signals(stop: Callable[[], object]) -> Iterator[None]:
    """The first SIGTERM or SIGINT calls `stop`, in the main thread; a second one ends the process at once."""
    told = False

    def received(*_: object) -> None:
        nonlocal told
        if told:
            leave_at_once("told to stop a second time")
        told = True
        stop()

    # Not by the event loop, which may be what hangs. One that sleeps is woken by the signal.
    before = {number: signal.signal(number, received) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
