"""The stop, in order: nothing comes any more, all is sent, the rest is kept, and the last status says so.

It has one deadline for all of that. Each step has to be over when a share of the whole time has passed, so that what
hangs leaves the others their time, and some steps may not take as long as that.
"""

import asyncio
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .clusters import STATUS
from .epics.interface import Client
from .kafka.sender import Sender
from .kafka.storage_topic import StorageTopic
from .keeping import Keeping
from .model import Transport
from .reporting import Reporting

log = logging.getLogger(__name__)

GRACE_S = 0.5
"""How long after its deadline a stop is ended by force."""
_SILENT, _SENT, _KEPT, _SAID, _CLOSED = 0.2, 0.6, 0.8, 0.9, 1.0
"""Parts of the whole time after which nothing may come any more, sending ends, what is left is on disk, the last status
is sent, and everything is closed."""
_MOST_KEPT_S = 10.0
_MOST_STORED_S = 3.0
"""For the state: without it, the next start obeys the newest commands once more."""
_MOST_SAID_S = 2.0


@dataclass(frozen=True, slots=True)
class Budget:
    """The time that the stop has."""

    began: float
    """A time of the event loop."""
    total_s: float

    def until(self, share: float, most_s: float = math.inf) -> float:
        """When this share of it has passed, or so many seconds from now: whichever comes first."""
        return min(self.began + share * self.total_s, asyncio.get_running_loop().time() + most_s)

    @property
    def end(self) -> float:
        """When everything has to be closed."""
        return self.until(_CLOSED)


@dataclass(frozen=True, slots=True)
class Stopping:
    """What has to be brought to its end."""

    budget: Budget
    clients: Mapping[Transport, Client]
    senders: Mapping[str, Sender]
    keeping: Keeping
    storage: StorageTopic | None
    reporting: Reporting

    async def finish(self, feeding: Sequence[asyncio.Task[Any]]) -> int:
        """Close what feeds the outbox, then send what is in it; how many messages could neither be sent nor kept."""
        reporting = self.reporting
        log.info("stopping: %d messages are still to be acknowledged", reporting.waiting())
        await self._close_sources(feeding)
        await asyncio.gather(self._send(), self._store())
        lost = await self._keep_the_rest()
        lane = reporting.lane
        if lane is not None:
            reporting.send_status("stopped")
            await self.senders[lane.broker].drained(self.budget.until(_SAID, _MOST_SAID_S), [lane])
        log.info("stopped: %s", reporting.statistics())
        return lost

    async def _close_sources(self, feeding: Iterable[asyncio.Task[Any]]) -> None:
        for task in feeding:
            task.cancel()
        loop = asyncio.get_running_loop()
        closing = [loop.create_task(client.close()) for client in self.clients.values()]
        await ended([*feeding, *closing], self.budget.until(_SILENT))

    async def _send(self) -> None:
        lanes = self.reporting.data_lanes()
        senders = [sender for label, sender in self.senders.items() if label != STATUS]
        # The status in the data's cluster need not be waited for: it is replaced by the last one.
        await asyncio.gather(*(sender.drained(self.budget.until(_SENT), lanes) for sender in senders))

    async def _store(self) -> None:
        if self.storage is not None:
            await self.storage.flush(self.budget.until(_SENT, _MOST_STORED_S))

    async def _keep_the_rest(self) -> int:
        """Put on disk what could not be sent; how many messages are neither sent nor there."""
        if not self.reporting.waiting():
            return 0
        kept = await self.keeping.keep(self.reporting.data_lanes(), self.budget.until(_KEPT, _MOST_KEPT_S))
        if kept:
            log.warning("%d messages are kept in the spool for the next start", kept)
        lost = self.reporting.waiting() - kept
        if lost:
            log.error("%d messages could neither be sent nor kept within %g s and are lost", lost, self.budget.total_s)
        return lost


async def ended(tasks: Sequence[asyncio.Task[Any]], until: float) -> None:
    """Wait for the end of tasks, however that is, but no longer than until a time of the event loop."""
    awaited = [task for task in tasks if not task.done()]
    if not awaited:
        return
    done, late = await asyncio.wait(awaited, timeout=max(until - asyncio.get_running_loop().time(), 0.0))
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s has failed at its end", task.get_name(), exc_info=error)
    if late:
        log.error("these do not end in time: %s", ", ".join(sorted(task.get_name() for task in late)))
