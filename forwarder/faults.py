"""How a fault that repeats is told once."""

import logging
from collections.abc import Callable


class RepeatingFault:
    """A fault that comes again and again: told when it begins, when its reason is a new one, and when it is over."""

    _REASONS = 8
    """Reasons told of one fault; a fault with more of them has one in every message, and is only counted."""

    def __init__(
        self, log: logging.Logger, what: str, clock: Callable[[], float], level: int = logging.WARNING
    ) -> None:
        """`what` is broken, in words that begin a line; `clock` gives seconds that never go back."""
        self._log = log
        self.what = what
        self._clock = clock
        self._level = level
        self._since = 0.0
        self._last = 0.0
        self._told: set[str] = set()
        self.count = 0
        """How often it occurred since it began; 0: all is well."""
        self.reason = ""
        """The newest; empty when all is well."""

    def occurred(self, reason: object) -> None:
        """It happened. `reason` is a text or an exception."""
        self._last = self._clock()
        if not self.count:
            self._since = self._last
        self.count += 1
        text = self.reason = str(reason) or type(reason).__name__
        if text not in self._told and len(self._told) < self._REASONS:
            self._told.add(text)
            self._log.log(self._level, "%s: %s", self.what, text)

    @property
    def lasts_s(self) -> float:
        """For how long there has been trouble; 0 when all is well."""
        return self._clock() - self._since if self.count else 0.0

    def over(self) -> None:
        """It works again. May be called at every success."""
        if self.count:
            lasted = self._clock() - self._since
            self._log.log(self._level, "%s: over after %.1f s, occurred %d times", self.what, lasted, self.count)
            self.count = 0
            self.reason = ""
            self._told.clear()

    def over_if_quiet(self, for_s: float) -> None:
        """For a fault whose end shows in nothing else: it is over when it has not occurred for so many seconds."""
        if self.count and self._clock() >= self._last + for_s:
            self.over()
