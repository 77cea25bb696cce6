"""Parts that die: started again, told, counted; and the service ends when that does not help."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from forwarder.errors import BadSetting
from forwarder.forever import Ended, forever, nothing_more
from forwarder.supervision import GaveUp, Supervision


class Part:
    """Dies in a given way so many times, and then runs on."""

    def __init__(self, death: Callable[[], Awaitable[object]], times: int) -> None:
        self.starts = 0
        self.stays = asyncio.Event()
        self._death = death
        self._times = times

    async def run(self) -> None:
        self.starts += 1
        if self.starts <= self._times:
            await self._death()
        else:
            self.stays.set()
            await nothing_more()


async def raises() -> None:
    raise ValueError("no more")


async def returns() -> None:
    pass


async def is_cancelled() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forwarder.supervision._REST_S", (0.001, 0.001))


@pytest.mark.parametrize("death", [raises, returns, is_cancelled])
def test_a_part_that_dies_is_started_again_and_counted(
    death: Callable[[], Awaitable[object]], caplog: pytest.LogCaptureFixture
) -> None:
    supervision = Supervision()

    async def main() -> None:
        part = Part(death, times=3)
        keeping = asyncio.create_task(supervision.keep("part", part.run))
        async with asyncio.timeout(5):
            await part.stays.wait()
        assert part.starts == 4
        keeping.cancel()
        await asyncio.wait([keeping])
        assert keeping.cancelled()

    asyncio.run(main())
    assert supervision.deaths == {"part": 3}
    assert [r.levelno for r in caplog.records] == [logging.CRITICAL] * 3
    assert all("part has died and is started again" in r.getMessage() for r in caplog.records)


def test_a_part_that_keeps_dying_ends_the_service() -> None:
    async def main() -> None:
        with pytest.raises(GaveUp, match="part has died 11 times within 60 s"):
            await Supervision().keep("part", Part(raises, times=1000).run)

    asyncio.run(main())


def test_a_wrong_setting_is_not_tried_again() -> None:
    async def wrong() -> None:
        raise BadSetting("ssl-ca-cert-file: no")

    async def main() -> None:
        supervision = Supervision()
        with pytest.raises(BadSetting):
            await supervision.keep("part", wrong)
        assert not supervision.deaths.total()

    asyncio.run(main())


@pytest.mark.parametrize(("death", "error"), [(raises, ValueError), (returns, Ended), (is_cancelled, Ended)])
def test_when_one_of_several_tasks_ends_all_do(death: Callable[[], Awaitable[object]], error: type[Exception]) -> None:
    async def main() -> None:
        others: list[str] = []

        async def other() -> None:
            try:
                await nothing_more()
            finally:
                others.append("ended")

        with pytest.raises(error):
            await forever({"other": other(), "one": Part(death, times=1).run(), "another": other()})
        assert others == ["ended", "ended"]

    asyncio.run(main())
