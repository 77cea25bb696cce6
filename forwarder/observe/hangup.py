"""SIGHUP: what a service manager, an administrator or logrotate sends to have settings read and files opened again."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

log = logging.getLogger(__name__)

_END_S = 2.0


@contextmanager
def on_hangup(do: Callable[[], None]) -> Iterator[None]:
    """Until the end of the block, call `do` at every SIGHUP, in a thread: it may wait for a disk.

    Signals that come together are one. Where the system has no SIGHUP, as Windows, nothing is ever called.
    """
    number = getattr(signal, "SIGHUP", None)
    if number is None:
        log.info("this system has no SIGHUP: the levels of the log stay as they are until a restart")
        yield
        return
    # The only queue that a signal may interrupt while it is used.
    asked: SimpleQueue[bool] = SimpleQueue()
    thread = threading.Thread(target=_serve, args=(asked, do), name="hangup", daemon=True)
    thread.start()
    before = signal.signal(number, lambda *_: asked.put(True))
    try:
        yield
    finally:
        signal.signal(number, before)
        asked.put(False)
        thread.join(_END_S)


def _serve(asked: SimpleQueue[bool], do: Callable[[], None]) -> None:
    while asked.get():
        while not asked.empty():
            if not asked.get():
                return
        try:
            do()
        except Exception:
            log.exception("what SIGHUP asks for has failed")
