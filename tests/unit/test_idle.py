"""Waiting for the event loop to have nothing else to do."""

import asyncio
import time

from forwarder.idle import WhenIdle


def test_in_an_idle_loop_the_call_comes_at_once() -> None:
    async def main() -> None:
        idle = WhenIdle()
        called = asyncio.Event()
        idle.call(called.set)
        async with asyncio.timeout(5):
            await called.wait()
        assert idle.waited_s < 0.4

    asyncio.run(main())


def test_a_loop_with_work_to_do_does_that_first() -> None:
    async def main() -> None:
        idle = WhenIdle()
        turns: list[str] = []
        called = asyncio.Event()

        async def work() -> None:
            for _ in range(10):
                time.sleep(0.002)  # noqa: ASYNC251  (it is to keep the loop)
                turns.append("work")
                await asyncio.sleep(0)

        working = asyncio.create_task(work())
        await asyncio.sleep(0)
        idle.call(lambda: (turns.append("called"), called.set()))
        await working
        await called.wait()
        assert turns == ["work"] * 10 + ["called"]
        assert idle.waited_s >= 0.015

    asyncio.run(main())


def test_nobody_waits_for_ever() -> None:
    async def main() -> None:
        idle = WhenIdle()
        called = asyncio.Event()

        async def work() -> None:
            while not called.is_set():
                time.sleep(0.002)  # noqa: ASYNC251  (it is to keep the loop)
                await asyncio.sleep(0)

        idle.call(called.set)
        async with asyncio.timeout(10):
            await work()

    asyncio.run(main())


def test_who_waits_again_in_his_turn_has_waited_all_the_time() -> None:
    async def main() -> None:
        idle = WhenIdle()
        done = asyncio.Event()
        left = 5

        def slice_of_work() -> None:
            nonlocal left
            time.sleep(0.01)
            left -= 1
            if left:
                idle.call(slice_of_work)
            else:
                done.set()

        idle.call(slice_of_work)
        await done.wait()
        assert idle.waited_s >= 4 * 0.01

    asyncio.run(main())
