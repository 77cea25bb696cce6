"""What waits for Kafka on disk: from the opening of the spool at the start to what is put there at the stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from .errors import BadSetting
from .kafka.partitions import partition_of
from .kafka.spool import Spool, SpoolInUse, SpoolUnavailable, StoredRow
from .outbox import Lane, Outbox
from .parts import Part
from .pulse import Pulse
from .settings.types import SpoolSettings
from .spooling import Spooling

log = logging.getLogger(__name__)

_SAVE_AGAIN_S = 0.2
"""How long after a write has failed at the stop it is tried again."""


class Keeping:
    """The spool of one service, and what moves messages there and back. Without a directory there is none."""

    def __init__(self, settings: SpoolSettings, outbox: Outbox, tick: Callable[[], Awaitable[None]]) -> None:
        self.pulse = Pulse()
        self._settings = settings
        self._outbox = outbox
        self._tick = tick
        self._spool: Spool | None = None
        self._spooling: Spooling | None = None

    @property
    def bytes(self) -> int:
        """On disk, about."""
        return self._spooling.bytes if self._spooling else 0

    @property
    def problem(self) -> str:
        """Why nothing can be written there now; empty when all is well."""
        return self._spool.problem if self._spool else "there is none, as the settings say"

    async def open(self) -> None:
        """Find what an earlier run has left. Raises BadSetting when another process has the directory."""
        settings = self._settings
        if settings.directory is None:
            return
        spool = self._spool = Spool(settings.directory, self._found_late)
        try:
            rows = await spool.open()
        except SpoolInUse as error:
            raise BadSetting(f"spool-directory: {error}; allowed: a directory of this instance alone") from None
        except SpoolUnavailable:
            log.error("what waits for Kafka stays in memory, until the spool can be opened")
        else:
            self._restore(spool, rows)

    def parts(self) -> list[Part]:
        """What keeps it going."""
        if self._spool is None:
            return []
        return [
            Part("spool", self._spool.run, (self._spool.pulse.watched("spool"),)),
            Part("spooling", self.run, (self.pulse.watched("spooling"),)),
        ]

    async def run(self) -> None:
        """Move what is due until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self.pulse.beat()
            await self._tick()
            if self._spooling is not None:
                self._spooling.look(loop.time())

    def _found_late(self, rows: list[StoredRow]) -> None:
        assert self._spool is not None
        log.warning("the spool is open: what waits for Kafka goes to disk")
        self._restore(self._spool, rows)

    def _restore(self, spool: Spool, rows: list[StoredRow]) -> None:
        first = 1 + max((row.identifier for row in rows), default=0)
        self._spooling = Spooling(self._outbox, spool, self._settings, partition_of, first)
        self._spooling.restore(rows)
        if rows:
            messages = sum(row.count for row in rows)
            log.warning("%d messages of an earlier run are in the spool and are sent first", messages)

    async def keep(self, lanes: Iterable[Lane], deadline: float) -> int:
        """Put all that is in memory only on disk, until a time of the event loop; how many messages are there then."""
        if self._spooling is None:
            return 0
        lanes = list(lanes)
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while True:
                    self._spooling.save_all(lanes, loop.time())
                    while self._spooling.pending:
                        await self._tick()
                    if all(lane.oldest() is None for lane in lanes):
                        break
                    # The disk may take it yet: one write that fails takes all that were asked for with it.
                    await asyncio.sleep(_SAVE_AGAIN_S)
        return sum(lane.on_disk for lane in lanes)

    def facts(self) -> dict[str, Any]:
        """How it is, for the status."""
        facts: dict[str, Any] = {"problem": self.problem}
        if self._spooling is not None:
            facts |= {"bytes": self._spooling.bytes, "rows_being_written": self._spooling.pending}
        return facts

    async def close(self, deadline: float) -> None:
        """Finish what was begun, until a time of the event loop."""
        if self._spool is not None:
            await self._spool.close(max(deadline - asyncio.get_running_loop().time(), 0.0))
