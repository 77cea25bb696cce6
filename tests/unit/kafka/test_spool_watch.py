"""A disk that cannot be used at the start or hangs, and a thread that dies: noticed, and nothing is left unanswered."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from forwarder.forever import Ended
from forwarder.kafka.spool import Spool, SpoolUnavailable, StoredRow
from forwarder.kafka.spool_database import Database, PackedRow
from forwarder.supervision import Supervision
from tests.unit.kafka.test_spool_rig import DEADLINE_S, opened, read, some_messages, written


class Disk(Database):
    """Hangs or fails when it is told to."""

    works = threading.Event()
    dies_of: BaseException | None = None

    def open(self) -> list[StoredRow]:
        self._meet()
        return super().open()

    def change(self, rows: list[PackedRow], deleted: list[int]) -> None:
        super().change(rows, deleted)
        self._meet()

    @classmethod
    def _meet(cls) -> None:
        assert cls.works.wait(DEADLINE_S)
        error, cls.dies_of = cls.dies_of, None
        if error is not None:
            raise error


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> type[Disk]:
    monkeypatch.setattr("forwarder.kafka.spool.HANGS_S", 0.2)
    monkeypatch.setattr("forwarder.kafka.spool._LOOK_S", 0.02)
    monkeypatch.setattr("forwarder.kafka.spool_worker._RETRY_S", 0.05)
    Disk.works.set()
    Disk.dies_of = None
    return Disk


async def until(predicate: Callable[[], object], what: str) -> None:
    give_up = asyncio.get_running_loop().time() + DEADLINE_S
    while not predicate():
        assert asyncio.get_running_loop().time() < give_up, what
        await asyncio.sleep(0.01)


@asynccontextmanager
async def looked_after(spool: Spool) -> AsyncIterator[Supervision]:
    """As the service does it."""
    supervision = Supervision()
    watching = asyncio.create_task(supervision.keep("spool", spool.run))
    try:
        yield supervision
        assert not watching.done()
        assert await spool.close(DEADLINE_S)
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def test_one_that_can_not_be_opened_is_tried_again_until_it_works(
    tmp_path: Path, disk: type[Disk], caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "spool"

    async def main() -> None:
        async with opened(directory) as (spool, _):
            assert await written(spool, 1, some_messages())
        directory.rename(tmp_path / "elsewhere")
        directory.touch()
        found: list[list[StoredRow]] = []
        spool = Spool(directory, found.append, disk)
        with pytest.raises(SpoolUnavailable, match="File exists"):
            await spool.open()
        async with looked_after(spool):
            assert "can't be opened" in spool.problem
            assert not await written(spool, 2, some_messages())
            directory.unlink()
            (tmp_path / "elsewhere").rename(directory)
            await until(lambda: found, "it is opened")
            assert spool.problem == ""
            assert [[row.identifier for row in rows] for rows in found] == [[1]]
            assert await read(spool, 1) == some_messages()
            assert await written(spool, 2, some_messages())

    asyncio.run(main())
    told = [record.getMessage() for record in caplog.records if "can't be opened" in record.getMessage()]
    assert len(told) == 2, "once when it began and once when it was over"


def test_a_disk_that_hangs_at_the_start_does_not_keep_the_service_from_starting(
    tmp_path: Path, disk: type[Disk]
) -> None:
    async def main() -> None:
        found: list[list[StoredRow]] = []
        disk.works.clear()
        spool = Spool(tmp_path, found.append, disk)
        with pytest.raises(SpoolUnavailable, match=r"could not be opened within 0\.05 s"):
            await spool.open(0.05)
        assert "hangs" in spool.problem
        async with looked_after(spool):
            assert not await written(spool, 1, some_messages())
            disk.works.set()
            await until(lambda: found == [[]], "it is opened")
            await until(lambda: spool.problem == "", "the problem is over")
            assert await written(spool, 1, some_messages())

    asyncio.run(main())


def test_nothing_more_is_handed_to_a_disk_that_hangs(
    tmp_path: Path, disk: type[Disk], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        spool = Spool(tmp_path, database=disk)
        await spool.open()
        answers: list[tuple[int, bool]] = []
        failed: list[int] = []

        def write(identifier: int) -> None:
            spool.write(identifier, "", "t", some_messages(), lambda done: answers.append((identifier, done)))

        async with looked_after(spool):
            disk.works.clear()
            write(1)
            worker = spool._worker
            assert worker is not None
            await until(worker.jobs.empty, "the thread has the first")
            write(2)
            spool.read(1, lambda _: None, lambda: failed.append(1))
            spool.delete([7])
            write(3)
            await until(lambda: spool.problem, "it is noticed")
            assert "has not answered for 0.2 s" in spool.problem
            assert answers == [(2, False), (3, False)], "what the thread has not begun with stays in memory"
            assert failed == [1]
            for _ in range(10):
                assert not await written(spool, 4, some_messages())
            assert worker.jobs.qsize() == 1, "it only has the deletion"

            disk.works.set()
            await until(lambda: not spool.problem, "it is over")
            assert answers[2:] == [(1, True)]
            assert await written(spool, 2, some_messages(5, 2))
            assert await read(spool, 2) == some_messages(5, 2)
        async with opened(tmp_path) as (_, rows):
            assert [row.identifier for row in rows] == [1, 2]

    asyncio.run(main())
    told = [record for record in caplog.records if "hangs" in record.getMessage()]
    assert len(told) == 2, "once when it began and once when it was over"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_a_thread_that_dies_is_followed_by_another_and_all_are_answered(
    tmp_path: Path, disk: type[Disk], error: BaseException
) -> None:
    async def main() -> None:
        found: list[list[StoredRow]] = []
        spool = Spool(tmp_path, found.append, disk)
        assert await spool.open() == []
        answers: list[tuple[int, bool]] = []
        failed: list[int] = []
        async with looked_after(spool) as supervision:
            assert await written(spool, 1, some_messages())
            disk.works.clear()
            disk.dies_of = error
            for identifier in (2, 3):
                spool.write(
                    identifier, "", "t", some_messages(), lambda done, which=identifier: answers.append((which, done))
                )
            spool.read(1, lambda _: None, lambda: failed.append(1))
            spool.delete([1])
            disk.works.set()
            await until(lambda: len(answers) == 2 and failed, "all are answered")
            assert answers == [(2, False), (3, False)]
            await until(lambda: supervision.deaths["spool"] == 1, "it is counted")
            await until(lambda: not spool.problem, "another thread works")
            assert await written(spool, 3, some_messages(4, 3))
            assert await read(spool, 3) == some_messages(4, 3)
            assert await read(spool, 1) is None, "what was to be deleted is"
        assert found == [], "the rows of this run are not those of an earlier one"
        async with opened(tmp_path) as (_, rows):
            assert [row.identifier for row in rows] == [3], "2 may have been on disk, and was refused"

    asyncio.run(main())


def test_a_thread_that_dies_is_told_with_what_it_died_of(tmp_path: Path, disk: type[Disk]) -> None:
    async def main() -> None:
        spool = Spool(tmp_path, database=disk)
        await spool.open()
        disk.dies_of = error = SystemExit(3)
        stored, _ = await asyncio.gather(written(spool, 1, []), died(spool, error))
        assert not stored
        assert "has died: SystemExit(3)" in spool.problem
        assert not await spool.close(DEADLINE_S)

    async def died(spool: Spool, error: BaseException) -> None:
        with pytest.raises(Ended) as raised:
            await spool.run()
        assert raised.value.__cause__ is error

    asyncio.run(main())
