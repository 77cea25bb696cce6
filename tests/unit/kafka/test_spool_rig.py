"""What the tests of the spool share; no test is here."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from forwarder.kafka.spool import Spool, StoredRow
from forwarder.model import Message

DEADLINE_S = 30.0


def some_messages(count: int = 10, seed: int = 0, size: int = 50) -> list[Message]:
    """Not all alike: keys that repeat, values of other lengths, times before and after the epoch."""
    chance = random.Random(seed)
    return [
        (
            b"PV:%d" % chance.randrange(5),
            chance.randbytes(chance.randrange(2 * size + 1)),
            chance.randrange(-(2**40), 2**60),
        )
        for _ in range(count)
    ]


def size_of_files(directory: Path, pattern: str = "*") -> int:
    """Bytes of the files of these names."""
    return sum(each.stat().st_size for each in directory.glob(pattern))


def damaged_files(directory: Path) -> list[Path]:
    """What was moved aside."""
    return sorted(each for each in directory.glob("spool.db.damaged-*") if not each.name.endswith("-wal"))


@asynccontextmanager
async def opened(directory: Path, *, expected: bool = True) -> AsyncIterator[tuple[Spool, list[StoredRow]]]:
    """A spool and the rows of earlier runs; at the end, closing says what is expected."""
    spool = Spool(directory)
    rows = await spool.open()
    try:
        yield spool, rows
    finally:
        closed = await spool.close(DEADLINE_S)
    assert closed is expected


async def written(spool: Spool, identifier: int, messages: list[Message], topic: str = "topic") -> bool:
    """What a write is told."""
    answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    spool.write(identifier, "broker:9092", topic, messages, answer.set_result)
    async with asyncio.timeout(DEADLINE_S):
        return await answer


async def read(spool: Spool, identifier: int) -> list[Message] | None:
    """What a read is told."""
    answer: asyncio.Future[list[Message] | None] = asyncio.get_running_loop().create_future()
    spool.read(identifier, answer.set_result, lambda: answer.set_result(None))
    async with asyncio.timeout(DEADLINE_S):
        return await answer


class FaultyConnection(sqlite3.Connection):
    """Has the faults that are set on the class; a test resets them through its fixture."""

    max_pages = 0
    """As if the disk were full with so many; 0: it is not."""
    failing_commits = 0
    """So many more times, what is written is on disk, and an I/O error is reported all the same."""
    transactions = 0
    """Begun so far."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:  # type: ignore[override]
        if sql == "BEGIN IMMEDIATE":
            FaultyConnection.transactions += 1
            super().execute(f"PRAGMA max_page_count = {FaultyConnection.max_pages or 2**30}").fetchall()
        result = super().execute(sql, *parameters)
        if sql == "COMMIT" and FaultyConnection.failing_commits:
            FaultyConnection.failing_commits -= 1
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return result
