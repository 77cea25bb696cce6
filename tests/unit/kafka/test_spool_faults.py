"""The spool when the disk, its file or somebody else is in the way."""

import asyncio
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from forwarder.kafka import spool_database
from forwarder.kafka import spool_worker as module
from forwarder.kafka.spool import Spool, SpoolInUse, SpoolUnavailable
from tests.support.ca_client import until
from tests.unit.kafka.test_spool_rig import (
    DEADLINE_S,
    FaultyConnection,
    damaged_files,
    opened,
    read,
    some_messages,
    written,
)

BIG = 400_000
"""Bytes of a value: ten of them don't fit where one does."""


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FaultyConnection]]:
    monkeypatch.setattr("sqlite3.connect", partial(sqlite3.connect, factory=FaultyConnection))
    monkeypatch.setattr(module, "_RETRY_S", 3600.0)
    yield FaultyConnection
    FaultyConnection.max_pages = FaultyConnection.failing_commits = 0


class Disk(NamedTuple):
    """The answer of shutil.disk_usage."""

    total: int
    used: int
    free: int


def not_expected() -> None:
    raise AssertionError("it can be read")


async def filled(directory: Path, rows: int, bytes_each: int = 1000) -> None:
    """Make a spool of so many rows; row n has the messages of seed n."""
    async with opened(directory) as (spool, _):
        for identifier in range(1, rows + 1):
            assert await written(spool, identifier, some_messages(3, identifier, bytes_each))


def test_a_full_disk_refuses_all_that_follows_in_order(
    tmp_path: Path, faults: type[FaultyConnection], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        answers: list[tuple[int, bool]] = []

        def write(identifier: int, size: int) -> asyncio.Future[bool]:
            told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

            def done(ok: bool) -> None:
                answers.append((identifier, ok))
                told.set_result(ok)

            spool.write(identifier, "", "topic", [(b"key", bytes(size), 0)], done)
            return told

        async with opened(tmp_path) as (spool, _):
            assert await write(1, BIG)
            faults.max_pages = 30
            write(2, BIG * 10)
            spool.read(1, lambda messages: answers.append((-1, messages is not None)), not_expected)
            write(3, 10)
            assert not await write(4, 10), "it would have fitted, and would have come before 2"
            assert answers == [(1, True), (2, False), (-1, True), (3, False), (4, False)]
            assert "full" in spool.problem
            assert str(tmp_path) in spool.problem

            assert await write(5, 10), "a small one fits"
            assert not spool.problem
            assert not await write(6, BIG * 10)
            faults.max_pages = 0
            assert await write(7, BIG * 10)
            assert not spool.problem
        async with opened(tmp_path) as (_, rows):
            assert [row.identifier for row in rows] == [1, 5, 7]

    asyncio.run(main())
    told = [record.getMessage().rpartition("written: ")[2].split(" after")[0] for record in caplog.records]
    assert told == ["database or disk is full", "over"] * 2


def test_a_call_back_may_write_again_at_once(tmp_path: Path, faults: type[FaultyConnection]) -> None:
    async def main() -> None:
        stored: list[int] = []
        again = asyncio.Event()

        def done(identifier: int, ok: bool) -> None:
            if ok:
                stored.append(identifier)
                if len(stored) == 3:
                    again.set()
                return
            faults.max_pages = 0
            spool.write(identifier + 3, "", "topic", [(b"key", bytes(BIG), 0)], partial(done, identifier + 3))

        async with opened(tmp_path) as (spool, _):
            faults.max_pages = 8
            for identifier in (1, 2, 3):
                spool.write(identifier, "", "topic", [(b"key", bytes(BIG), 0)], partial(done, identifier))
            await asyncio.wait_for(again.wait(), DEADLINE_S)
        assert stored == [4, 5, 6]

    asyncio.run(main())


def test_deletes_make_room_on_a_full_disk(tmp_path: Path, faults: type[FaultyConnection]) -> None:
    async def main() -> None:
        async with opened(tmp_path) as (spool, _):
            assert await written(spool, 1, [(b"key", bytes(BIG), 0)])
            faults.max_pages = 20
            assert not await written(spool, 2, [(b"key", bytes(BIG), 0)])
            spool.delete([1])
            assert await read(spool, 1) is None
            assert await written(spool, 3, [(b"key", bytes(BIG), 0)])
            assert not spool.problem
        async with opened(tmp_path) as (_, rows):
            assert [row.identifier for row in rows] == [3]

    asyncio.run(main())


def test_some_of_the_disk_is_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with opened(tmp_path) as (spool, _):
            assert await written(spool, 1, [])
            monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(10**10, 10**10 - 8 * 10**6, 8 * 10**6))
            assert not await written(spool, 2, [])
            assert "disk is full: 7 MiB are free, and 8 are kept for deleting" in spool.problem
            spool.delete([1])
            monkeypatch.undo()
            assert await written(spool, 3, [])
            assert not spool.problem
        async with opened(tmp_path) as (_, rows):
            assert [row.identifier for row in rows] == [3]

    asyncio.run(main())


def test_a_problem_is_over_when_the_disk_works_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(module, "_RETRY_S", 0.01)
        async with opened(tmp_path) as (spool, _):
            monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(10**10, 10**10, 0))
            assert not await written(spool, 1, [])
            assert spool.problem
            monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(10**10, 0, 10**10))
            await until(lambda: not spool.problem)

    asyncio.run(main())


def test_what_was_refused_does_not_come_back(tmp_path: Path, faults: type[FaultyConnection]) -> None:
    """The end of a transaction reports an error, and yet everything is on disk: the caller sends it another way."""

    async def main() -> None:
        async with opened(tmp_path) as (spool, _):
            assert await written(spool, 1, some_messages())
            faults.failing_commits = 1
            assert not await written(spool, 2, some_messages())
            assert "I/O" in spool.problem
            assert await written(spool, 3, some_messages())
            assert await read(spool, 2) is None
        async with opened(tmp_path) as (_, rows):
            assert [row.identifier for row in rows] == [1, 3]

    asyncio.run(main())


def test_closing_tells_that_not_all_is_on_disk(tmp_path: Path, faults: type[FaultyConnection]) -> None:
    async def main() -> None:
        answers: list[bool] = []
        async with opened(tmp_path, expected=False) as (spool, _):
            assert await written(spool, 1, some_messages())
            faults.failing_commits = 1
            spool.write(2, "", "topic", some_messages(), answers.append)
        assert answers == [False]

    asyncio.run(main())


def test_a_removed_file_is_noticed(tmp_path: Path) -> None:
    async def main() -> None:
        directory = tmp_path / "spool"
        async with opened(directory) as (spool, _):
            assert await written(spool, 1, some_messages())
            shutil.rmtree(directory)
            assert not await written(spool, 2, some_messages())
            assert "was removed" in spool.problem
            assert await written(spool, 3, some_messages())
            assert await read(spool, 3) == some_messages()
            assert not spool.problem

    if os.name == "nt":
        pytest.skip("open files can't be removed")
    asyncio.run(main())


def test_a_second_one_is_told_who_has_the_directory(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as (spool, _):
            for _ in range(2):
                with pytest.raises(SpoolInUse) as raised:
                    await Spool(tmp_path).open()
                assert str(tmp_path) in str(raised.value)
                assert f"process {os.getpid()} on " in str(raised.value)
            assert await written(spool, 1, [])
        async with opened(tmp_path) as (_, rows):
            assert len(rows) == 1

    asyncio.run(main())


def test_a_program_that_looks_into_the_file_is_in_the_way(tmp_path: Path) -> None:
    async def main() -> None:
        await filled(tmp_path, 1)
        other = sqlite3.connect(tmp_path / "spool.db", isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT * FROM rows").fetchone()
        with pytest.raises(SpoolInUse, match="looks into it"):
            await Spool(tmp_path).open()
        other.close()
        async with opened(tmp_path) as (_, rows):
            assert len(rows) == 1

    asyncio.run(main())


def test_a_directory_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    asyncio.run(unavailable(tmp_path / "file", re.escape(str(tmp_path / "file"))))


def test_a_file_that_can_not_be_opened(tmp_path: Path) -> None:
    (tmp_path / "spool.db").mkdir()
    asyncio.run(unavailable(tmp_path, "unable to open"))


async def unavailable(directory: Path, reason: str) -> None:
    spool = Spool(directory)
    with pytest.raises(SpoolUnavailable, match=reason):
        await spool.open()
    assert re.search(reason, spool.problem)
    assert not await written(spool, 1, some_messages())
    assert await read(spool, 1) is None
    assert await spool.close(DEADLINE_S)


@pytest.mark.parametrize("garbage", [b"not a database" * 1000, b"SQLite format 3\0" + b"\xff" * 9000])
def test_garbage_is_moved_aside_at_the_start(tmp_path: Path, garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        (tmp_path / "spool.db").write_bytes(garbage)
        async with opened(tmp_path) as (spool, rows):
            assert rows == []
            assert await written(spool, 1, some_messages())
            assert await read(spool, 1) == some_messages()
            assert not spool.problem

    asyncio.run(main())
    (kept,) = damaged_files(tmp_path)
    assert re.fullmatch(r"spool\.db\.damaged-\d{8}T\d{6}Z", kept.name)
    assert kept.read_bytes() == garbage
    assert f"is kept as {kept}" in caplog.text


def test_what_is_intact_in_a_truncated_file_is_saved(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        await filled(tmp_path, 60, 20_000)
        path = tmp_path / "spool.db"
        os.truncate(path, path.stat().st_size // 2)
        async with opened(tmp_path) as (spool, rows):
            saved = [row.identifier for row in rows]
            assert len(saved) > 10
            for identifier in saved:
                assert await read(spool, identifier) == some_messages(3, identifier, 20_000)
            assert await written(spool, 61, some_messages())
        assert f"{len(saved)} intact rows were saved from {damaged_files(tmp_path)[0]}" in caplog.text

    asyncio.run(main())


def test_damage_that_is_found_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        await filled(tmp_path, 60, 20_000)
        path = tmp_path / "spool.db"
        with path.open("r+b") as file:
            page = 32 * 1024
            # The file opens and lists its rows; the overflow pages of some rows lead nowhere.
            for number in range(20, 80):
                file.seek(number * page)
                kept = file.read(1)[0]
                if kept not in (2, 5, 10, 13):
                    file.seek(number * page)
                    file.write(b"\xff\xff\xff\xff")
        async with opened(tmp_path) as (spool, rows):
            assert len(rows) == 60
            back = {row.identifier: await read(spool, row.identifier) for row in rows}
            intact = [identifier for identifier, messages in back.items() if messages is not None]
            assert 10 < len(intact) < 60
            assert all(back[each] == some_messages(3, each, 20_000) for each in intact)
            assert await written(spool, 61, some_messages())
            assert await read(spool, 61) == some_messages()
            assert not spool.problem
        assert len(damaged_files(tmp_path)) == 1

    asyncio.run(main())
    assert "is damaged" in caplog.text


def test_a_row_with_other_bytes_is_damaged_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        await filled(tmp_path, 5)
        with sqlite3.connect(tmp_path / "spool.db") as connection:
            connection.execute("UPDATE rows SET data = zeroblob(length(data)) WHERE identifier = 2")
            connection.execute("UPDATE rows SET topic = 'another' WHERE identifier = 3")
            connection.execute("UPDATE rows SET count = 'many' WHERE identifier = 4")
        connection.close()
        async with opened(tmp_path) as (spool, rows):
            assert [row.count for row in rows] == [3, 3, 3, 0, 3]
            assert [await read(spool, each) is not None for each in range(1, 6)] == [True, False, False, False, True]
            assert spool.damaged_rows == 3
            assert not spool.problem

    asyncio.run(main())
    assert len(caplog.records) == 1
    assert "row 2 of the spool" in caplog.text


def test_the_file_of_another_version_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        await filled(tmp_path, 1)
        with sqlite3.connect(tmp_path / "spool.db") as connection:
            connection.execute("PRAGMA user_version = 9")
        connection.close()
        async with opened(tmp_path) as (spool, _):
            assert await written(spool, 2, [])

    asyncio.run(main())
    assert "layout 9" in caplog.text
    assert len(damaged_files(tmp_path)) == 1


def test_two_damaged_files_of_one_second_are_both_kept(tmp_path: Path) -> None:
    wanted = str(tmp_path / "spool.db.damaged-now")
    for name in (wanted, f"{wanted}-2", f"{wanted}-3"):
        assert spool_database._free_name(wanted) == Path(name)
        Path(name).touch()
