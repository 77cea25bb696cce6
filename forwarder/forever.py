"""Background tasks that have to run as long as what they belong to."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, NoReturn


class Ended(RuntimeError):
    """A task that should run for ever has returned, or somebody has cancelled it."""


async def nothing_more() -> NoReturn:
    """What a task does that has done all it had to: wait until it is cancelled."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody sets the result")


async def forever(tasks: Mapping[str, Coroutine[Any, Any, object]]) -> NoReturn:
    """Run all, by name, until cancelled. When one of them ends, however that is, the others are ended too.

    Raises its error, or Ended. A TaskGroup would not notice that one of its tasks was cancelled.
    """
    running = [asyncio.get_running_loop().create_task(task, name=name) for name, task in tasks.items()]
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    errors = [error for task in done if not task.cancelled() and (error := task.exception()) is not None]
    if errors:
        raise errors[0]
    names = ", ".join(sorted(task.get_name() for task in done))
    raise Ended(f"{names} has ended")
