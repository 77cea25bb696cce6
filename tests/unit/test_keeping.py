"""The spool of a service, from its opening to the stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from forwarder.kafka.spool_database import Database
from forwarder.keeping import Keeping
from forwarder.outbox import Outbox
from forwarder.parts import Part
from forwarder.settings.types import SpoolSettings
from tests.unit.test_spooling import message, partition_of

DEADLINE_S = 30.0


def keeping_in(directory: Path, outbox: Outbox) -> Keeping:
    return Keeping(SpoolSettings(directory, after_s=0.0), outbox, lambda: asyncio.sleep(0.001))


def late() -> float:
    return asyncio.get_running_loop().time() + DEADLINE_S


@asynccontextmanager
async def running(keeping: Keeping) -> AsyncIterator[None]:
    async def run(part: Part) -> None:
        await part.run()

    tasks = [asyncio.create_task(run(part)) for part in keeping.parts()]
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_what_an_earlier_run_left_goes_first_though_the_disk_could_not_be_read_at_the_start(tmp_path: Path) -> None:
    directory, aside = tmp_path / "spool", tmp_path / "aside"

    async def earlier() -> None:
        outbox = Outbox(10**9)
        keeping = keeping_in(directory, outbox)
        await keeping.open()
        for number in range(3):
            outbox.lane("", "topic").append(message(number))
        assert await keeping.keep(list(outbox), late()) == 3
        await keeping.close(late())

    async def later() -> list[int]:
        outbox = Outbox(10**9)
        lane = outbox.lane("", "topic")
        keeping = keeping_in(directory, outbox)
        await keeping.open()
        for number in range(3, 6):
            lane.append(message(number))
            lane.collect(partition_of)
        assert "can't be opened" in keeping.facts()["problem"]
        directory.unlink()
        aside.rename(directory)
        async with running(keeping):
            while (facts := keeping.facts())["problem"] or facts["rows_being_written"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (lane.restored, lane.on_disk, lane.waiting) == (3, 6, 6)
        assert await keeping.keep([lane], 0.0) == 6, "the next start would find all"
        lane.place_on(1, partition_of)
        sent: list[int] = []
        async with running(keeping):
            while lane.waiting:
                await asyncio.sleep(0.001)
                flight = lane.partitions[0].take_off(len)
                if flight is not None:
                    sent += [number for _, _, number in flight.messages]
                    flight.acknowledged()
        await keeping.close(late())
        return sent

    asyncio.run(earlier())
    directory.rename(aside)
    directory.touch()
    assert asyncio.run(later()) == list(range(6))


def test_a_write_that_fails_once_at_the_stop_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change, failures = Database.change, iter([OSError("no space left"), OSError("no space left")])

    def fails_at_first(database: Database, *what: Any) -> None:
        for failure in failures:
            raise failure
        change(database, *what)

    monkeypatch.setattr(Database, "change", fails_at_first)

    async def main() -> None:
        outbox = Outbox(10**9)
        keeping = keeping_in(tmp_path / "spool", outbox)
        await keeping.open()
        lane = outbox.lane("", "topic")
        for number in range(3):
            lane.append(message(number))
        assert await keeping.keep([lane], late()) == 3
        await keeping.close(late())

    asyncio.run(main())


def test_without_a_directory_there_is_nothing_to_run_and_nothing_is_kept() -> None:
    async def main() -> None:
        outbox = Outbox(10**9)
        keeping = Keeping(SpoolSettings(None), outbox, lambda: asyncio.sleep(0))
        await keeping.open()
        outbox.lane("", "topic").append(message(1))
        assert keeping.parts() == []
        assert keeping.bytes == 0
        assert keeping.facts() == {"problem": "there is none, as the settings say"}
        assert await keeping.keep(list(outbox), 0.0) == 0
        await keeping.close(late())

    asyncio.run(main())
