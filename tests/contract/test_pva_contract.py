"""What every pvAccess client has to do on p4p's own server: every structure, and PVs that change while watched."""

import time
from typing import Any

import numpy as np
import pytest
from p4p import Type, Value
from p4p.nt import NTEnum, NTNDArray, NTScalar, NTTable

from forwarder.model import ChannelType, Image, Table, ValueType
from tests.support.ca_client import Recorder, Run, last_value, until
from tests.support.ca_loops import run as run
from tests.support.pva import ALARM, NEW_YEAR_S, PVA_CLIENTS, TIME, MakePva, pv_access, serving, stamped

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


@pytest.fixture(params=PVA_CLIENTS)
def make(request: pytest.FixtureRequest) -> MakePva:
    """Makes any pvAccess client."""
    return PVA_CLIENTS[request.param]


def array(code: str, values: list[Any]) -> Any:
    return values if code == "s" else np.array(values, code)


def test_scalars_and_arrays_of_every_type(run: Run[None], make: MakePva) -> None:
    values = {
        **{f"S:{code}": stamped(NTScalar(code).type, value) for code, (_, value) in SCALARS.items()},
        **{f"A:{code}": stamped(NTScalar(f"a{code}").type, array(code, [v, v])) for code, (_, v) in SCALARS.items()},
    }

    async def main(address: str) -> None:
        async with pv_access(address, make=make) as client:
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


def test_an_enum(run: Run[None], make: MakePva) -> None:
    async def main(address: str) -> None:
        async with pv_access(address, make=make) as client:
            recorder = Recorder("PV")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            assert recorder.kinds == [ChannelType(ValueType.ENUM, is_array=False)]
            assert recorder.values == [1]
            assert recorder.descriptions == [(1, "", ("off", "on"))]

    with serving({"PV": stamped(NTEnum().type, {"index": 1, "choices": ["off", "on"]})}) as server:
        run(main(server.address))


def test_a_table_and_an_image(run: Run[None], make: MakePva) -> None:
    table = NTTable([("t", "d"), ("n", "I"), ("name", "s")])
    rows = table.wrap([{"t": 1.5, "n": 1, "name": "a"}, {"t": 2.5, "n": 2**32 - 1, "name": "b"}])
    pixels = NTNDArray().wrap(np.arange(6, dtype="u2").reshape(2, 3))
    pixels["uniqueId"] = 7

    async def main(address: str) -> None:
        async with pv_access(address, make=make) as client:
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


def test_a_bare_structure_gets_the_time_of_its_receipt(run: Run[None], make: MakePva) -> None:
    structure = Type([("value", "d")])

    async def main() -> None:
        with serving({"PV": Value(structure, {"value": 1.5})}) as server:
            async with pv_access(server.address, make=make) as client:
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


def test_texts_that_are_not_utf8(run: Run[None], make: MakePva) -> None:
    """Each string by itself is taken for Latin-1, as Channel Access does."""
    one, many = NTScalar("s", display=True).type, NTScalar("as").type
    choices = NTEnum().type

    async def main() -> None:
        first = {
            "ONE": stamped(one, b"\xb0C", display={"units": b"\xb5m"}),
            "MANY": stamped(many, ["a"]),
            "ENUM": stamped(choices, {"index": 1, "choices": [b"\xb0C", "µm"]}),
        }
        with serving(first) as server:
            async with pv_access(server.address, make=make) as client:
                lone, several, chosen = recorders = [Recorder(name) for name in first]
                for recorder in recorders:
                    client.subscribe(recorder)
                await until(lambda: all(recorder.updates for recorder in recorders))
                assert lone.values == ["°C"]
                assert lone.descriptions == [(1, "µm", ())]
                assert chosen.descriptions == [(1, "", ("°C", "µm"))]
                strings = ["µ", b"\xb0C", b'"\xb0\\"', b"x" * 38 + b"\xc2"]
                server.pvs["MANY"].post(stamped(many, strings))
                await until(lambda: len(several.updates) == 2)
                assert several.values == [["a"], ["µ", "°C", '"°\\"', "x" * 38]]
                assert client.counts()["failed_updates"] == 0

    run(main())


def test_a_change_of_limits_alone_is_no_update(run: Run[None], make: MakePva) -> None:
    structure = NTScalar("d", display=True, control=True, valueAlarm=True).type

    async def main() -> None:
        with serving({"PV": stamped(structure, 1.5)}) as server:
            async with pv_access(server.address, make=make) as client:
                recorder = Recorder("PV")
                client.subscribe(recorder)
                await until(lambda: recorder.updates)
                for n, limit in enumerate(("display.limitHigh", "control.limitHigh", "valueAlarm.highAlarmLimit"), 1):
                    server.pvs["PV"].post(Value(structure, {limit: 20.0}))
                    await until(lambda n=n: client.counts()["property_updates"] == n)
                server.pvs["PV"].post(stamped(structure, 2.5))
                await until(lambda: last_value(recorder) == 2.5)
                assert recorder.values == [1.5, 2.5]

    run(main())


@pytest.mark.parametrize("seconds", [0, -1, 9_223_372_036, 2**63 - 1])
def test_a_time_that_63_bits_of_nanoseconds_do_not_hold_is_that_of_the_receipt(
    run: Run[None], make: MakePva, seconds: int
) -> None:
    value = Value(NTScalar("d").type, {"value": 1.5, "timeStamp": {"secondsPastEpoch": seconds}})

    async def main() -> None:
        with serving({"PV": value}) as server:
            async with pv_access(server.address, make=make) as client:
                recorder = Recorder("PV")
                client.subscribe(recorder)
                await until(lambda: recorder.updates)
                assert abs(recorder.updates[0][1] - time.time_ns()) < 60 * 10**9
                assert client.counts()["updates_without_time"] == 1

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_pv_that_is_closed_and_opened_with_another_structure_goes_on(run: Run[None], make: MakePva) -> None:
    structures = [
        (stamped(NTScalar("d").type, 1.5), ChannelType(ValueType.FLOAT64, False), 1.5),
        (stamped(NTScalar("al").type, [1, 2]), ChannelType(ValueType.INT64, True), [1, 2]),
        (stamped(NTEnum().type, {"index": 1, "choices": ["a", "b"]}), ChannelType(ValueType.ENUM, False), 1),
    ]

    async def main() -> None:
        with serving({"PV": structures[0][0], "OTHER": stamped(NTScalar("d").type, 0)}) as server:
            async with pv_access(server.address, make=make) as client:
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


STRANGE = {
    "nothing": Value(Type([])),
    "a union": Value(Type([("value", ("U", None, [("x", "d")])), ("timeStamp", TIME)], id="epics:nt/NTUnion:1.0")),
    "anything": Value(Type([("value", "v")])),
    "a group": Value(Type([("x", ("S", None, [("value", "d"), ("alarm", ALARM)])), ("y", "d")])),
}


@pytest.mark.parametrize("first", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_structure_without_a_value_connects_with_an_unknown_type(run: Run[None], make: MakePva, first: Value) -> None:
    async def main() -> None:
        with serving({"PV": first}) as server:
            async with pv_access(server.address, make=make) as client:
                recorder = Recorder("PV")
                client.subscribe(recorder)
                await until(lambda: recorder.updates)
                assert recorder.kinds == [ChannelType(ValueType.UNKNOWN, is_array=False)]
                assert client.counts()["subscribed"] == 1
                server.pvs["PV"].close()
                await until(lambda: recorder.story[-1] == "disconnected")
                server.pvs["PV"].open(stamped(NTScalar("d").type, 1.5))
                await until(lambda: last_value(recorder) == 1.5)
                assert recorder.story == ["connected", "update", "disconnected", "connected", "update"]
                assert recorder.errors == []

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_structure_without_a_value_has_updates_with_alarm_and_time(run: Run[None], make: MakePva) -> None:
    structure = Type([("x", "d"), ("alarm", ALARM), ("timeStamp", TIME)])
    alarm = {"severity": 2, "status": 1, "message": "HIHI"}

    async def main() -> None:
        stamp = {"secondsPastEpoch": NEW_YEAR_S, "nanoseconds": 123_456_789}
        with serving({"PV": Value(structure, {"x": 1.0, "alarm": alarm, "timeStamp": stamp})}) as server:
            async with pv_access(server.address, make=make) as client:
                recorder = Recorder("PV")
                client.subscribe(recorder)
                await until(lambda: recorder.updates)
                server.pvs["PV"].post(Value(structure, {"x": 2.0}))
                await until(lambda: len(recorder.updates) == 2)
                assert [update[1:] for update in recorder.updates] == [(TIME_NS, 3, 2)] * 2
                assert recorder.alarm_message == "HIHI"

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_pv_that_moves_to_another_server_goes_on(run: Run[None], make: MakePva) -> None:
    async def main() -> None:
        value = stamped(NTScalar("d").type, 1.0)
        with serving({"PV": value}) as first, serving() as second:
            async with pv_access(first.address, second.address, make=make) as client:
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
def test_a_server_that_restarts_is_found_again(run: Run[None], make: MakePva) -> None:
    async def main() -> None:
        with serving({"PV": stamped(NTScalar("d").type, 1.0)}) as server:
            async with pv_access(server.address, make=make) as client:
                recorder = Recorder("PV")
                client.subscribe(recorder)
                await until(lambda: recorder.updates)
                server.stop()
                await until(lambda: recorder.story[-1] == "disconnected")
                server.start()
                await until(lambda: recorder.story[-1] == "update")
                assert recorder.story == ["connected", "update", "disconnected", "connected", "update"]

    run(main())
