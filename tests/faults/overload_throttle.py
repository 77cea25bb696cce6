"""Processes that get less of a core than they want, as in a container with a limit, or that answer seldom."""

import os
import signal
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from benchmarks.measure import cpu_ns

_LOOK_S = 0.005
_SAVED_S = 0.01
"""CPU time that may be saved up while less than allowed is used."""
_LONGEST_STOP_S = 0.2


class _Background:
    """Does something to a process from a thread until it is told to end; then the process goes on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"throttle of {pid}")

    def _run(self) -> None:
        raise NotImplementedError

    def _stop_for(self, seconds: float) -> None:
        os.kill(self._pid, signal.SIGSTOP)
        self._over.wait(seconds)
        os.kill(self._pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)


class Throttle(_Background):
    """Stops a process with SIGSTOP whenever it has used more than its share, and lets it go on when that is made up.

    The same on any machine and under any load, as it goes by the CPU time that the process has really had.
    """

    def __init__(self, pid: int, share: float) -> None:
        """`share` is the part of one core that it may use; it may be changed at any time."""
        super().__init__(pid)
        self.share = share

    def _run(self) -> None:
        then, used = time.monotonic(), cpu_ns(self._pid)
        left_s = 0.0
        while not self._over.is_set():
            now, cpu = time.monotonic(), cpu_ns(self._pid)
            left_s = min(left_s + self.share * (now - then) - (cpu - used) / 1e9, _SAVED_S)
            then, used = now, cpu
            if left_s > 0:
                self._over.wait(_LOOK_S)
                continue
            self._stop_for(min(-left_s / self.share, _LONGEST_STOP_S))


class Seldom(_Background):
    """Lets a process run for a moment only, again and again: it gives a few answers in each of them."""

    def __init__(self, pid: int, every_s: float, for_s: float) -> None:
        super().__init__(pid)
        self.every_s = every_s
        """May be changed at any time."""
        self._for_s = for_s

    def _run(self) -> None:
        while not self._over.wait(self._for_s):
            self._stop_for(self.every_s - self._for_s)
