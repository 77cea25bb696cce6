"""One source of what is wanted, as it is heard: its last good value, and what was wrong with others."""

import logging
from collections import Counter
from collections.abc import Callable

from forwarder.faults import RepeatingFault

from .wanted import Source

log = logging.getLogger(__name__)


class Feed:
    """Takes what a source says. What is wrong is told once, counted, and changes nothing."""

    def __init__(
        self, source: Source, wants: Callable[[Source, tuple[str, ...]], bool], clock: Callable[[], float], what: str
    ) -> None:
        """`wants` takes the PVs of a good value and says whether they are new; `what` begins a line of the log."""
        self.source = source
        self.changes = 0
        """Good values that were not those of before."""
        self.bad = Counter[str]()
        """Values, or names or rows in one, that were not believed, by what was wrong."""
        self.reconnects = 0
        """How often it was back after it had been away."""
        self.connected = False
        self._wants = wants
        self._clock = clock
        self._good_at: float | None = None
        self._away = RepeatingFault(log, what, clock)
        self._wrong = RepeatingFault(log, f"{what}: what can't be believed is left out", clock)

    @property
    def problem(self) -> str:
        """What is wrong now; empty when all is well."""
        return self._away.reason or self._wrong.reason

    @property
    def age_s(self) -> float | None:
        """How long ago the last good value came; None before the first."""
        return None if self._good_at is None else self._clock() - self._good_at

    def good(self, pvs: tuple[str, ...], *, all_of_it: bool = True) -> None:
        """It wants these; `all_of_it`: nothing else that it says is wrong."""
        self._good_at = self._clock()
        if all_of_it:
            self._wrong.over()
        if self._wants(self.source, pvs):
            self.changes += 1
            log.info("%s: %d PVs are wanted", self.source.value, len(pvs))

    def wrong(self, kind: str, reason: object, count: int = 1) -> None:
        """What it says can't be believed, or not all of it; `kind` is one of a few words."""
        self.bad[kind] += count
        self._wrong.occurred(reason)

    def away(self, reason: object) -> None:
        """It can't be heard."""
        self.connected = False
        self._away.occurred(reason)

    def back(self) -> None:
        """It is heard; may be called at every sign of it."""
        if self._away.count:
            self.reconnects += 1
        self.connected = True
        self._away.over()
