"""The stop, in order: nothing comes any more, all is sent, the rest is kept, and the last status says so."""

import asyncio
import logging
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

KEPT_S = 10.0
"""How long the disk may take at the stop for what could not be sent."""
STORED_S = 3.0
"""How long the last state may take to be stored."""
_LAST_STATUS_S = 2.0
"""How long the last status, and only that, may take to be sent."""
_LATEST_END_S = 10.0
"""How much longer than all that the stop may take until the process ends at once."""


def longest_stop_s(timeout_s: float) -> float:
    return timeout_s + KEPT_S + STORED_S + _LAST_STATUS_S + _LATEST_END_S


@dataclass(frozen=True, slots=True)
class Stopping:
    """What has to be brought to its end."""

    timeout_s: float
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
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.timeout_s
        senders = [sender for label, sender in self.senders.items() if label != STATUS]
        # The status in the data's cluster need not be waited for: it is replaced by the last one.
        await asyncio.gather(*(sender.drained(deadline, reporting.data_lanes()) for sender in senders))
        lost = await self._keep_the_rest()
        if self.storage is not None:
            await self.storage.flush(loop.time() + STORED_S)
        lane = reporting.lane
        if lane is not None:
            reporting.send_status("stopped")
            await self.senders[lane.broker].drained(loop.time() + _LAST_STATUS_S, [lane])
        log.info("stopped: %s", reporting.statistics())
        return lost

    async def _close_sources(self, feeding: Iterable[asyncio.Task[Any]]) -> None:
        for task in feeding:
            task.cancel()
        await asyncio.gather(*feeding, return_exceptions=True)
        for client in self.clients.values():
            await client.close()

    async def _keep_the_rest(self) -> int:
        """Put on disk what could not be sent; how many messages are neither sent nor there."""
        if not self.reporting.waiting():
            return 0
        kept = await self.keeping.keep(self.reporting.data_lanes(), asyncio.get_running_loop().time() + KEPT_S)
        if kept:
            log.warning("%d messages are kept in the spool for the next start", kept)
        lost = self.reporting.waiting() - kept
        if lost:
            log.error("%d messages could not be sent within %g s and are lost", lost, self.timeout_s)
        return lost
