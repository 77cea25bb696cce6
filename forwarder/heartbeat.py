"""Feeds the service manager's watchdog, as long as every part of the service gets on."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from .faults import RepeatingFault
from .idle import WhenIdle
from .observe.load import Load
from .observe.progress import Progress
from .observe.systemd import Notifier
from .pulse import Watched

log = logging.getLogger(__name__)

PATIENCE_S = 20.0
"""How long a part may take for one round before it counts as stuck."""
_PERIOD_S = 1.0


class Heartbeat:
    """Looks at all parts once a second."""

    def __init__(self, notifier: Notifier, idle: WhenIdle, backlog: Callable[[], int]) -> None:
        """`backlog` tells the bytes that wait on disk."""
        self.load = Load(time.monotonic, time.thread_time)
        self.stuck: list[str] = []
        """The loops that do not get on."""
        self.looked_at: float | None = None
        """When that was found out, by the monotonic clock; None before the first time."""
        self.stopping = False
        """Whether loops are being ended, and somebody else sees to it that this has an end."""
        self._notifier = notifier
        self._idle = idle
        self._backlog = backlog
        self._behind = RepeatingFault(log, "Kafka does not take what comes", time.monotonic)

    async def run(self, watched: Sequence[Watched]) -> None:
        """Look until cancelled."""
        progress = Progress(watched, PATIENCE_S)
        period_s = min(self._notifier.watchdog_s / 3 or _PERIOD_S, _PERIOD_S)
        while True:
            self.load.look(period_s, self._idle.waited_s)
            if self._backlog():
                self._behind.occurred("what waits for it goes to disk")
            else:
                self._behind.over()
            self.looked_at = time.monotonic()
            self._look([] if self.stopping else progress.stuck(self.looked_at))
            await asyncio.sleep(period_s)

    def facts(self) -> dict[str, object]:
        """How loaded the event loop is, for the status."""
        load = self.load
        return {
            "busy": round(load.busy, 3),
            "waiting": round(load.waiting, 3),
            "lag_s": round(load.lag_s, 3),
            "overloaded": load.overloaded,
        }

    def _look(self, stuck: list[str]) -> None:
        if stuck != self.stuck:
            log.critical("parts of the service are stuck: %s", ", ".join(stuck) or "none any more")
            self.stuck = stuck
        if not stuck:
            self._notifier.alive()
