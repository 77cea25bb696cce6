"""What the service consists of while it runs, and what tells that each part of it gets on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .pulse import Watched


@dataclass(frozen=True, slots=True)
class Part:
    """Something that runs as long as the service does."""

    name: str
    run: Callable[[], Awaitable[object]]
    """Ends only when it is cancelled or dies."""
    watched: tuple[Watched, ...] = ()
    """All loops of it that have to get on; only the heartbeat, which watches the others, has none."""
