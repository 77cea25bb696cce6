"""The pvAccess client while its IOC is killed, frozen, or comes back as something else."""

import asyncio
import time

import pytest

from forwarder.model import ChannelType, ValueType
from tests.support.ca_client import Recorder, Run, last_value, until
from tests.support.ioc import EpicsIoc
from tests.support.pva import pv_access

COUNT = 'record(calc, "R:COUNT") { field(SCAN, ".1 second") field(CALC, "VAL+1") }'


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_an_ioc_that_was_killed_is_found_again_with_another_type(run: Run[None]) -> None:
    before = EpicsIoc('record(ai, "R:PV") { field(VAL, "1.5") field(EGU, "mm") }')
    after = EpicsIoc('record(waveform, "R:PV") { field(FTVL, "ULONG") field(NELM, "5") }')
    after.pva_port, after.pva_broadcast_port = before.pva_port, before.pva_broadcast_port

    async def main() -> None:
        async with pv_access(before.pva_address) as client:
            recorder = Recorder("R:PV")
            client.subscribe(recorder)
            await until(lambda: recorder.values == [1.5])
            await asyncio.to_thread(before.kill)
            await until(lambda: recorder.story[-1] == "disconnected")
            await asyncio.to_thread(after.start)
            await until(lambda: len(recorder.updates) == 2, 20)
            await asyncio.to_thread(after.put, "R:PV", [1, 2**32 - 1])
            await until(lambda: last_value(recorder) == [1, 2**32 - 1])
            assert recorder.kinds == [ChannelType(ValueType.FLOAT64, False), ChannelType(ValueType.UINT32, True)]
            assert [units for _, units, _ in recorder.descriptions] == ["mm", ""]
            assert recorder.story == ["connected", "update", "disconnected", "connected", "update"]

    before.start()
    try:
        run(main())
    finally:
        before.close()
        after.close()


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_frozen_ioc_is_given_up_and_back_when_it_goes_on(run: Run[None]) -> None:
    async def main(ioc: EpicsIoc) -> None:
        async with pv_access(ioc.pva_address, conn_timeout_s=2) as client:
            recorder = Recorder("R:COUNT")
            client.subscribe(recorder)
            await until(lambda: len(recorder.values) > 2)
            ioc.freeze()
            await until(lambda: recorder.story[-1] == "disconnected")
            ioc.thaw()
            await until(lambda: recorder.story[-1] == "update", 20)
            assert recorder.count("disconnected") == 1
            assert client.counts()["lost_channels"] == 1

    with EpicsIoc(COUNT) as ioc:
        run(main(ioc))


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_frozen_ioc_does_not_keep_the_client_from_closing(run: Run[None]) -> None:
    async def main(ioc: EpicsIoc) -> None:
        async with pv_access(ioc.pva_address) as client:
            recorder = Recorder("R:COUNT")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            ioc.freeze()
            begin = time.monotonic()
        assert time.monotonic() - begin < 2

    with EpicsIoc(COUNT) as ioc:
        run(main(ioc))
        ioc.thaw()
