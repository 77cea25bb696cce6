"""Waiting until the event loop has nothing else to do: what comes too fast must not keep the rest from its turn."""

import asyncio
from collections.abc import Callable

_IDLE_TURN_S = 0.0005
"""A turn of the loop that takes less than this had nothing to do."""
_LONGEST_S = 1.0
"""How long one may be kept waiting; so much is read even when the loop is never idle."""


class WhenIdle:
    """Calls back when all else has had its turn."""

    def __init__(self) -> None:
        self.waited_s = 0.0
        """How long somebody was waiting, in all, in seconds; who waits again in his turn has waited all the time."""
        self._waiting: list[Callable[[], None]] = []
        self._since = 0.0
        self._counted_to = 0.0
        self._last_turn = 0.0

    def call(self, callback: Callable[[], None]) -> None:
        """Call this once, in the event loop, after an idle turn of it."""
        self._waiting.append(callback)
        if len(self._waiting) == 1:
            loop = asyncio.get_running_loop()
            self._since = self._last_turn = self._counted_to = loop.time()
            loop.call_soon(self._turn)

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._last_turn > _IDLE_TURN_S and now - self._since < _LONGEST_S:
            self._last_turn = now
            loop.call_soon(self._turn)
            return
        self.waited_s += now - self._counted_to
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()
        if self._waiting:
            self._counted_to = now
