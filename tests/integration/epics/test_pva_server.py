"""What is of p4p alone: its threads, and how often they wake the loop."""

import asyncio
import threading
import time

import pytest
from p4p.nt import NTScalar

from tests.support.ca_client import Recorder, Run, until
from tests.support.pva import pv_access, serving, stamped
from tests.support.pva_counting import CountingServer


def test_nothing_of_the_library_is_busy_after_closing() -> None:
    async def main(address: str) -> set[str]:
        for _ in range(3):
            async with pv_access(address) as client:
                recorder = Recorder("PV")
                client.subscribe(recorder)
                await until(lambda recorder=recorder: recorder.updates)
                begin = time.monotonic()
            assert time.monotonic() - begin < 2
        return {thread.name for thread in threading.enumerate()}

    with serving({"PV": stamped(NTScalar("d").type, 1.0)}) as server:
        asyncio.run(main(server.address))
        before = time.process_time()
        time.sleep(0.3)
        assert time.process_time() - before < 0.1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("PVA")]


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_100_pvs_at_120_hz_have_no_gap_and_share_their_wake_ups(run: Run[None]) -> None:
    async def main(server: CountingServer) -> None:
        async with pv_access(server.address) as client:
            recorders = [Recorder(f"COUNT:{n}") for n in range(100)]
            for recorder in recorders:
                client.subscribe(recorder)
            await until(lambda: all(recorder.updates for recorder in recorders))
            begin = time.monotonic()
            wakes, updates = client.counts()["wake_ups"], client.counts()["updates"]
            await until(lambda: len(recorders[0].updates) > 500, 30)
            seconds = time.monotonic() - begin
            wakes, updates = client.counts()["wake_ups"] - wakes, client.counts()["updates"] - updates
            for recorder in recorders:
                first = recorder.values[0]
                assert recorder.values == [first + n for n in range(len(recorder.values))]
                assert recorder.story == ["connected", "update"]
            assert updates / seconds > 6_000
            assert wakes / seconds < 150, "at most one in 10 ms, or one more when it comes just then"
            assert client.counts()["full_queues"] == 0

    with CountingServer(pvs=100, rate=120) as server:
        run(main(server))
