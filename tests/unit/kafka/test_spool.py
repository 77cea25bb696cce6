"""The spool as the event loop sees it, while the disk works."""

import asyncio
import logging
import sqlite3
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from forwarder.kafka.spool import Spool, StoredRow
from forwarder.kafka.spool_format import size_of
from tests.support.ca_client import Run
from tests.support.ca_loops import run
from tests.unit.kafka.test_spool_rig import FaultyConnection, opened, read, some_messages, written

__all__ = ["run"]


def test_rows_outlive_the_spool(run: Run[Any], tmp_path: Path) -> None:
    first, second = some_messages(3), some_messages(5000, seed=1)

    async def store() -> None:
        async with opened(tmp_path / "not" / "made yet") as (spool, rows):
            assert rows == []
            assert await written(spool, 1, first)
            assert await written(spool, 5, second, "größe")
            assert await written(spool, 7, [])
            assert not spool.problem

    async def find() -> None:
        async with opened(tmp_path / "not" / "made yet") as (spool, rows):
            assert rows == [
                StoredRow(1, "broker:9092", "topic", 3, size_of(first)),
                StoredRow(5, "broker:9092", "größe", 5000, size_of(second)),
                StoredRow(7, "broker:9092", "topic", 0, size_of([])),
            ]
            assert [await read(spool, each) for each in (5, 1, 7, 1)] == [second, first, [], first]
            spool.delete([5])
            assert await read(spool, 5) is None
            assert spool.damaged_rows == 0
            assert not spool.problem

    async def find_the_rest() -> None:
        async with opened(tmp_path / "not" / "made yet") as (_, rows):
            assert [row.identifier for row in rows] == [1, 7]

    run(store())
    run(find())
    run(find_the_rest())


def not_expected() -> None:
    raise AssertionError("it can be read")


def test_results_come_in_the_order_of_the_calls(run: Run[Any], tmp_path: Path) -> None:
    async def main() -> None:
        results: list[object] = []
        async with opened(tmp_path) as (spool, _):
            for identifier in range(1, 31):
                spool.write(identifier, "", "topic", some_messages(2, identifier), results.append)
                if identifier % 3 == 0:
                    spool.read(identifier, results.append, not_expected)
                if identifier % 5 == 0:
                    spool.delete([identifier])
                    spool.read(identifier, results.append, not_expected)
        expected: list[object] = []
        for identifier in range(1, 31):
            expected.append(True)
            expected += [some_messages(2, identifier)] * (identifier % 3 == 0)
            expected += [None] * (identifier % 5 == 0)
        assert results == expected

    run(main())


def test_all_calls_back_come_in_the_event_loop(tmp_path: Path) -> None:
    async def main() -> set[int]:
        threads: set[int] = set()
        async with opened(tmp_path) as (spool, _):
            spool.write(1, "", "topic", some_messages(), lambda _: threads.add(threading.get_ident()))
            spool.read(1, lambda _: threads.add(threading.get_ident()), not_expected)
        return threads

    assert asyncio.run(main()) == {threading.get_ident()}


def test_queued_writes_share_a_transaction_and_a_wake_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wake_ups = 0

    async def main() -> None:
        nonlocal wake_ups
        async with opened(tmp_path) as (spool, _):
            before = FaultyConnection.transactions
            loop = asyncio.get_running_loop()
            call_soon_threadsafe = loop.call_soon_threadsafe

            def counted(*arguments: Any) -> Any:
                nonlocal wake_ups
                wake_ups += 1
                return call_soon_threadsafe(*arguments)

            monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
            answers: list[bool] = []
            all_there = asyncio.Event()
            # The thread may take the first before the others are there.
            for identifier in range(1, 101):
                spool.write(identifier, "", "topic", some_messages(), answers.append)
            spool.write(101, "", "topic", [], lambda _: all_there.set())
            await asyncio.wait_for(all_there.wait(), 10)
            assert answers == [True] * 100
            assert FaultyConnection.transactions - before < 10

    monkeypatch.setattr("sqlite3.connect", partial(sqlite3.connect, factory=FaultyConnection))
    asyncio.run(main())
    assert wake_ups < 20


def test_a_call_back_that_raises_takes_nothing_from_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def not_understood(_: bool) -> None:
        raise ZeroDivisionError

    async def main() -> None:
        async with opened(tmp_path) as (spool, _):
            spool.write(1, "", "topic", [], not_understood)
            assert await written(spool, 2, [])

    asyncio.run(main())
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]


def test_what_is_handed_over_before_the_end_is_stored(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as (spool, _):
            for identifier in range(1, 200):
                spool.write(identifier, "", "topic", some_messages(100), answers.append)
            spool.delete(range(1, 190))
        assert answers == [True] * 199
        async with opened(tmp_path) as (_, rows):
            assert [row.identifier for row in rows] == list(range(190, 200))

    answers: list[bool] = []
    asyncio.run(main())


def test_a_closed_spool_takes_nothing(run: Run[Any], tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as (spool, _):
            pass
        assert not await written(spool, 1, [])
        assert await read(spool, 1) is None
        spool.delete([1])
        assert await spool.close(1.0)
        async with opened(tmp_path) as (_, rows):
            assert rows == []

    run(main())


def test_closing_one_that_was_never_opened(tmp_path: Path) -> None:
    assert asyncio.run(Spool(tmp_path).close(1.0))


def test_closing_does_not_wait_longer_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    async def main() -> None:
        spool = Spool(tmp_path)
        await spool.open()
        monkeypatch.setattr("forwarder.kafka.spool_worker.pause", lambda: go_on.wait(30))
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        spool.write(1, "", "topic", some_messages(), stored.set_result)
        assert not await spool.close(0.01)
        go_on.set()
        assert await asyncio.wait_for(stored, 10)

    asyncio.run(main())
    for thread in threading.enumerate():
        if thread.name == "spool":
            thread.join(10)


def test_an_opening_that_is_given_up_leaves_the_directory_free(tmp_path: Path) -> None:
    async def main() -> None:
        opening = asyncio.create_task(Spool(tmp_path).open())
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        for thread in threading.enumerate():
            if thread.name == "spool":
                thread.join(10)
        async with opened(tmp_path):
            pass

    asyncio.run(main())


def test_nothing_is_logged_when_all_is_well(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with opened(tmp_path) as (spool, _):
            assert await written(spool, 1, some_messages())

    with caplog.at_level(logging.DEBUG, "forwarder"):
        asyncio.run(main())
    assert not caplog.records
