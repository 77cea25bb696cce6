"""Keeps the parts of the service running: one that dies is started again; one that keeps dying ends the service."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from forwarder.errors import BadSetting
from forwarder.forever import Ended
from forwarder.parts import Part

log = logging.getLogger(__name__)

_REST_S = (0.1, 5.0)
"""First and longest pause before a part is started again."""
_STABLE_S = 60.0
_MOST_DEATHS = 10
"""In that time; after them, starting it again is no cure."""


class GaveUp(RuntimeError):
    """A part died again and again."""


@dataclass(slots=True)
class Supervision:
    """What became of the parts."""

    deaths: Counter[str] = field(default_factory=Counter[str])
    """How often each part has died; 0 for one that never has."""

    def keep_all(self, parts: Iterable[Part]) -> list[asyncio.Task[NoReturn]]:
        """A task for each part, which keeps it running."""
        loop = asyncio.get_running_loop()
        return [loop.create_task(self.keep(part.name, part.run), name=f"keep {part.name}") for part in parts]

    async def keep(self, name: str, run: Callable[[], Awaitable[object]]) -> NoReturn:
        """Run a part until cancelled, and again whenever it ends.

        Raises BadSetting as it comes, since no repetition mends one, and GaveUp when the part keeps dying.
        """
        self.deaths.setdefault(name, 0)
        clock = asyncio.get_running_loop().time
        died: deque[float] = deque(maxlen=_MOST_DEATHS)
        while True:
            error = await _end_of(name, run)
            if isinstance(error, BadSetting):
                raise error
            self.deaths[name] += 1
            now = clock()
            if len(died) == _MOST_DEATHS and now - died[0] < _STABLE_S:
                raise GaveUp(f"{name} has died {_MOST_DEATHS + 1} times within {_STABLE_S:g} s") from error
            recent = sum(now - each < _STABLE_S for each in died)
            died.append(now)
            log.critical("%s has died and is started again", name, exc_info=error)
            await asyncio.sleep(min(_REST_S[0] * 2**recent, _REST_S[1]))


async def _end_of(name: str, run: Callable[[], Awaitable[object]]) -> Exception:
    """Why a part ended, when it has."""

    async def awaited() -> None:
        await run()

    part = asyncio.get_running_loop().create_task(awaited(), name=name)
    try:
        # The wait is cancelled with the service; a part that is cancelled by itself has died.
        await asyncio.wait([part])
    finally:
        part.cancel()
        await asyncio.gather(part, return_exceptions=True)
    if part.cancelled():
        return Ended("it was cancelled")
    error = part.exception()
    if isinstance(error, Exception):
        return error
    if error is not None:
        raise error
    return Ended("it returned")
