"""The beat of the service, with transports that only remember."""

import asyncio

import pytest

from forwarder.ticker import Ticker


class Transport:
    """Brings its data, when it is read, at the next turn of the loop."""

    def __init__(self, said: list[str]) -> None:
        self.said = said
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.said.append("paused")

    def resume_reading(self) -> None:
        self.said.append("resumed")
        asyncio.get_running_loop().call_soon(self.said.append, "read")


def test_what_was_held_is_read_before_a_tick_is_told() -> None:
    async def scene() -> list[str]:
        said: list[str] = []
        ticker = Ticker(0.01)
        running = asyncio.create_task(ticker.run())
        ticker.hold(Transport(said))
        async with asyncio.timeout(5):
            await ticker.tick()
        said.append("tick")
        running.cancel()
        return said

    assert asyncio.run(scene()) == ["paused", "resumed", "read", "tick"]


def test_a_transport_that_closes_is_left_alone() -> None:
    async def scene() -> list[str]:
        said: list[str] = []
        ticker = Ticker(0.001)
        running = asyncio.create_task(ticker.run())
        closed, closes_later = Transport(said), Transport(said)
        closed.closing = True
        ticker.hold(closed)
        ticker.hold(closes_later)
        closes_later.closing = True
        async with asyncio.timeout(5):
            await ticker.tick()
        running.cancel()
        return said

    assert asyncio.run(scene()) == ["paused"]


@pytest.mark.parametrize("arrived", [Transport([]), None], ids=["held", "not held"])
def test_it_ticks_seldom_while_nothing_comes_and_at_once_when_something_does(arrived: Transport | None) -> None:
    async def scene() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        ticker = Ticker(0.01, idle_period_s=0.5)
        running = asyncio.create_task(ticker.run())
        async with asyncio.timeout(10):
            await ticker.tick()
            begin = loop.time()
            await ticker.tick()
            idle = loop.time() - begin
            begin = loop.time()
            loop.call_later(0.05, ticker.hold, arrived)
            await ticker.tick()
            busy = loop.time() - begin
        running.cancel()
        return idle, busy

    idle, busy = asyncio.run(scene())
    assert idle >= 0.49
    assert busy < 0.4
