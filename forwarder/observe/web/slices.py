"""Work on many PVs in slices, so that between them the event loop has its turn with what comes."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Item = TypeVar("Item")

_SLICE_S = 0.002
_LOOK_EACH = 50


async def in_slices(items: Iterable[Item]) -> AsyncIterator[list[Item]]:
    """The items in small lists; the loop has had its turn before each one that would take too long with the last."""
    began = time.perf_counter()
    some: list[Item] = []
    for item in items:
        some.append(item)
        if len(some) == _LOOK_EACH:
            yield some
            some = []
            if time.perf_counter() - began > _SLICE_S:
                await asyncio.sleep(0)
                began = time.perf_counter()
    if some:
        yield some
