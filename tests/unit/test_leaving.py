"""How a process is told to stop, and the guard that ends a stop that hangs."""

import asyncio
import os
import signal
import threading
import time
from queue import SimpleQueue

import pytest

from forwarder.leaving import Guard, stop_signals
from forwarder.stopping import Budget, ended
from tests.support.ca_loops import LOOPS

SOON_S = 10.0


def test_a_guard_leaves_at_its_time_and_says_why() -> None:
    left: SimpleQueue[tuple[float, str]] = SimpleQueue()
    guard = Guard(lambda why: left.put((time.monotonic(), why)))
    guard.stand(0.2)
    guard.stand(100.0)
    at, why = left.get(timeout=SOON_S)
    assert why == "the stop has taken 0.2 s"
    assert guard.since is not None
    assert at - guard.since >= 0.2


def test_a_guard_leaves_at_once_when_told_to() -> None:
    left: SimpleQueue[str] = SimpleQueue()
    guard = Guard(left.put)
    guard.stand(100.0)
    guard.leave("told twice")
    assert left.get(timeout=SOON_S) == "told twice"


def test_a_guard_that_is_released_does_nothing_any_more() -> None:
    before = {thread for thread in threading.enumerate() if thread.name == "guard"}
    guard = Guard(lambda why: pytest.fail(why))
    (thread,) = {thread for thread in threading.enumerate() if thread.name == "guard"} - before
    guard.stand(1.0)
    guard.release()
    thread.join(SOON_S)
    assert not thread.is_alive()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_wakes_a_loop_that_sleeps_and_the_second_one_is_another_matter(
    loop: str, number: signal.Signals
) -> None:
    async def main() -> list[str]:
        stop, again = asyncio.Event(), asyncio.Event()
        running = asyncio.get_running_loop()
        heard: list[str] = []

        def second(why: str) -> None:
            heard.append(why)
            running.call_soon_threadsafe(again.set)

        before = signal.getsignal(number)
        with stop_signals(lambda: running.call_soon_threadsafe(stop.set), second):
            for event in (stop, again):
                sending = threading.Timer(0.1, os.kill, [os.getpid(), number])
                sending.start()
                async with asyncio.timeout(SOON_S):
                    await event.wait()
                sending.join()
        assert signal.getsignal(number) == before
        return heard

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        assert runner.run(main()) == ["told to stop a second time"]


def test_each_step_of_a_stop_ends_at_its_share_or_at_its_own_limit() -> None:
    async def main() -> None:
        now = asyncio.get_running_loop().time()
        budget = Budget(now, 100.0)
        assert budget.until(0.25) == now + 25
        assert budget.end == now + 100
        assert now + 3 <= budget.until(0.25, 3.0) < now + 25
        late = Budget(now - 99, 100.0)
        assert late.until(0.25, 3.0) == now - 74, "there is no time left for it"

    asyncio.run(main())


def test_what_does_not_end_is_told_and_left(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        never: asyncio.Future[None] = loop.create_future()

        async def stays() -> None:
            await never

        async def fails() -> None:
            raise OSError("no such thing")

        tasks = [loop.create_task(stays(), name="who stays"), loop.create_task(fails(), name="who fails")]
        await ended(tasks, loop.time() + 0.1)
        assert not tasks[0].done()
        never.set_result(None)
        await ended(tasks, loop.time() + SOON_S)
        assert tasks[0].done()

    asyncio.run(main())
    assert [record.getMessage() for record in caplog.records] == [
        "who fails has failed at its end",
        "these do not end in time: who stays",
    ]
