"""A loop beats while it waits, and not when it is stuck."""

import asyncio

import pytest

from forwarder.pulse import Pulse


@pytest.fixture(autouse=True)
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forwarder.pulse._SLICE_S", 0.01)


def test_it_beats_while_it_sleeps_and_sleeps_as_long_as_told() -> None:
    async def work() -> tuple[int, float]:
        pulse, loop = Pulse(), asyncio.get_running_loop()
        before = loop.time()
        await pulse.sleep(0.1)
        return pulse.beats, loop.time() - before

    beats, slept = asyncio.run(work())
    assert beats >= 4
    assert slept >= 0.1


def test_it_beats_while_it_waits_and_goes_on_as_soon_as_it_may() -> None:
    async def work() -> tuple[bool, int]:
        pulse, event = Pulse(), asyncio.Event()
        waiting = asyncio.create_task(pulse.wait(event))
        async with asyncio.timeout(10):
            while pulse.beats < 5:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not waiting.done()
        event.set()
        return await waiting, pulse.beats

    came, beats = asyncio.run(work())
    assert came
    assert beats > 5


def test_what_does_not_come_in_time_is_told() -> None:
    pulse = Pulse()
    assert asyncio.run(pulse.wait(asyncio.Event(), 0.05)) is False
    assert asyncio.run(pulse.wait(asyncio.Event(), -1.0)) is False
    assert pulse.beats >= 3


def test_it_ends_when_it_is_cancelled() -> None:
    async def work() -> int:
        pulse = Pulse()
        resting = asyncio.create_task(pulse.rest())
        await asyncio.sleep(0.05)
        assert not resting.done()
        resting.cancel()
        await asyncio.gather(resting, return_exceptions=True)
        before = pulse.beats
        await asyncio.sleep(0.03)
        return pulse.beats - before

    assert asyncio.run(work()) == 0
