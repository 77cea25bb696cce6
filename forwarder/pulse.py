"""The sign of life of a loop: it counts its rounds, and goes on counting while it waits for something to happen."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

_SLICE_S = 2.0
"""Longest wait without a beat."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A loop whose rounds are counted."""

    name: str
    beats: Callable[[], int]
    """How often it went round. Goes up all the time, also when there is nothing to do, and when Kafka is away."""
    slowest_s: float = 0.0
    """How long it may wait for something that is away before it goes on."""


class Pulse:
    """Beats as long as its loop is not stuck."""

    def __init__(self) -> None:
        self.beats = 0
        """How often, since the start."""

    def watched(self, name: str, slowest_s: float = 0.0) -> Watched:
        """The same for those who look whether all get on."""
        return Watched(name, lambda: self.beats, slowest_s)

    def beat(self) -> None:
        """Somebody got on."""
        self.beats += 1

    async def sleep(self, seconds: float) -> None:
        """Beat for so long."""
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            self.beats += 1
            await asyncio.sleep(min(left, _SLICE_S))
        self.beats += 1

    async def wait(self, event: asyncio.Event, timeout_s: float | None = None) -> bool:
        """Beat until the event is set; False when it isn't after so many seconds."""
        loop = asyncio.get_running_loop()
        until = None if timeout_s is None else loop.time() + timeout_s
        while not event.is_set():
            self.beats += 1
            left = _SLICE_S if until is None else min(until - loop.time(), _SLICE_S)
            if left <= 0:
                return False
            try:
                async with asyncio.timeout(left):
                    await event.wait()
            except TimeoutError:
                continue
        self.beats += 1
        return True

    async def rest(self) -> NoReturn:
        """Beat, and do nothing else, until cancelled."""
        while True:
            await self.sleep(_SLICE_S)
