"""The pvAccess client on a real EPICS 7 IOC, whose records QSRV 2 serves."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from forwarder.model import EPICS_EPOCH_S, ChannelType, ValueType
from tests.support.ca_client import Recorder, Run, last_value, until
from tests.support.ioc import EpicsIoc
from tests.support.pva import pv_access

DATABASE = """
record(ai, "T:DOUBLE") { field(VAL, "1.5") field(EGU, "mm") field(PINI, "YES") }
record(longin, "T:LONG") { field(VAL, "-2147483648") field(PINI, "YES") }
record(int64in, "T:INT64") { field(VAL, "-9223372036854775807") field(PINI, "YES") }
record(stringin, "T:STRING") { field(VAL, "on") field(PINI, "YES") }
record(lsi, "T:LONGSTRING") { field(SIZV, "300") field(PINI, "YES") }
record(mbbi, "T:ENUM") { field(ZRST, "a") field(ONST, "b") field(TWST, "c") field(VAL, "2") field(PINI, "YES") }
record(bi, "T:BINARY") { field(ZNAM, "off") field(ONAM, "on") field(VAL, "1") field(PINI, "YES") }
record(ai, "T:ALARM") {
    field(HIGH, "10") field(HSV, "MINOR") field(HIHI, "20") field(HHSV, "MAJOR") field(EGU, "K") field(PINI, "YES")
}
record(mbbi, "T:RENAMED") { field(ZRST, "a") field(ONST, "b") field(PINI, "YES") }
record(ai, "T:FRESH") { field(VAL, "7") }
record(waveform, "T:ONE") { field(FTVL, "DOUBLE") field(NELM, "1") }
record(waveform, "T:LARGE") { field(FTVL, "DOUBLE") field(NELM, "200000") }
record(calc, "T:COUNT") { field(SCAN, ".1 second") field(CALC, "VAL+1") }
""" + "".join(
    f'record({record}, "T:A:{kind}") {{ field(FTVL, "{kind}") field(NELM, "10") }}\n'
    for record, kinds in {
        "waveform": "STRING UCHAR SHORT LONG UINT64 FLOAT",
        "aai": "USHORT ULONG INT64 DOUBLE",
    }.items()
    for kind in kinds.split()
)


@pytest.fixture(scope="module")
def ioc() -> Iterator[EpicsIoc]:
    with EpicsIoc(DATABASE) as ioc:
        yield ioc


SCALARS = [
    ("T:DOUBLE", ValueType.FLOAT64, 1.5),
    ("T:LONG", ValueType.INT32, -(2**31)),
    ("T:INT64", ValueType.INT64, -(2**63) + 1),
    ("T:STRING", ValueType.STRING, "on"),
    ("T:LONGSTRING", ValueType.STRING, ""),
    ("T:ENUM", ValueType.ENUM, 2),
    ("T:BINARY", ValueType.ENUM, 1),
    ("T:DOUBLE.PREC", ValueType.INT16, 0),
    ("T:DOUBLE.UDF", ValueType.UINT8, 0),
    ("T:DOUBLE.EGU", ValueType.STRING, "mm"),
    ("T:DOUBLE.HHSV", ValueType.ENUM, 0),
    ("T:ONE", ValueType.FLOAT64, 0),
]
ARRAYS: list[tuple[str, ValueType, list[Any]]] = [
    ("T:A:STRING", ValueType.STRING, ["a", "", "x" * 39]),
    ("T:A:UCHAR", ValueType.UINT8, [120, 121, 0]),
    ("T:A:SHORT", ValueType.INT16, [-32768, 0, 32767]),
    ("T:A:USHORT", ValueType.UINT16, [0, 1, 65535]),
    ("T:A:LONG", ValueType.INT32, [-(2**31), 0, 2**31 - 1]),
    ("T:A:ULONG", ValueType.UINT32, [0, 1, 2**32 - 1]),
    ("T:A:INT64", ValueType.INT64, [-(2**62), 0, 2**62 + 1]),
    ("T:A:UINT64", ValueType.UINT64, [0, 1, 2**63 - 1]),
    ("T:A:FLOAT", ValueType.FLOAT32, [-1.5, 0, 2.5]),
    ("T:A:DOUBLE", ValueType.FLOAT64, [-0.1, 0, 1e300]),
]


def test_scalars_have_the_types_of_the_records(run: Run[None], ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with pv_access(ioc.pva_address) as client:
            recorders = [Recorder(name) for name, *_ in SCALARS]
            for recorder in recorders:
                client.subscribe(recorder)
            await until(lambda: all(recorder.values for recorder in recorders))
            assert [(each.channel, each.kinds[0].element, each.values[0]) for each in recorders] == SCALARS
            assert not any(each.kinds[0].is_array for each in recorders)
            assert abs(recorders[0].updates[0][1] - time.time_ns()) < 600 * 10**9
            assert all(each.errors == [] for each in recorders)

    run(main())


def test_arrays_have_the_types_of_the_records_and_the_length_they_have(ioc: EpicsIoc) -> None:
    def write(name: str, values: list[Any]) -> None:
        ioc.put(name, bytes(values[:-1]).decode() if "CHAR" in name else values)

    async def main() -> None:
        async with pv_access(ioc.pva_address) as client:
            recorders = [Recorder(name) for name, *_ in ARRAYS]
            for recorder in recorders:
                client.subscribe(recorder)
            await until(lambda: all(recorder.values for recorder in recorders))
            assert [recorder.kinds for recorder in recorders] == [
                [ChannelType(element, is_array=True)] for _, element, _ in ARRAYS
            ]
            assert [recorder.values for recorder in recorders] == [[[]]] * len(ARRAYS)
            for recorder, (name, _, values) in zip(recorders, ARRAYS, strict=True):
                for length in (3, 1, 2):
                    heard = len(recorder.values)
                    await asyncio.to_thread(write, name, values[-length:])
                    await until(lambda heard=heard, recorder=recorder: len(recorder.values) > heard)
                    assert last_value(recorder) == values[-length:]
            assert all(len(recorder.kinds) == 1 for recorder in recorders)

    asyncio.run(main())


def test_a_long_string_is_whole(ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with pv_access(ioc.pva_address) as client:
            recorder = Recorder("T:LONGSTRING")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            await asyncio.to_thread(ioc.put, "T:LONGSTRING", "x" * 39)
            await until(lambda: last_value(recorder) == "x" * 39)

    asyncio.run(main())


def test_a_large_array(ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with pv_access(ioc.pva_address) as client:
            recorder = Recorder("T:LARGE")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            await asyncio.to_thread(ioc.put, "T:LARGE", list(range(150_000)))
            await until(lambda: last_value(recorder) == list(range(150_000)))

    asyncio.run(main())


def test_alarms_have_the_numbers_that_channel_access_has(run: Run[None], ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with pv_access(ioc.pva_address) as client:
            recorder = Recorder("T:ALARM")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            story = [(1, 0, 0, ""), (11, 4, 1, "HIGH"), (12, 4, 1, "HIGH"), (21, 3, 2, "HIHI"), (2, 0, 0, "")]
            for value, status, severity, message in story:
                await asyncio.to_thread(ioc.put, "T:ALARM", value)
                await until(lambda value=value: last_value(recorder) == value)
                assert recorder.updates[-1][2:] == (status, severity)
                assert recorder.alarm_message == message

    run(main())


def test_a_record_that_never_processed_says_so(ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with pv_access(ioc.pva_address) as client:
            recorder = Recorder("T:FRESH")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            assert recorder.updates == [(7.0, EPICS_EPOCH_S * 10**9, 17, 0)], "as Channel Access says it"

    asyncio.run(main())


def test_units_and_a_change_of_limits(ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with pv_access(ioc.pva_address) as client:
            recorder = Recorder("T:ALARM")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            assert recorder.descriptions == [(1, "K", ())]
            await asyncio.to_thread(ioc.put, "T:ALARM.HIHI", 30)
            await until(lambda: client.counts()["property_updates"] == 1)
            await asyncio.to_thread(ioc.put, "T:ALARM.EGU", "mK")
            await until(lambda: len(recorder.descriptions) == 2)
            await asyncio.to_thread(ioc.put, "T:ALARM", 5)
            await until(lambda: last_value(recorder) == 5)
            assert recorder.descriptions[-1] == (2, "mK", ())
            assert len(recorder.updates) == 2, "neither value nor time changed with the limit and the units"

    asyncio.run(main())


def test_enum_strings_and_a_change_of_them(ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with pv_access(ioc.pva_address) as client:
            recorder = Recorder("T:RENAMED")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            await asyncio.to_thread(ioc.put, "T:RENAMED.ONST", "running")
            await until(lambda: len(recorder.descriptions) == 2)
            assert recorder.descriptions == [(1, "", ("a", "b")), (2, "", ("a", "running"))]
            assert recorder.values == [0]

    asyncio.run(main())


def test_a_name_server_is_asked(run: Run[None], ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with pv_access(name_servers=(ioc.pva_name_server,)) as client:
            recorder = Recorder("T:COUNT")
            client.subscribe(recorder)
            await until(lambda: len(recorder.updates) > 2)

    run(main())


def test_the_environment_is_not_looked_at(ioc: EpicsIoc, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says is in the settings already, and those may say otherwise."""
    monkeypatch.setenv("EPICS_PVA_ADDR_LIST", ioc.pva_address)

    async def main() -> None:
        async with pv_access(never_connected_after_s=0.3) as client:
            recorder = Recorder("T:COUNT")
            client.subscribe(recorder)
            await until(lambda: recorder.heard)
            assert recorder.story == ["never_connected"]

    asyncio.run(main())
