"""The disk space that the spool takes, and gives back."""

import asyncio
from pathlib import Path

import pytest

from forwarder.kafka import spool_database
from forwarder.kafka import spool_worker as module
from tests.support.ca_client import until
from tests.unit.kafka.test_spool_rig import opened, read, size_of_files, some_messages, written

MIB = 1024 * 1024
ROW = [(b"key", bytes(MIB), 0)]


@pytest.fixture(autouse=True)
def short_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REST_S", 0.01)


def test_the_file_of_an_empty_spool_is_small(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as (spool, _):
            for identifier in range(1, 101):
                assert await written(spool, identifier, ROW)
            assert size_of_files(tmp_path) > 100 * MIB
            spool.delete(range(1, 101))
            await until(lambda: size_of_files(tmp_path) < 10 * MIB)
            assert await written(spool, 101, some_messages())
            assert await read(spool, 101) == some_messages()

    asyncio.run(main())


def test_space_is_given_back_while_some_rows_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(spool_database, "_MANY_SPARE_PAGES", 512)
        async with opened(tmp_path) as (spool, _):
            for identifier in range(1, 101):
                assert await written(spool, identifier, some_messages(3, identifier, 300_000))
            spool.delete(range(1, 91))
            await until(lambda: size_of_files(tmp_path, "spool.db") < 40 * MIB)
            for identifier in range(91, 101):
                assert await read(spool, identifier) == some_messages(3, identifier, 300_000)
            assert not spool.problem

    asyncio.run(main())


def test_writing_and_deleting_all_the_time_takes_no_more_and_more(tmp_path: Path) -> None:
    async def main() -> int:
        largest = 0
        async with opened(tmp_path) as (spool, _):
            for identifier in range(1, 301):
                assert await written(spool, identifier, ROW)
                spool.delete([identifier - 5])
                largest = max(largest, size_of_files(tmp_path))
        return largest

    assert asyncio.run(main()) < 60 * MIB
