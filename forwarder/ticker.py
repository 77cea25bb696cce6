"""The one beat of the service: at each tick, sockets that were held are read, and then everything is sent.

A wake-up of the loop costs more than reading a hundred updates. So a socket that has just been read is held back until
the next tick, when its updates come in one read with all that followed; and they leave at the same tick, so that the
beat adds its period to the latency once.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

_SHORTEST_PERIOD_S = 0.001


class Readable(Protocol):
    """What the service has to know of a transport."""

    def is_closing(self) -> bool: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Ticker:
    """Ticks at its period while anything is held, and seldom while nothing is."""

    def __init__(
        self, period_s: float, idle_period_s: float = 0.1, when_idle: Callable[[Callable[[], None]], None] | None = None
    ) -> None:
        """`when_idle` calls back when the loop has nothing else to do; without it, that is at once."""
        self._when_idle = when_idle
        self._period_s = max(period_s, _SHORTEST_PERIOD_S)
        self._idle_period_s = max(period_s, idle_period_s)
        self.beats = 0
        """Ticks since the start."""
        self._held: list[Readable] = []
        self._busy = asyncio.Event()
        self._next: asyncio.Future[None] | None = None

    def hold(self, transport: Readable | None, flows: bool = False) -> None:
        """Something has come: do not read this transport until the next tick. None: there is nothing to hold back.

        One that flows is read again as soon as all else has had its turn.
        """
        self._busy.set()
        if transport is None or transport.is_closing():
            return
        if not flows:
            transport.pause_reading()
            self._held.append(transport)
        elif self._when_idle is not None:
            transport.pause_reading()
            self._when_idle(partial(_resume, transport))

    async def tick(self) -> None:
        """Wait until everything that was held has been read at the next tick."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._next)

    async def run(self) -> None:
        """Tick until cancelled."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            self.beats += 1
            if not self._busy.is_set():
                await self._idle(last + self._idle_period_s)
            due = max(last + self._period_s, loop.time())
            await asyncio.sleep(due - loop.time())
            last = due
            self._busy.clear()
            await self._read()
            waiting, self._next = self._next, None
            if waiting is not None:
                waiting.set_result(None)

    async def _idle(self, until: float) -> None:
        try:
            async with asyncio.timeout_at(until):
                await self._busy.wait()
        except TimeoutError:
            return

    async def _read(self) -> None:
        held, self._held = self._held, []
        for transport in held:
            _resume(transport)
        # One turn of the loop polls the sockets, and the next runs after what they brought has been taken in.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def _resume(transport: Readable) -> None:
    if not transport.is_closing():
        transport.resume_reading()
