"""What every EPICS client of the service has to do, whatever its transport: each one joins the table below."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import pytest

from forwarder.epics.ca.client import ChannelAccess
from forwarder.epics.interface import Client
from forwarder.epics.simulated import Simulated
from forwarder.model import ChannelType, ValueType
from tests.support.ca_client import Recorder, Run, ca_settings, running, until
from tests.support.ca_loops import run as run
from tests.support.ioc import EpicsIoc
from tests.support.pva import PVA_CLIENTS, MakePva, pva_settings

DATABASE = """
record(calc, "C:COUNT") { field(SCAN, ".1 second") field(CALC, "VAL+1") }
record(calc, "C:FAST") { field(SCAN, ".1 second") field(CALC, "VAL+1") field(FLNK, "C:FAST2") }
record(calc, "C:FAST2") { field(CALC, "VAL+1") }
record(ai, "C:PUT") { }
record(ai, "C:STILL") { field(VAL, "1.5") field(PINI, "YES") }
record(ai, "C:UNITS") { field(EGU, "mm") field(HOPR, "1") }
record(longin, "C:NONE") { }
record(mbbi, "C:CHOICES") { field(ZRST, "off") field(ONST, "on") field(PINI, "YES") }
record(stringin, "C:STRING") { field(VAL, "on") }
record(lsi, "C:TEXT") { field(SIZV, "100") }
record(waveform, "C:CHARS") { field(FTVL, "CHAR") field(NELM, "100") }
record(waveform, "C:ONE") { field(FTVL, "DOUBLE") field(NELM, "1") }
record(waveform, "C:ONETEXT") { field(FTVL, "STRING") field(NELM, "1") }
record(waveform, "C:ARRAY") { field(FTVL, "DOUBLE") field(NELM, "5") }
"""

Description: TypeAlias = tuple[str, tuple[str, ...]]

FLOAT64 = ChannelType(ValueType.FLOAT64, is_array=False)


@dataclass(frozen=True)
class Kind:
    """One client, and what can be asked of it."""

    make: Callable[[EpicsIoc], Client]
    real: bool = True
    """Whether its PVs are those of the IOC; else every PV there is has a value of its own making."""


def channel_access(ioc: EpicsIoc) -> Client:
    return ChannelAccess(ca_settings(ioc.ca_address, repeater_port=ioc.beacon_port), never_connected_after_s=0.5)


def pv_access(make: MakePva, ioc: EpicsIoc) -> Client:
    return make(pva_settings(ioc.pva_address), 0.5)


CLIENTS = {
    "Channel Access": Kind(channel_access),
    **{f"pvAccess by {name}": Kind(partial(pv_access, make)) for name, make in PVA_CLIENTS.items()},
    "simulated": Kind(lambda _: Simulated(period_s=0.02), real=False),
}
REAL = {name: kind for name, kind in CLIENTS.items() if kind.real}


@pytest.fixture(scope="module")
def iocs() -> Iterator[dict[str, EpicsIoc]]:
    """One IOC for all tests that leave it as it is."""
    with EpicsIoc(DATABASE) as ioc:
        yield {"shared": ioc}


@pytest.fixture(params=CLIENTS)
def make(request: pytest.FixtureRequest, iocs: dict[str, EpicsIoc]) -> Callable[[], Client]:
    """Makes any client."""
    return partial(CLIENTS[request.param].make, iocs["shared"])


@pytest.fixture(params=REAL)
def make_real(request: pytest.FixtureRequest, iocs: dict[str, EpicsIoc]) -> Callable[[], Client]:
    """Makes any client that reads real PVs."""
    return partial(REAL[request.param].make, iocs["shared"])


def test_a_subscriber_hears_of_the_connection_and_then_of_values(run: Run[None], make: Callable[[], Client]) -> None:
    async def main() -> None:
        async with running(make()) as client:
            recorder = Recorder("C:COUNT")
            client.subscribe(recorder)
            await until(lambda: len(recorder.updates) > 2)
            assert recorder.story == ["connected", "update"]
            assert recorder.kinds == [FLOAT64]
            assert all(type(value) is float for value in recorder.values)
            assert client.counts()["updates"] >= 3

    run(main())


def test_updates_have_a_time_of_today_and_it_never_goes_back(run: Run[None], make: Callable[[], Client]) -> None:
    async def main() -> None:
        async with running(make()) as client:
            recorder = Recorder("C:COUNT")
            client.subscribe(recorder)
            await until(lambda: len(recorder.updates) > 4)
            times = [time_ns for _, time_ns, _, _ in recorder.updates]
            assert all(type(time_ns) is int for time_ns in times)
            assert times == sorted(times)
            assert times[0] > 1_577_836_800 * 10**9, "nanoseconds since 1970"

    run(main())


def test_after_unsubscribing_there_is_silence_and_others_go_on(run: Run[None], make: Callable[[], Client]) -> None:
    async def main() -> None:
        async with running(make()) as client:
            gone, stays = Recorder("C:COUNT"), Recorder("C:FAST")
            client.subscribe(gone)
            client.subscribe(stays)
            await until(lambda: gone.updates and stays.updates)
            client.unsubscribe(gone)
            heard, seen = len(gone.heard), len(stays.updates)
            await until(lambda: len(stays.updates) > seen + 2)
            assert len(gone.heard) == heard

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_unsubscribing_at_once_is_silent(run: Run[None], make_real: Callable[[], Client]) -> None:
    async def main() -> None:
        async with running(make_real()) as client:
            gone, other = Recorder("C:COUNT"), Recorder("C:COUNT")
            client.subscribe(gone)
            client.unsubscribe(gone)
            client.subscribe(other)
            await until(lambda: len(other.updates) > 1)
            assert gone.heard == []

    run(main())


def test_a_pv_can_be_subscribed_again(run: Run[None], make: Callable[[], Client]) -> None:
    async def main() -> None:
        async with running(make()) as client:
            for _ in range(3):
                recorder = Recorder("C:COUNT")
                client.subscribe(recorder)
                await until(lambda recorder=recorder: recorder.updates)
                assert recorder.story == ["connected", "update"]
                client.unsubscribe(recorder)

    run(main())


def test_two_listeners_of_one_pv_hear_both(run: Run[None], make: Callable[[], Client]) -> None:
    async def main() -> None:
        async with running(make()) as client:
            first, second = Recorder("C:COUNT"), Recorder("C:COUNT")
            client.subscribe(first)
            client.subscribe(second)
            await until(lambda: len(first.updates) > 1 and len(second.updates) > 1)
            client.unsubscribe(first)
            seen = len(second.updates)
            await until(lambda: len(second.updates) > seen)

    run(main())


def test_after_closing_there_is_silence(run: Run[None], make: Callable[[], Client]) -> None:
    async def main() -> None:
        recorder = Recorder("C:COUNT")
        async with running(make()) as client:
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            await client.close()
            heard = len(recorder.heard)
            # Longer than the period of any PV here: silence can't be waited for otherwise.
            await asyncio.sleep(0.15)
        assert len(recorder.heard) == heard

    run(main())


def test_a_client_that_was_never_run_can_be_closed(run: Run[None], make: Callable[[], Client]) -> None:
    async def main() -> None:
        client = make()
        await client.start()
        client.subscribe(Recorder("C:COUNT"))
        await client.close()
        await asyncio.sleep(0)

    run(main())


def test_a_listener_that_raises_is_told_and_hears_the_next_and_so_do_others(
    run: Run[None], make: Callable[[], Client]
) -> None:
    async def main() -> None:
        async with running(make()) as client:
            raising, other = Recorder("C:COUNT"), Recorder("C:FAST")
            error = RuntimeError("the listener's own")

            def raise_it() -> None:
                raise error

            raising.on_update = raise_it
            client.subscribe(raising)
            client.subscribe(other)
            await until(lambda: len(raising.updates) > 2 and len(other.updates) > 2)
            assert raising.errors[:2] == [error, error]
            assert "disconnected" not in raising.story

    run(main())


def test_a_listener_may_unsubscribe_itself_and_subscribe_another_on_an_update(
    run: Run[None], make: Callable[[], Client]
) -> None:
    async def main() -> None:
        async with running(make()) as client:
            first, second, third = Recorder("C:COUNT"), Recorder("C:FAST"), Recorder("C:COUNT")

            def hand_over() -> None:
                if len(first.updates) == 2:
                    client.unsubscribe(first)
                    client.subscribe(third)

            first.on_update = hand_over
            client.subscribe(first)
            client.subscribe(second)
            await until(lambda: len(third.updates) > 1 and len(second.updates) > 1)
            assert len(first.updates) == 2
            assert first.errors == []

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_no_update_of_a_counting_record_is_missing_or_out_of_order(
    run: Run[None], make_real: Callable[[], Client]
) -> None:
    async def main() -> None:
        async with running(make_real()) as client:
            recorders = [Recorder(name) for name in ("C:COUNT", "C:FAST", "C:FAST2")]
            for recorder in recorders:
                client.subscribe(recorder)
            await until(lambda: all(len(recorder.values) > 8 for recorder in recorders))
            for recorder in recorders:
                first = recorder.values[0]
                assert recorder.values == [first + n for n in range(len(recorder.values))]

    run(main())


def test_values_that_nobody_waits_for_are_delivered_all(
    make_real: Callable[[], Client], iocs: dict[str, EpicsIoc]
) -> None:
    """Scalars only: of an array an IOC queues no copies, and merges changes that follow each other closely."""

    async def main() -> None:
        async with running(make_real()) as client:
            recorder = Recorder("C:PUT")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            for n in range(1, 21):
                await asyncio.to_thread(iocs["shared"].put, "C:PUT", n)
            await until(lambda: len(recorder.values) > 20)
            # The first one is what a client before this one has left.
            assert recorder.values[1:] == list(range(1, 21))

    asyncio.run(main())


DESCRIBED: list[tuple[str, str, str, str, Description, Description]] = [
    ("C:UNITS", "EGU", "mm", "µm", ("mm", ()), ("µm", ())),
    ("C:NONE", "EGU", "", "V", ("", ()), ("V", ())),
    ("C:ARRAY", "EGU", "", "V", ("", ()), ("V", ())),
    ("C:CHOICES", "ONST", "on", "running", ("", ("off", "on")), ("", ("off", "running"))),
]


@pytest.mark.parametrize(("name", "field", "before", "after", "first", "second"), DESCRIBED)
def test_units_and_enum_strings_are_told_once_and_when_they_have_changed(
    make_real: Callable[[], Client],
    iocs: dict[str, EpicsIoc],
    name: str,
    field: str,
    before: str,
    after: str,
    first: Description,
    second: Description,
) -> None:
    async def main() -> None:
        async with running(make_real()) as client:
            recorder = Recorder(name, wants_description=True)
            client.subscribe(recorder)
            await until(lambda: recorder.updates and recorder.told)
            await asyncio.to_thread(iocs["shared"].put, f"{name}.{field}", after)
            await until(lambda: len(recorder.told) > 1)
            await asyncio.to_thread(iocs["shared"].put, f"{name}.{field}", before)
            await until(lambda: len(recorder.told) > 2)
            assert recorder.told == [first, second, first]
            assert recorder.story == ["connected", "update"]
            assert len(recorder.updates) == 1, "neither value nor time has changed"
            assert client.counts()["property_updates"] >= 2
            assert client.counts()["updates"] == 1

    asyncio.run(main())


def test_a_change_of_limits_is_not_told(make_real: Callable[[], Client], iocs: dict[str, EpicsIoc]) -> None:
    async def main() -> None:
        async with running(make_real()) as client:
            recorder = Recorder("C:UNITS", wants_description=True)
            client.subscribe(recorder)
            await until(lambda: recorder.updates and recorder.told)
            first = client.counts()["property_updates"]
            for n, limit in enumerate((2, 1), 1):
                await asyncio.to_thread(iocs["shared"].put, "C:UNITS.HOPR", limit)
                await until(lambda n=n: client.counts()["property_updates"] == first + n)
            assert recorder.told == [("mm", ())]
            assert len(recorder.updates) == 1

    asyncio.run(main())


@pytest.mark.parametrize("name", ["C:STRING", "C:TEXT.VAL$"])
def test_texts_have_neither_units_nor_enum_strings(make_real: Callable[[], Client], name: str) -> None:
    async def main() -> None:
        async with running(make_real()) as client:
            recorder = Recorder(name, wants_description=True)
            client.subscribe(recorder)
            await until(lambda: recorder.updates and recorder.told)
            assert recorder.told == [("", ())]

    asyncio.run(main())


def test_who_comes_to_want_a_description_is_told_then(run: Run[None], make: Callable[[], Client]) -> None:
    async def main() -> None:
        async with running(make()) as client:
            recorder, early = Recorder("C:UNITS"), Recorder("C:UNITS")
            client.subscribe(recorder)
            client.subscribe(early)
            early.wants_description = True
            client.describe(early)
            await until(lambda: recorder.updates and early.told)
            told = len(recorder.told)
            recorder.wants_description = True
            client.describe(recorder)
            await until(lambda: len(recorder.told) == told + 1)
            client.describe(recorder)
            assert len(recorder.told) == told + 2, "known already"
            assert {*recorder.told} == {*early.told}

    run(main())


def test_characters_are_a_text_where_the_name_says_so(
    make_real: Callable[[], Client], iocs: dict[str, EpicsIoc]
) -> None:
    async def main() -> None:
        async with running(make_real()) as client:
            text, numbers = Recorder("C:TEXT.VAL$"), Recorder("C:CHARS")
            client.subscribe(text)
            client.subscribe(numbers)
            await until(lambda: text.updates and numbers.updates)
            for value in ("µ" * 45, "short", ""):
                await asyncio.to_thread(iocs["shared"].put, "C:TEXT.VAL$", value)
                await until(lambda value=value: text.values[-1] == value)
            await asyncio.to_thread(iocs["shared"].put, "C:CHARS", "abc")
            await until(lambda: numbers.values[-1] == list(b"abc\0"))
            assert text.kinds == [ChannelType(ValueType.STRING, is_array=False)]
            assert numbers.kinds[0].is_array

    asyncio.run(main())


def test_an_array_comes_in_the_length_it_has(make_real: Callable[[], Client], iocs: dict[str, EpicsIoc]) -> None:
    async def main() -> None:
        async with running(make_real()) as client:
            recorder = Recorder("C:ARRAY")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            assert recorder.kinds == [ChannelType(ValueType.FLOAT64, is_array=True)]
            for value in ([1.0], [1.0, 2.0, 3.0], [4.0, 5.0]):
                await asyncio.to_thread(iocs["shared"].put, "C:ARRAY", value)
                await until(lambda value=value: recorder.values[-1] == value)

    asyncio.run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_filters_in_a_name_are_those_of_the_server_and_a_broken_one_harms_no_other(
    run: Run[None], make_real: Callable[[], Client], iocs: dict[str, EpicsIoc]
) -> None:
    iocs["shared"].shell("dbStateCreate red")
    iocs["shared"].shell("dbStateClear red")

    async def main() -> None:
        async with running(make_real()) as client:
            broken = [Recorder(f"C:COUNT.{name}") for name in ("{", '{"dbnd":{"d":"x"}}', '{"no-such-filter":{}}')]
            healthy, every_other = Recorder("C:COUNT"), Recorder('C:COUNT.{"dbnd":{"d":1}}')
            gated, text = Recorder('C:COUNT.{"sync":{"while":"red"}}'), Recorder('C:TEXT.VAL${"dbnd":{"d":0}}')
            for recorder in (*broken, healthy, every_other, gated, text):
                client.subscribe(recorder)
            await until(lambda: len(every_other.updates) > 4 and len(healthy.updates) > 10 and text.updates)
            first = every_other.values[0]
            assert every_other.values == [first + 2 * n for n in range(len(every_other.values))]
            assert [kind.element for kind in text.kinds] == [ValueType.STRING]
            await until(lambda: all(recorder.heard for recorder in broken))
            assert [recorder.story for recorder in broken] == [["never_connected"]] * 3
            assert healthy.story == ["connected", "update"]
            iocs["shared"].shell("dbStateSet red")
            seen = len(gated.updates)
            await until(lambda: len(gated.updates) > seen + 2)

    run(main())


def test_a_waveform_for_one_element_that_has_none_holds_a_zero(make_real: Callable[[], Client]) -> None:
    async def main() -> None:
        async with running(make_real()) as client:
            number, text = Recorder("C:ONE"), Recorder("C:ONETEXT")
            client.subscribe(number)
            client.subscribe(text)
            await until(lambda: number.updates and text.updates)
            assert (number.values, text.values) == ([0.0], [""])
            assert number.kinds == [FLOAT64]
            assert number.errors == text.errors == []

    asyncio.run(main())


def test_a_pv_that_does_not_change_still_has_a_first_value(make_real: Callable[[], Client]) -> None:
    async def main() -> None:
        async with running(make_real()) as client:
            recorder = Recorder("C:STILL")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            assert recorder.values == [1.5]

    asyncio.run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_missing_pv_is_reported_once(run: Run[None], make_real: Callable[[], Client]) -> None:
    async def main() -> None:
        async with running(make_real()) as client:
            missing, there = Recorder("C:MISSING"), Recorder("C:COUNT")
            client.subscribe(missing)
            client.subscribe(there)
            await until(lambda: missing.heard)
            seen = len(there.updates)
            await until(lambda: len(there.updates) > seen + 12)
            assert missing.story == ["never_connected"]
            assert there.story == ["connected", "update"]

    run(main())


@pytest.mark.parametrize("kind", REAL.values(), ids=REAL)
@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_restarted_server_is_found_again(run: Run[None], kind: Kind) -> None:
    async def main(ioc: EpicsIoc) -> None:
        async with running(kind.make(ioc)) as client:
            recorders = [Recorder(name, wants_description=True) for name in ("C:COUNT", "C:UNITS")]
            for recorder in recorders:
                client.subscribe(recorder)
            await until(lambda: all(recorder.updates for recorder in recorders))
            await asyncio.to_thread(ioc.kill)
            await until(lambda: all(recorder.story[-1] == "disconnected" for recorder in recorders))
            await asyncio.to_thread(ioc.start)
            await until(lambda: all(recorder.story[-1] == "update" for recorder in recorders), 15)
            for recorder in recorders:
                assert recorder.story == ["connected", "update", "disconnected", "connected", "update"]
            await until(lambda: all(len(recorder.told) == 2 for recorder in recorders))
            assert recorders[1].told == [("mm", ())] * 2

    with EpicsIoc(DATABASE) as ioc:
        run(main(ioc))
