"""Which event loop a process runs in."""

import asyncio
from collections.abc import Callable

from .errors import BadSetting
from .settings.types import EventLoop


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
