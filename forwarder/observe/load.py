"""How much of a core the event loop needs, and whether that is all there is."""

import logging
from collections.abc import Callable

from forwarder.faults import RepeatingFault

log = logging.getLogger(__name__)

_FULL = 0.95
"""Part of a core from which on updates may come faster than they are taken."""
_FREE = 0.85
_LATE = 0.3
"""Part of the time in which updates wait or the loop is late; a process that gets less than a core never uses all of
one."""
_LOOKS = 3
"""So many more looks find it full than free until it is more than a burst, and the other way round until it is over."""


class Load:
    """Looks at the loop's own thread. To be asked about once a second, in the loop."""

    def __init__(self, clock: Callable[[], float], cpu: Callable[[], float]) -> None:
        """Both in seconds: a clock that never goes back, and the CPU time of the calling thread."""
        self.busy = 0.0
        """Part of a core that was used since the look before."""
        self.lag_s = 0.0
        """How much later than asked for the last look came."""
        self.waiting = 0.0
        """Part of the time in which updates had to wait for the loop."""
        self.overloaded = False
        self._waited_s = 0.0
        self._clock = clock
        self._cpu = cpu
        self._before = clock(), cpu()
        self._full_looks = 0
        self._fault = RepeatingFault(log, "the core of the event loop is full", clock)

    def look(self, asked_s: float, waited_s: float = 0.0) -> None:
        """Measure since the look before; `asked_s` is how long that was meant to be.

        `waited_s` is how long what comes had to wait for the loop to have nothing else to do, since the start.
        """
        now, cpu = self._clock(), self._cpu()
        then, cpu_then = self._before
        self._before = now, cpu
        elapsed_s = max(now - then, 1e-9)
        self.busy = min((cpu - cpu_then) / elapsed_s, 1.0)
        self.lag_s = max(0.0, elapsed_s - asked_s)
        self.waiting = min((waited_s - self._waited_s) / elapsed_s, 1.0)
        self._waited_s = waited_s
        full = self.busy >= _FULL or self.waiting + self.lag_s / elapsed_s >= _LATE
        if full:
            self._full_looks = min(self._full_looks + 1, _LOOKS)
        elif self.busy < _FREE:
            self._full_looks = max(self._full_looks - 1, 0)
        if self._full_looks >= _LOOKS:
            self.overloaded = True
            self._fault.occurred("updates may wait with their servers, which merge them then")
        elif self.overloaded and not self._full_looks:
            self.overloaded = False
            self._fault.over()
