"""Asks the instrument's database, now and then, for the PVs that are flagged for archiving."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from forwarder.errors import BadSetting
from forwarder.pulse import Pulse
from forwarder.settings.blocks.types import DatabaseSettings

from .archive import MOST_PVS, Steady
from .feed import Feed

QUERY = "SELECT pvname, value FROM iocdb.pvinfo WHERE infoname='archive'"
_WITHIN_S = 10.0
"""For the connection, and for the answer."""
_MOST_ROWS = 2 * MOST_PVS
_SOONEST_S = 5.0
"""A database that is away is asked again after so long at the latest."""


class Database:
    """One look each period, with a connection of its own: nothing is held open that could go stale."""

    def __init__(self, settings: DatabaseSettings, feed: Feed, before: Iterable[str] = ()) -> None:
        """`before` are the PVs that it named last. Raises BadSetting if the library for it is not installed."""
        try:
            import aiomysql
        except ImportError:
            raise BadSetting(
                "archive: the module aiomysql is not installed; "
                "allowed: to install epics-kafka-forwarder[archive], or --no-archive"
            ) from None
        self.pulse = Pulse()
        self.slowest_s = 2 * _WITHIN_S
        self._library: Any = aiomysql
        self._settings = settings
        self._feed = feed
        self._steady = Steady(before)

    async def run(self) -> None:
        """Ask until cancelled."""
        period_s = self._settings.period_s
        while True:
            heard = await self._look()
            await self.pulse.sleep(period_s if heard else min(period_s, _SOONEST_S))

    async def _look(self) -> bool:
        try:
            rows = await self._rows()
        except Exception as error:  # noqa: BLE001  (the library raises all kinds where no database answers)
            self._feed.away(f"{self._place}: {self._reason(error)}")
            return False
        self._feed.back()
        if len(rows) > _MOST_ROWS:
            self._feed.wrong("rows", f"more than {_MOST_ROWS} rows, which are the most expected")
            return True
        # Thousands of rows must not keep a change of the blocks waiting.
        found = await asyncio.to_thread(self._steady.seen, rows)
        if found.bad_rows and not found.pvs:
            self._feed.wrong("rows", found.first_bad, found.bad_rows)
            return True
        self._feed.good(found.pvs, all_of_it=not found.bad_rows)
        if found.bad_rows:
            self._feed.wrong("rows", found.first_bad, found.bad_rows)
        return True

    @property
    def _place(self) -> str:
        settings = self._settings
        return f"the database at {settings.host}:{settings.port}" if settings.port else f"the database {settings.host}"

    async def _rows(self) -> list[tuple[object, object]]:
        settings = self._settings
        where = {"host": settings.host, "port": settings.port} if settings.port else {"unix_socket": settings.host}
        async with asyncio.timeout(_WITHIN_S):
            connection = await self._library.connect(
                **where, user=settings.user, password=settings.password, charset="utf8mb4", connect_timeout=_WITHIN_S
            )
        try:
            async with asyncio.timeout(_WITHIN_S), connection.cursor() as cursor:
                await cursor.execute(f"{QUERY} LIMIT {_MOST_ROWS + 1}")
                rows = list(await cursor.fetchall())
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await connection.ensure_closed()
            return rows
        finally:
            connection.close()

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return "no answer in time"
        # The library's errors have a number first; one that it did not mean to raise has several lines, or says little.
        text = " ".join(str(error.args[-1] if error.args else "").split())
        if isinstance(error, (self._library.MySQLError, OSError, RuntimeError)) and text:
            return text
        return f"what answers is no database that is understood ({type(error).__name__}: {text})"
