"""The pvAccess client on p4p's own server: every structure, and PVs that change while they are watched."""

import asyncio
import threading
import time
from typing import Any

import numpy as np
import pytest
from p4p import Type, Value
from p4p.nt import NTEnum, NTNDArray, NTScalar, NTTable

from forwarder.model import ChannelType, Image, Table, ValueType
from tests.support.ca_client import Recorder, Run, last_value, until
from tests.support.pva import NEW_YEAR_S, pv_access, serving, stamped
from tests.support.pva_counting import CountingServer

TIME_NS = NEW_YEAR_S * 10**9 + 123_456_789

SCALARS: dict[str, tuple[ValueType, Any]] = {
    "?": (ValueType.BOOL, True),
    "b": (ValueType.INT8, -128),
    "B": (ValueType.UINT8, 255),
    "h": (ValueType.INT16, -(2**15)),
    "H": (ValueType.UINT16, 2**16 - 1),
    "i": (ValueType.INT32, -(2**31)),
    "I": (ValueType.UINT32, 2**32 - 1),
    "l": (ValueType.INT64, -(2**63)),
    "L": (ValueType.UINT64, 2**64 - 1),
    "f": (ValueType.FLOAT32, 0.5),
    "d": (ValueType.FLOAT64, 0.1),
    "s": (ValueType.STRING, "µ"),
}


def array(code: str, values: list[Any]) -> Any:
    return values if code == "s" else np.array(values, code)


def test_scalars_and_arrays_of_every_type(run: Run[None]) -> None:
    values = {
        **{f"S:{code}": stamped(NTScalar(code).type, value) for code, (_, value) in SCALARS.items()},
        **{f"A:{code}": stamped(NTScalar(f"a{code}").type, array(code, [v, v])) for code, (_, v) in SCALARS.items()},
    }

    async def main(address: str) -> None:
        async with pv_access(address) as client:
            recorders = {name: Recorder(name) for name in values}
            for recorder in recorders.values():
                client.subscribe(recorder)
            await until(lambda: all(recorder.updates for recorder in recorders.values()))
            for code, (element, value) in SCALARS.items():
                scalar, more = recorders[f"S:{code}"], recorders[f"A:{code}"]
                assert scalar.kinds == [ChannelType(element, is_array=False)]
                assert scalar.updates == [(value, TIME_NS, 0, 0)]
                assert more.kinds == [ChannelType(element, is_array=True)]
                assert more.values == [[value, value]]
                assert more.updates[0][1] == TIME_NS
            assert client.counts()["updates"] == len(values)

    with serving(values) as server:
        run(main(server.address))


def test_an_enum(run: Run[None]) -> None:
    async def main(address: str) -> None:
        async with pv_access(address) as client:
            recorder = Recorder("PV")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            assert recorder.kinds == [ChannelType(ValueType.ENUM, is_array=False)]
            assert recorder.values == [1]
            assert recorder.descriptions == [(1, "", ("off", "on"))]

    with serving({"PV": stamped(NTEnum().type, {"index": 1, "choices": ["off", "on"]})}) as server:
        run(main(server.address))


def test_a_table_and_an_image(run: Run[None]) -> None:
    table = NTTable([("t", "d"), ("n", "I"), ("name", "s")])
    rows = table.wrap([{"t": 1.5, "n": 1, "name": "a"}, {"t": 2.5, "n": 2**32 - 1, "name": "b"}])
    pixels = NTNDArray().wrap(np.arange(6, dtype="u2").reshape(2, 3))
    pixels["uniqueId"] = 7

    async def main(address: str) -> None:
        async with pv_access(address) as client:
            recorders = [Recorder("TABLE"), Recorder("IMAGE")]
            for recorder in recorders:
                client.subscribe(recorder)
            await until(lambda: all(recorder.updates for recorder in recorders))
            assert [each.kinds[0].element for each in recorders] == [ValueType.TABLE, ValueType.IMAGE]
            got_table, got_image = (recorder.updates[0][0] for recorder in recorders)
            assert isinstance(got_table, Table)
            columns = {label: list(column) for label, column in got_table.columns.items()}
            assert columns == {"t": [1.5, 2.5], "n": [1, 2**32 - 1], "name": ["a", "b"]}
            assert isinstance(got_image, Image)
            assert (got_image.unique_id, got_image.dimensions) == (7, (3, 2))
            assert got_image.data.tolist() == [0, 1, 2, 3, 4, 5]
            assert got_image.data.dtype == np.uint16

    with serving({"TABLE": rows, "IMAGE": pixels}) as server:
        run(main(server.address))


def test_a_bare_structure_gets_the_time_of_its_receipt(run: Run[None]) -> None:
    structure = Type([("value", "d")])

    async def main() -> None:
        with serving({"PV": Value(structure, {"value": 1.5})}) as server:
            async with pv_access(server.address) as client:
                recorder = Recorder("PV")
                client.subscribe(recorder)
                await until(lambda: recorder.updates)
                server.pvs["PV"].post(Value(structure, {"value": 2.5}))
                await until(lambda: recorder.values == [1.5, 2.5])
                for _, time_ns, status, severity in recorder.updates:
                    assert abs(time_ns - time.time_ns()) < 60 * 10**9
                    assert (status, severity) == (0, 0)
                assert client.counts()["updates_without_time"] == 2

    run(main())


def test_texts_that_are_not_utf8(run: Run[None]) -> None:
    """A lone one is taken for Latin-1, as Channel Access does; an array with one can't be read and is counted."""
    one, many = NTScalar("s", display=True).type, NTScalar("as").type

    async def main() -> None:
        first = {"ONE": stamped(one, b"\xb0C", display={"units": b"\xb5m"}), "MANY": stamped(many, ["a"])}
        with serving(first) as server:
            async with pv_access(server.address) as client:
                lone, several = Recorder("ONE"), Recorder("MANY")
                client.subscribe(lone)
                client.subscribe(several)
                await until(lambda: lone.updates and several.updates)
                assert lone.values == ["°C"]
                assert lone.descriptions == [(1, "µm", ())]
                server.pvs["MANY"].post(stamped(many, ["x", b"\xb0C"]))
                server.pvs["MANY"].post(stamped(many, ["b"]))
                await until(lambda: last_value(several) == ["b"])
                assert [type(error) for error in several.errors] == [UnicodeDecodeError]
                assert client.counts()["failed_updates"] == 1

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_pv_that_is_closed_and_opened_with_another_structure_goes_on(run: Run[None]) -> None:
    structures = [
        (stamped(NTScalar("d").type, 1.5), ChannelType(ValueType.FLOAT64, False), 1.5),
        (stamped(NTScalar("al").type, [1, 2]), ChannelType(ValueType.INT64, True), [1, 2]),
        (stamped(NTEnum().type, {"index": 1, "choices": ["a", "b"]}), ChannelType(ValueType.ENUM, False), 1),
    ]

    async def main() -> None:
        with serving({"PV": structures[0][0], "OTHER": stamped(NTScalar("d").type, 0)}) as server:
            async with pv_access(server.address) as client:
                recorder, other = Recorder("PV"), Recorder("OTHER")
                client.subscribe(recorder)
                client.subscribe(other)
                await until(lambda: recorder.updates and other.updates)
                for value, _, _ in structures[1:]:
                    server.pvs["PV"].close()
                    await until(lambda: recorder.story[-1] == "disconnected")
                    server.pvs["PV"].open(value)
                    await until(lambda: recorder.story[-1] == "update")
                assert recorder.kinds == [kind for _, kind, _ in structures]
                assert recorder.values == [value for _, _, value in structures]
                assert other.story == ["connected", "update"]

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_pv_without_a_value_connects_when_it_gets_one(run: Run[None]) -> None:
    strange = Type([("x", "d")])

    async def main() -> None:
        with serving({"PV": Value(strange, {"x": 0.0})}) as server:
            async with pv_access(server.address) as client:
                recorder = Recorder("PV")
                client.subscribe(recorder)
                await until(lambda: recorder.errors)
                server.pvs["PV"].post(Value(strange, {"x": 1.0}))
                await until(lambda: client.counts()["failed_updates"] == 2)
                assert client.counts()["searching"] == 1
                server.pvs["PV"].close()
                server.pvs["PV"].open(stamped(NTScalar("d").type, 1.5))
                await until(lambda: recorder.updates)
                assert recorder.story == ["failed", "failed", "connected", "update"]
                assert recorder.values == [1.5]

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_pv_that_moves_to_another_server_goes_on(run: Run[None]) -> None:
    async def main() -> None:
        value = stamped(NTScalar("d").type, 1.0)
        with serving({"PV": value}) as first, serving() as second:
            async with pv_access(first.address, second.address) as client:
                recorder = Recorder("PV")
                client.subscribe(recorder)
                await until(lambda: recorder.updates)
                first.stop()
                await until(lambda: recorder.story[-1] == "disconnected")
                second.add("PV", stamped(NTScalar("i").type, 2))
                await until(lambda: recorder.values == [1.0, 2])
                assert [kind.element for kind in recorder.kinds] == [ValueType.FLOAT64, ValueType.INT32]

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_server_that_restarts_is_found_again(run: Run[None]) -> None:
    async def main() -> None:
        with serving({"PV": stamped(NTScalar("d").type, 1.0)}) as server:
            async with pv_access(server.address) as client:
                recorder = Recorder("PV")
                client.subscribe(recorder)
                await until(lambda: recorder.updates)
                server.stop()
                await until(lambda: recorder.story[-1] == "disconnected")
                server.start()
                await until(lambda: recorder.story[-1] == "update")
                assert recorder.story == ["connected", "update", "disconnected", "connected", "update"]

    run(main())


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
