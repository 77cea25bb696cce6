"""The Channel Access client on real servers: an EPICS 7 IOC, and caproto's."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from forwarder.epics.ca import client as ca_client_module
from forwarder.epics.ca.client import ChannelAccess
from forwarder.model import ChannelType, ValueType
from tests.support.ca_client import Recorder, Run, ca_settings, channel_access, last_value, running, until
from tests.support.caproto_ioc import CaprotoIoc
from tests.support.ioc import EpicsIoc
from tests.support.ports import LOOPBACK

EVENTS_BEGIN_NS = 1_577_836_800 * 10**9
"""2020: every record of the database has processed since."""

DATABASE = """
record(ai, "T:DOUBLE") { field(VAL, "1.5") field(EGU, "mm") field(PINI, "YES") }
record(longin, "T:LONG") { field(EGU, "counts") field(VAL, "-2147483648") field(PINI, "YES") }
record(stringin, "T:STRING") { field(VAL, "on") field(PINI, "YES") }
record(mbbi, "T:ENUM") { field(ZRST, "a") field(ONST, "b") field(TWST, "c") field(VAL, "2") field(PINI, "YES") }
record(bi, "T:BINARY") { field(ZNAM, "off") field(ONAM, "on") field(VAL, "1") field(PINI, "YES") }
record(ai, "T:ALARM") { field(HIGH, "10") field(HSV, "MINOR") field(HIHI, "20") field(HHSV, "MAJOR") }
record(int64in, "T:INT64") { field(EGU, "ns") field(VAL, "123456789012") field(PINI, "YES") }
record(calc, "T:COUNT") { field(SCAN, ".1 second") field(CALC, "VAL+1") }
record(waveform, "T:LARGE") { field(FTVL, "DOUBLE") field(NELM, "100000") }
record(ai, "T:FRESH") { field(VAL, "7") }
""" + "".join(
    f'record(waveform, "T:W:{kind}") {{ field(FTVL, "{kind}") field(NELM, "10") field(EGU, "{kind}") }}\n'
    for kind in ("STRING", "CHAR", "UCHAR", "SHORT", "USHORT", "LONG", "ULONG", "FLOAT", "DOUBLE", "ENUM")
)


@pytest.fixture(scope="module")
def ioc() -> Iterator[EpicsIoc]:
    with EpicsIoc(DATABASE) as ioc:
        yield ioc


SCALARS = [
    ("T:DOUBLE", ValueType.FLOAT64, 1.5),
    ("T:LONG", ValueType.INT32, -(2**31)),
    ("T:STRING", ValueType.STRING, "on"),
    ("T:ENUM", ValueType.ENUM, 2),
    ("T:BINARY", ValueType.ENUM, 1),
    ("T:INT64", ValueType.FLOAT64, 123456789012.0),
    ("T:DOUBLE.PREC", ValueType.INT16, 0),
    ("T:DOUBLE.DESC", ValueType.STRING, ""),
    ("T:DOUBLE.UDF", ValueType.UINT8, 0),
]
ARRAYS: list[tuple[str, ValueType, list[Any]]] = [
    ("T:W:STRING", ValueType.STRING, ["a", "", "x" * 39]),
    ("T:W:CHAR", ValueType.UINT8, list(b"abc\0")),
    ("T:W:UCHAR", ValueType.UINT8, list(b"xyz\0")),
    ("T:W:SHORT", ValueType.INT16, [-32768, 0, 32767]),
    ("T:W:USHORT", ValueType.INT32, [0, 1, 65535]),
    ("T:W:LONG", ValueType.INT32, [-(2**31), 0, 2**31 - 1]),
    ("T:W:ULONG", ValueType.FLOAT64, [0, 1, 2**32 - 1]),
    ("T:W:FLOAT", ValueType.FLOAT32, [-1.5, 0, 2.5]),
    ("T:W:DOUBLE", ValueType.FLOAT64, [-0.1, 0, 1e300]),
    ("T:W:ENUM", ValueType.ENUM, [0, 1, 2]),
]


def write(ioc: EpicsIoc, name: str, values: list[Any]) -> None:
    """The IOC takes arrays of characters as text only, and puts a NUL behind it."""
    ioc.put(name, bytes(values[:-1]).decode() if "CHAR" in name else values)


def test_scalars_of_every_native_type(run: Run[None], ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with channel_access(ioc.ca_address) as client:
            recorders = [Recorder(name) for name, *_ in SCALARS]
            for recorder in recorders:
                client.subscribe(recorder)
            await until(lambda: all(recorder.values for recorder in recorders))
            assert [(each.channel, each.kinds[0].element, each.values[0]) for each in recorders] == SCALARS
            assert not any(each.kinds[0].is_array for each in recorders)
            assert recorders[0].updates[0][1] > EVENTS_BEGIN_NS
            assert client.counts()["circuits"] == 1

    run(main())


def test_arrays_of_every_native_type_come_in_the_length_they_have(run: Run[None], ioc: EpicsIoc) -> None:
    for name, _, values in ARRAYS:
        write(ioc, name, values)

    async def main() -> None:
        async with channel_access(ioc.ca_address) as client:
            recorders = [Recorder(name) for name, *_ in ARRAYS]
            for recorder in recorders:
                client.subscribe(recorder)
            await until(lambda: all(recorder.values for recorder in recorders))
            assert [(each.channel, each.kinds[0].element, each.values[0]) for each in recorders[:7]] == ARRAYS[:7]
            assert all(each.kinds[0].is_array for each in recorders)
            assert recorders[7].values[0] == ARRAYS[7][2]
            for recorder, (name, _, values) in zip(recorders, ARRAYS, strict=True):
                for length in (1, 3, 2):
                    heard = len(recorder.values)
                    # The last ones, because the NUL behind a text is among them.
                    await asyncio.to_thread(write, ioc, name, values[-length:])
                    await until(lambda heard=heard, recorder=recorder: len(recorder.values) > heard)
                    assert last_value(recorder) == values[-length:]

    run(main())


def test_an_array_that_is_empty_at_first_is_an_update_too(ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with channel_access(ioc.ca_address) as client:
            recorder = Recorder("T:LARGE")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            assert recorder.values == [[]]
            assert recorder.kinds == [ChannelType(ValueType.FLOAT64, is_array=True)]
            assert recorder.updates[0][1] == 631_152_000 * 10**9, "it has never processed"
            await asyncio.to_thread(ioc.put, "T:LARGE", list(range(20_000)))
            await until(lambda: len(recorder.updates) == 2)
            assert np.array_equal(recorder.updates[1][0], np.arange(20_000))

    asyncio.run(main())


def test_a_value_over_the_limit_is_refused_and_the_pv_goes_on(ioc: EpicsIoc) -> None:
    async def main() -> None:
        await asyncio.to_thread(ioc.put, "T:LARGE", [1.0])
        async with channel_access(ioc.ca_address, max_array_bytes=20_000) as client:
            recorder = Recorder("T:LARGE")
            client.subscribe(recorder)
            await until(lambda: recorder.values == [[1.0]])
            await asyncio.to_thread(ioc.put, "T:LARGE", list(range(20_000)))
            await until(lambda: recorder.errors)
            await asyncio.to_thread(ioc.put, "T:LARGE", [2.0])
            await until(lambda: recorder.values == [[1.0], [2.0]])
            assert client.counts()["refused_updates"] == len(recorder.errors) == 1

    asyncio.run(main())


def test_alarms_come_with_the_numbers_of_epics(run: Run[None], ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with channel_access(ioc.ca_address) as client:
            recorder = Recorder("T:ALARM")
            client.subscribe(recorder)
            for value, status, severity in [(1, 0, 0), (11, 4, 1), (21, 3, 2), (12, 4, 1), (2, 0, 0)]:
                await asyncio.to_thread(ioc.put, "T:ALARM", value)
                await until(lambda value=value: last_value(recorder) == value)
                assert recorder.updates[-1][2:] == (status, severity)

    run(main())


def test_undefined_records_say_so(ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with channel_access(ioc.ca_address) as client:
            recorder = Recorder("T:FRESH")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            assert [update[:3] for update in recorder.updates] == [(7.0, 631_152_000 * 10**9, 17)]

    asyncio.run(main())


def test_a_real_ioc_answers_searches_over_tcp(run: Run[None], ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with channel_access(name_servers=(ioc.ca_address,)) as client:
            recorder, missing = Recorder("T:DOUBLE"), Recorder("T:MISSING")
            client.subscribe(missing)
            client.subscribe(recorder)
            await until(lambda: recorder.values)
            assert client.counts()["search_datagrams"] == 0
            assert missing.heard == []

    run(main())


def test_properties_of_every_native_type(run: Run[None], ioc: EpicsIoc) -> None:
    """Also of arrays, which may be empty."""

    async def main() -> None:
        async with channel_access(ioc.ca_address) as client:
            recorders = [Recorder(name, wants_description=True) for name, *_ in [*SCALARS, *ARRAYS]]
            for recorder in recorders:
                client.subscribe(recorder)
            await until(lambda: all(recorder.updates and recorder.told for recorder in recorders))
            assert {recorder.channel: recorder.told for recorder in recorders if recorder.told != [("", ())]} == {
                "T:DOUBLE": [("mm", ())],
                "T:LONG": [("counts", ())],
                "T:ENUM": [("", ("a", "b", "c"))],
                "T:BINARY": [("", ("off", "on"))],
                "T:INT64": [("ns", ())],
                **{
                    name: [(name.removeprefix("T:W:"), ())]
                    for name, *_ in ARRAYS
                    if name not in ("T:W:STRING", "T:W:ENUM")
                },
            }
            assert all(recorder.errors == [] for recorder in recorders)
            assert {*recorders[0].servers} == {f"{LOOPBACK}:{ioc.ca_port}"}

    run(main())


def test_unsubscribing_one_leaves_the_other_on_their_circuit(ioc: EpicsIoc) -> None:
    async def main() -> None:
        async with channel_access(ioc.ca_address) as client:
            count, other = Recorder("T:COUNT"), Recorder("T:DOUBLE")
            client.subscribe(other)
            client.subscribe(count)
            await until(lambda: count.values and other.values)
            client.unsubscribe(other)
            heard, until_now = len(other.heard), len(count.values)
            await until(lambda: len(count.values) > until_now + 2)
            assert len(other.heard) == heard
            assert client.counts()["circuits"] == 1

    asyncio.run(main())


def restarted(first: str, second: str) -> tuple[EpicsIoc, EpicsIoc]:
    """Two IOCs, to be run one after the other, at the same ports."""
    before, after = EpicsIoc(first), EpicsIoc(second)
    after.ca_port, after.beacon_port = before.ca_port, before.beacon_port
    return before, after


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_an_ioc_that_was_killed_is_found_again(run: Run[None]) -> None:
    async def main(ioc: EpicsIoc) -> None:
        client = ChannelAccess(ca_settings(ioc.ca_address, repeater_port=ioc.beacon_port), 1e9)
        async with running(client):
            recorder = Recorder("R:COUNT")
            client.subscribe(recorder)
            await until(lambda: len(recorder.values) > 2)
            await asyncio.to_thread(ioc.kill)
            await until(lambda: recorder.story[-1] == "disconnected")
            await asyncio.to_thread(ioc.start)
            await until(lambda: recorder.story[-1] == "update", 5)
            assert recorder.story == ["connected", "update", "disconnected", "connected", "update"]
            assert client.counts()["beacons"] > 0

    with EpicsIoc('record(calc, "R:COUNT") { field(SCAN, ".1 second") field(CALC, "VAL+1") }') as ioc:
        run(main(ioc))


def test_a_pv_may_come_back_with_another_type_and_length() -> None:
    before, after = restarted(
        'record(ai, "R:PV") { field(VAL, "1.5") }',
        'record(waveform, "R:PV") { field(FTVL, "LONG") field(NELM, "5") }',
    )

    async def main() -> None:
        async with channel_access(before.ca_address, repeater_port=before.beacon_port) as client:
            recorder = Recorder("R:PV")
            client.subscribe(recorder)
            await until(lambda: recorder.values == [1.5])
            await asyncio.to_thread(before.kill)
            await until(lambda: recorder.story[-1] == "disconnected")
            await asyncio.to_thread(after.start)
            await until(lambda: len(recorder.updates) > 1)
            await asyncio.to_thread(after.put, "R:PV", [1, 2, 3])
            await until(lambda: last_value(recorder) == [1, 2, 3])
            assert recorder.kinds == [ChannelType(ValueType.FLOAT64, False), ChannelType(ValueType.INT32, True)]
            assert recorder.values == [1.5, [], [1, 2, 3]]
            assert client.counts()["length_changes"] == 1

    before.start()
    try:
        asyncio.run(main())
    finally:
        before.close()
        after.close()


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_frozen_ioc_is_given_up_and_back_when_it_goes_on(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca_client_module, "_ECHO_ANSWER_S", 0.5)
    monkeypatch.setattr(ca_client_module, "_WATCH_S", 0.1)

    async def main(ioc: EpicsIoc) -> None:
        async with channel_access(ioc.ca_address, conn_timeout_s=0.5) as client:
            recorder = Recorder("R:COUNT")
            client.subscribe(recorder)
            await until(lambda: len(recorder.values) > 2)
            ioc.freeze()
            await until(lambda: recorder.story[-1] == "disconnected", 5)
            assert client.counts()["searching"] == 1
            heard = len(recorder.heard)
            ioc.thaw()
            await until(lambda: recorder.story[-1] == "update", 10)
            assert recorder.heard[heard][0] == "connected"
            assert recorder.count("disconnected") == 1

    with EpicsIoc('record(calc, "R:COUNT") { field(SCAN, ".1 second") field(CALC, "VAL+1") }') as ioc:
        run(main(ioc))


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_caproto_server_is_read_too(run: Run[None]) -> None:
    async def main(ioc: CaprotoIoc) -> None:
        async with channel_access(ioc.ca_address) as client:
            names = ("DOUBLE", "TEXT", "ENUM", "ARRAY", "TEXTS", "CHARS")
            recorders = [Recorder(f"T:{name}", wants_description=True) for name in names]
            for recorder in recorders:
                client.subscribe(recorder)
            await until(lambda: all(recorder.updates and recorder.told for recorder in recorders))
            assert [recorder.values[0] for recorder in recorders] == [
                1.5,
                "on",
                1,
                [1.5, 2.5],
                ["a", "bc"],
                list(b"hello"),
            ]
            assert [recorder.told for recorder in recorders] == [
                [("mm", ())],
                [("", ())],
                [("", ("a", "b"))],
                [("V", ())],
                *[[("", ())]] * 2,
            ]
            assert [recorder.kinds[0].is_array for recorder in recorders] == [False] * 3 + [True] * 3
            assert all(recorder.errors == [] for recorder in recorders)
            assert client.counts()["circuits"] == 1

    with CaprotoIoc("tests.support.ca_ioc", readiness_pv="T:DOUBLE") as ioc:
        assert ioc.ca_address.startswith(LOOPBACK)
        run(main(ioc))
