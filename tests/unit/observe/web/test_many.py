"""Ten thousand PVs: the table answers at once, the event loop is never kept for long, and memory stays small.

Times are CPU times of the loop's thread: what others do on the same machine is no part of them.
"""

import asyncio
import gc
import statistics
import time
import tracemalloc
from typing import Any

import pytest

from forwarder.observe.web.sampler import Sampler
from tests.unit.observe.web.rig import DOUBLE, Api, Bench

PVS = 10_000
ANSWER_S = 0.2
PAUSE_S = 0.02
MEMORY_BYTES = 1_000
"""Of what is remembered of a PV for people, at most; all there is of one has to stay within 5 kB."""

ASKED: list[dict[str, Any]] = [
    {},
    {"sort": "rate", "order": "desc"},
    {"sort": "value", "order": "desc", "offset": 5000},
    {"search": "*:1?3", "sort": "dropped"},
    {"state": "connected", "topic": "data", "schema": "f142", "sort": "name", "order": "desc", "offset": 9900},
    {"sort": "lost_at", "limit": 500},
]


@pytest.fixture(scope="module")
def many() -> Bench:
    bench = Bench()
    names = [f"SIM:{number}" for number in range(PVS)]
    bench.open(*names)
    for number, name in enumerate(names):
        bench.connect(name, float(number * 7919 % PVS))
    return bench


async def pauses(stop: asyncio.Event) -> list[float]:
    """How long each turn of the loop took, as somebody who only waits for the next one sees it."""
    seen: list[float] = []
    before = time.thread_time()
    while not stop.is_set():
        await asyncio.sleep(0)
        now = time.thread_time()
        seen.append(now - before)
        before = now
    return seen


async def longest_pause(work: Any) -> tuple[float, float]:
    """The longest turn of the loop while this is done, and how long it took in all."""
    stop = asyncio.Event()
    watching = asyncio.ensure_future(pauses(stop))
    await asyncio.sleep(0)
    began = time.thread_time()
    await work
    took = time.thread_time() - began
    stop.set()
    return max(await watching), took


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_table_answers_soon_and_does_not_keep_the_loop(many: Bench, asked: dict[str, Any]) -> None:
    async def main() -> list[tuple[float, float]]:
        await many.sampler.look()
        async with many.serve() as api:
            await api.get("pvs", **asked)
            gc.collect()
            return [await longest_pause(api.get("pvs", **asked)) for _ in range(5)]

    measured = asyncio.run(main())
    longest, took = (statistics.median(each) for each in zip(*measured, strict=True))
    assert took < ANSWER_S, f"{took * 1000:.0f} ms"
    assert longest < PAUSE_S, f"{longest * 1000:.1f} ms"


@pytest.mark.parametrize("path", ["overview", "topics"])
def test_the_other_pages_do_not_keep_it_either(many: Bench, path: str) -> None:
    async def use(api: Api) -> list[tuple[float, float]]:
        return [await longest_pause(api.get(path)) for _ in range(5)]

    async def main() -> list[tuple[float, float]]:
        await many.sampler.look()
        async with many.serve() as api:
            return await use(api)

    longest, _ = (statistics.median(each) for each in zip(*asyncio.run(main()), strict=True))
    assert longest < PAUSE_S


def test_a_look_at_all_pvs_does_not_keep_the_loop(many: Bench) -> None:
    async def main() -> list[tuple[float, float]]:
        gc.collect()
        return [await longest_pause(many.sampler.look()) for _ in range(5)]

    longest, took = (statistics.median(each) for each in zip(*asyncio.run(main()), strict=True))
    assert longest < PAUSE_S, f"{longest * 1000:.1f} ms"
    assert took < ANSWER_S


def test_what_is_remembered_for_people_is_small(many: Bench) -> None:
    """Of each PV: the history of a PV that was found, lost and found again, and its sample."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for route in many.pipeline:
        route.disconnected("its circuit is lost: closed by the server")
        route.connected(DOUBLE, "ioc:5064")
    many.outbox.lane("", "data").incoming.clear()
    sampler = Sampler(many.described)
    asyncio.run(sampler.look())
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / PVS < MEMORY_BYTES
