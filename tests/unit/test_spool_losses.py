"""A full spool gives up its oldest rows, and says of which PVs they were."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from forwarder import spooling
from forwarder.flights import Row
from forwarder.kafka.spool import Spool
from forwarder.outbox import Lane, Outbox
from forwarder.settings.types import SpoolSettings
from forwarder.spooling import Spooling

ROW_BYTES = 1_000_000
PATIENCE_S = 10.0


class Filling:
    """Rows of one topic that nobody takes, over a real file; each has its value's bytes as its size."""

    def __init__(self, spool: Spool, rows: int) -> None:
        self.outbox = Outbox(10**9)
        self.lane: Lane = self.outbox.lane("", "data")
        self.spooling = Spooling(self.outbox, spool, SpoolSettings(None, rows * (ROW_BYTES + 100), 0.0), lambda *_: 0)
        self._now = 0.0

    def append(self, *keys: bytes) -> None:
        for key in keys:
            self.lane.append((key, b"\0\0\0\0f142" + bytes(ROW_BYTES // len(keys)), 0))

    async def until(self, predicate: Callable[[], object]) -> None:
        """Look again and again, as the service does."""
        async with asyncio.timeout(PATIENCE_S):
            while not predicate():
                self._now += 1.0
                self.lane.collect(lambda *_: 0, self._now)
                self.spooling.look(self._now)
                await asyncio.sleep(0.005)

    async def write(self, *keys: bytes) -> None:
        """One more row."""
        self.append(*keys)
        on_disk = self.lane.on_disk + self.lane.dropped.total() + len(keys)
        await self.until(lambda: self.lane.on_disk + self.lane.dropped.total() == on_disk)


def filled(tmp_path: Path, rows: int, test: Callable[[Filling], Awaitable[None]]) -> None:
    async def main() -> None:
        spool = Spool(tmp_path)
        await spool.open()
        filling = Filling(spool, rows)
        try:
            await test(filling)
        finally:
            assert await spool.close(PATIENCE_S)

    asyncio.run(main())


def test_what_a_full_spool_drops_is_counted_for_its_pvs(tmp_path: Path) -> None:
    async def test(filling: Filling) -> None:
        lane = filling.lane
        for keys in ((b"A", b"A", b"B"), (b"B", b"C"), (b"C",), (b"C",)):
            await filling.write(*keys)
        await filling.until(lambda: lane.dropped.total() == 5 and not lane.dropped_unread)
        assert lane.dropped == {"spool full": 5}
        assert [lane.losses(key) for key in (b"A", b"B", b"C", b"D")] == [
            {"spool full": 2},
            {"spool full": 2},
            {"spool full": 1},
            {},
        ]

    filled(tmp_path, 2, test)
    with closing(sqlite3.connect(tmp_path / "spool.db")) as database:
        assert database.execute("SELECT count(*) FROM rows").fetchone() == (2,), "they are deleted when they are read"


def test_of_a_damaged_row_nobody_knows(tmp_path: Path) -> None:
    async def test(filling: Filling) -> None:
        lane = filling.lane
        await filling.write(b"A")
        row = lane.rows[0]
        # Not what is on disk: as when a bit of its bytes has changed.
        row.left += 1
        lane.queued += 1
        await filling.write(b"B")
        await filling.write(b"B")
        await filling.until(lambda: not filling.spooling._asking)
        assert lane.dropped == {"spool full": 2}
        assert (lane.dropped_unread, lane.losses(b"A")) == (2, {})

    filled(tmp_path, 2, test)


def test_too_much_at_once_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the bound is a smaller one after a restart, what has to be written does not wait for all of that."""
    monkeypatch.setattr(spooling, "_ASKED_AT_ONCE", 2)

    async def fill(filling: Filling) -> None:
        for _ in range(6):
            await filling.write(b"A")

    filled(tmp_path, 10, fill)

    async def test(filling: Filling) -> None:
        lane = filling.lane
        lane.restore([Row(number + 1, ROW_BYTES, 1, written=True, counted=True) for number in range(6)])
        filling.spooling.bytes = 6 * ROW_BYTES
        await filling.until(lambda: lane.dropped.total() == 5 and not filling.spooling._asking)
        assert lane.losses(b"A") == {"spool full": 2}
        assert lane.dropped_unread == 3

    filled(tmp_path, 1, test)
