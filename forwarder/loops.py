"""Which event loop a process runs in, and what its exit code is."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from .errors import BadSetting
from .leaving import EXIT_ERROR, Guard
from .settings.types import EventLoop

log = logging.getLogger(__name__)


def serve(make: Callable[[Guard], Coroutine[Any, Any, int]], choice: EventLoop) -> int:
    """Run what is made, which knows the guard of its stop, until it is told to stop; the exit code.

    Raises BadSetting for what shows itself only when it is used.
    """
    # Never released: a process that should be gone must not hang in the end of the interpreter either.
    guard = Guard()
    with asyncio.Runner(loop_factory=loop_factory(choice)) as runner:
        try:
            return runner.run(make(guard))
        except BadSetting:
            raise
        except Exception as error:
            log.critical("a part of the process has failed and could not be mended", exc_info=error)
    return EXIT_ERROR


def loop_factory(choice: EventLoop) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes it. Raises BadSetting where the one that is asked for is not installed."""
    if choice is not EventLoop.ASYNCIO:
        try:
            import uvloop
        except ImportError:
            if choice is EventLoop.UVLOOP:
                raise BadSetting("event-loop: uvloop is not installed; allowed here: auto, asyncio") from None
        else:
            return uvloop.new_event_loop
    return asyncio.new_event_loop
