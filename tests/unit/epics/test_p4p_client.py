"""What the adapter does with whatever the library may say, without any network."""

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from p4p import Type, Value
from p4p.client.raw import Cancelled, Disconnected, Finished, RemoteError
from p4p.nt import NTEnum, NTScalar

from forwarder.epics import p4p_client, pva_taking
from forwarder.epics.p4p_client import PvAccess
from forwarder.epics.pva_channel import Event, IllegalMove, State, after
from forwarder.model import ChannelType, ValueType
from forwarder.settings.types import PvAccessSettings
from tests.support.ca_client import Recorder, Run, running, until
from tests.support.pva import ALARM, NEW_YEAR_S, TIME, stamped

DOUBLE = NTScalar("d", display=True, control=True, valueAlarm=True).type
PIXELS = np.arange(6, dtype="u1")
IMAGE = Type(
    [
        ("value", "v"),
        ("codec", ("S", None, [("name", "s")])),
        ("uniqueId", "i"),
        ("dimension", ("aS", None, [("size", "i")])),
        ("attribute", ("aS", None, [("name", "s")])),
    ],
    id="epics:nt/NTNDArray:1.0",
)
"""Of which one may say that it holds anything."""
FLOAT64 = ChannelType(ValueType.FLOAT64, is_array=False)


class FakeMonitor:
    """The library's end of a subscription."""

    def __init__(self, name: str, notify: Callable[[], None]) -> None:
        self.name = name
        self.notify = notify
        self.queue: deque[Any] = deque()
        self.closed = False

    def give(self, *items: Any) -> None:
        """As the library does it: the callback comes from another thread, and only when the queue was empty."""
        was_empty = not self.queue
        self.queue.extend(items)
        if was_empty:
            thread = threading.Thread(target=self.notify)
            thread.start()
            thread.join()

    def pop(self) -> Any:
        return self.queue.popleft() if self.queue else None

    def close(self) -> None:
        self.closed = True


class FakeContext:
    """Remembers what was asked of it."""

    made: list["FakeContext"] = []
    refusal: Exception | None = None

    def __init__(self, provider: str, **options: Any) -> None:
        self.provider = provider
        self.options = options
        self.monitors: list[FakeMonitor] = []
        self.requests: list[str] = []
        self.closed = False
        self.may_close = threading.Event()
        self.may_close.set()
        self.made.append(self)

    @staticmethod
    def makeRequest(text: str) -> str:  # noqa: N802  (p4p's name)
        return text

    def monitor(self, name: str, notify: Callable[[], None], request: str) -> FakeMonitor:
        if self.refusal is not None:
            raise self.refusal
        self.monitors.append(FakeMonitor(name, notify))
        self.requests.append(request)
        return self.monitors[-1]

    def close(self) -> None:
        self.may_close.wait(10)
        self.closed = True


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p4p_client, "Context", FakeContext)
    monkeypatch.setattr(p4p_client, "_pop_of", lambda monitor: monitor.pop)
    monkeypatch.setattr(p4p_client, "_FIRST_REST_S", 0.01)
    monkeypatch.setattr(p4p_client, "_TICK_S", 0.01)
    monkeypatch.setattr(FakeContext, "made", [])


@asynccontextmanager
async def client(**settings: Any) -> AsyncIterator[tuple[PvAccess, FakeContext]]:
    pv_access = PvAccess(PvAccessSettings(**settings), never_connected_after_s=1e9)
    async with running(pv_access):
        yield pv_access, FakeContext.made[-1]


def double(value: float, **fields: Any) -> Value:
    return stamped(DOUBLE, value, **fields)


def later(value: float) -> Value:
    """As pvxs hands on what is not the first update: all fields are there, and those that came are marked."""
    fields = double(value)
    fields.unmark()
    fields["value"] = value
    fields.mark("timeStamp.secondsPastEpoch")
    fields.mark("timeStamp.nanoseconds")
    return fields


async def subscribed(pv_access: PvAccess, context: FakeContext) -> tuple[Recorder, FakeMonitor]:
    recorder = Recorder("PV")
    pv_access.subscribe(recorder)
    monitor = context.monitors[-1]
    monitor.give(double(0))
    await until(lambda: recorder.updates)
    return recorder, monitor


def test_what_the_library_is_told(run: Run[None]) -> None:
    async def main() -> None:
        settings = {
            "addr_list": ("a", "b:1"),
            "auto_addr_list": False,
            "name_servers": ("c:2",),
            "broadcast_port": 3,
            "server_port": 4,
            "conn_timeout_s": 5.5,
            "queue_size": 6,
        }
        async with client(**settings) as (pv_access, context):
            pv_access.subscribe(Recorder("PV"))
            assert context.provider == "pva"
            assert context.options == {
                "conf": {
                    "EPICS_PVA_ADDR_LIST": "a b:1",
                    "EPICS_PVA_AUTO_ADDR_LIST": "NO",
                    "EPICS_PVA_NAME_SERVERS": "c:2",
                    "EPICS_PVA_BROADCAST_PORT": "3",
                    "EPICS_PVA_SERVER_PORT": "4",
                    "EPICS_PVA_CONN_TMO": "5.5",
                },
                "useenv": False,
                "nt": False,
            }
            assert context.requests == ["field()record[queueSize=6]"]
        assert context.closed
        assert context.monitors[0].closed

    run(main())


def test_a_story(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder, monitor = await subscribed(pv_access, context)
            monitor.give(later(1), later(2))
            monitor.give(Disconnected())
            monitor.give(double(3))
            await until(lambda: recorder.values == [0, 1, 2, 3])
            assert recorder.story == ["connected", "update", "disconnected", "connected", "update"]
            assert recorder.kinds == [FLOAT64, FLOAT64]
            assert recorder.updates[1] == (1.0, NEW_YEAR_S * 10**9 + 123_456_789, 0, 0)
            assert pv_access.counts()["updates"] == 4
            assert pv_access.counts()["lost_channels"] == 1

    run(main())


def test_another_type_after_a_disconnect(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder, monitor = await subscribed(pv_access, context)
            monitor.give(Disconnected(), stamped(NTScalar("as").type, ["a"]))
            await until(lambda: recorder.values == [0, ["a"]])
            assert recorder.kinds == [FLOAT64, ChannelType(ValueType.STRING, is_array=True)]

    run(main())


def test_a_loss_before_the_first_value_is_not_told(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder = Recorder("PV")
            pv_access.subscribe(recorder)
            context.monitors[0].give(Disconnected(), Disconnected(), double(1))
            await until(lambda: recorder.updates)
            assert recorder.story == ["connected", "update"]

    run(main())


@pytest.mark.parametrize("end", [RemoteError("no"), Finished(), Cancelled(), RuntimeError("a bug")], ids=repr)
def test_a_subscription_that_is_ended_is_made_again(run: Run[None], end: Exception) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder, monitor = await subscribed(pv_access, context)
            monitor.give(end)
            await until(lambda: len(context.monitors) == 2)
            await until(lambda: monitor.closed)
            assert recorder.story == ["connected", "update", "disconnected"]
            monitor.give(double(9))
            context.monitors[1].give(double(1))
            await until(lambda: len(recorder.updates) == 2)
            assert recorder.values == [0, 1]
            assert pv_access.counts()["ended_subscriptions"] == 1

    run(main())


def test_refusals_come_ever_more_slowly_and_are_said_once(run: Run[None], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder = Recorder("PV")
            pv_access.subscribe(recorder)
            times = []
            for n in range(5):
                await until(lambda n=n: len(context.monitors) == n + 1)
                times.append(time.monotonic())
                context.monitors[-1].give(RemoteError("access denied"))
            pauses = [after - before for before, after in pairwise(times)]
            # The fourth is eight times the first, less a quarter at most by chance.
            assert pauses[-1] > 0.055
            assert recorder.heard == []
            assert len(caplog.records) == 1
            assert "PV" in caplog.text
            assert "access denied" in caplog.text
            await until(lambda: len(context.monitors) == 6)
            context.monitors[-1].give(double(1))
            await until(lambda: recorder.updates)

    with caplog.at_level("INFO", "forwarder"):
        run(main())
    assert caplog.messages[1:] == ["the subscription to PV works again"]


def test_a_library_that_raises_is_asked_again(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            with monkeypatch.context() as refusing:
                refusing.setattr(FakeContext, "refusal", RuntimeError("no"))
                recorder = Recorder("PV")
                pv_access.subscribe(recorder)
                await until(lambda: pv_access.counts()["ended_subscriptions"] > 1)
            await until(lambda: context.monitors)
            context.monitors[-1].give(double(1))
            await until(lambda: recorder.updates)

    run(main())


@pytest.mark.parametrize("name", ["", "\ud800", "a\0b", "x" * 1001])
def test_what_cannot_be_a_name_is_never_asked_for(run: Run[None], name: str) -> None:
    async def main() -> None:
        pv_access = PvAccess(PvAccessSettings(), never_connected_after_s=0.05)
        async with running(pv_access):
            recorder = Recorder(name)
            pv_access.subscribe(recorder)
            await until(lambda: recorder.story == ["never_connected"])
            assert FakeContext.made[-1].monitors == []
            pv_access.unsubscribe(recorder)

    run(main())


def test_what_cannot_be_read_is_counted_and_the_next_update_is_forwarded(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder = Recorder("PV")
            pv_access.subscribe(recorder)
            context.monitors[0].give(*(Value(IMAGE, {"value": pixels}) for pixels in (PIXELS, "no pixels", PIXELS)))
            await until(lambda: len(recorder.updates) == 2)
            assert recorder.story == ["connected", "update", "failed", "update"]
            assert pv_access.counts()["failed_updates"] == 1

    run(main())


def test_a_library_that_raises_for_one_item_is_asked_for_the_next(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder, other = Recorder("PV"), Recorder("OTHER")
            pv_access.subscribe(recorder)
            pv_access.subscribe(other)
            for monitor in context.monitors:
                monitor.give(double(1), *(later(n) for n in range(40)))
            error = RuntimeError("a bug")
            pop, calls = context.monitors[0].pop, itertools.count(1)

            def raise_each_third_time() -> Any:
                if next(calls) % 3 == 0:
                    raise error
                return pop()

            pv_access._channels[recorder].pop = raise_each_third_time  # pyright: ignore[reportPrivateUsage]
            await until(lambda: len(recorder.updates) == len(other.updates) == 41)
            assert recorder.values == other.values
            assert {*recorder.errors} == {error}
            assert pv_access.counts()["failed_updates"] == len(recorder.errors)

    run(main())


def test_a_structure_without_a_value_connects_and_says_what_it_has(
    run: Run[None], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder = Recorder("PV")
            pv_access.subscribe(recorder)
            structure = Type([("x", "d"), ("alarm", ALARM), ("timeStamp", TIME)])
            strange = Value(structure, {"x": 1.0, "timeStamp": {"secondsPastEpoch": NEW_YEAR_S}})
            strange["alarm"] = {"severity": 1, "status": 1, "message": "HIGH"}
            moved = Value(structure, {"x": 2.0, "timeStamp": {"secondsPastEpoch": NEW_YEAR_S + 1}})
            moved.unmark()
            moved.mark("x")
            context.monitors[0].give(strange, moved, Disconnected(), strange)
            await until(lambda: len(recorder.updates) == 3)
            assert recorder.story == ["connected", "update", "disconnected", "connected", "update"]
            assert recorder.kinds == [ChannelType(ValueType.UNKNOWN, is_array=False)] * 2
            assert [(time_ns // 10**9, *alarm) for _, time_ns, *alarm in recorder.updates] == [
                (NEW_YEAR_S, 4, 1),
                (NEW_YEAR_S + 1, 4, 1),
                (NEW_YEAR_S, 4, 1),
            ]
            assert pv_access.counts()["subscribed"] == 1
            assert pv_access.counts()["failed_updates"] == 0
            context.monitors[0].give(Disconnected(), double(7))
            await until(lambda: recorder.values[-1] == 7)
            assert recorder.kinds[-1] == FLOAT64
            assert [record.getMessage() for record in caplog.records] == [
                "PV has no value that could be forwarded, its fields are x, alarm, timeStamp"
            ]

    run(main())


@pytest.mark.parametrize("code", ["ab", "aB"])
def test_characters_are_a_text_where_the_name_says_so(run: Run[None], code: str) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            text, numbers = Recorder("PV$"), Recorder("PV")
            pv_access.subscribe(text)
            pv_access.subscribe(numbers)
            structure = NTScalar(code).type
            for monitor in context.monitors:
                monitor.give(Value(structure))
                for raw in (b"on\0junk", "5 \xb5m".encode(), b"5 \xb5m", b""):
                    monitor.give(stamped(structure, np.frombuffer(raw, code[1:].replace("B", "u1"))))
            await until(lambda: len(text.updates) == len(numbers.updates) == 5)
            assert text.kinds == [ChannelType(ValueType.STRING, is_array=False)]
            assert text.values == ["", "on", "5 µm", "5 µm", ""]
            assert numbers.kinds[0].is_array
            assert numbers.values[1] == list(b"on\0junk")

    run(main())


def test_a_description_is_told_again_to_those_who_ask_for_it(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder = Recorder("PV")
            pv_access.subscribe(recorder)
            pv_access.describe(recorder)
            assert recorder.told == []
            context.monitors[0].give(double(1, display={"units": "mm"}))
            await until(lambda: recorder.updates)
            assert recorder.told == [("mm", ())]
            pv_access.describe(recorder)
            assert recorder.told == [("mm", ())] * 2
            context.monitors[0].give(Disconnected())
            await until(lambda: recorder.story[-1] == "disconnected")
            pv_access.describe(recorder)
            assert recorder.told == [("mm", ())] * 2

    run(main())


@pytest.mark.parametrize(
    ("seconds", "nanoseconds"),
    [(-1, 2**31 - 1), (-(2**63), 0), (0, 0), (0, -1), (9_223_372_036, 0), (2**63 - 1, 0), (9_223_372_035, 2**31 - 1)],
)
def test_a_time_that_63_bits_of_nanoseconds_do_not_hold_is_no_time(
    run: Run[None], seconds: int, nanoseconds: int
) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder, monitor = await subscribed(pv_access, context)
            begin = time.time_ns()
            odd = later(1)
            odd["timeStamp.secondsPastEpoch"] = seconds
            odd["timeStamp.nanoseconds"] = nanoseconds
            monitor.give(odd)
            await until(lambda: len(recorder.updates) == 2)
            assert begin <= recorder.updates[1][1] <= time.time_ns()
            assert pv_access.counts()["updates_without_time"] == 1

    run(main())


def test_the_last_time_that_63_bits_hold_is_one(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder, monitor = await subscribed(pv_access, context)
            late = later(1)
            late["timeStamp"] = {"secondsPastEpoch": 9_223_372_035, "nanoseconds": 999_999_999}
            monitor.give(late)
            await until(lambda: len(recorder.updates) == 2)
            assert recorder.updates[1][1] == 9_223_372_035_999_999_999
            assert pv_access.counts()["updates_without_time"] == 0

    run(main())


def test_no_time_is_the_time_of_receipt(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            bare, unset = Recorder("BARE"), Recorder("UNSET")
            pv_access.subscribe(bare)
            pv_access.subscribe(unset)
            begin = time.time_ns()
            context.monitors[0].give(Value(Type([("value", "i")]), {"value": 7}))
            context.monitors[1].give(Value(DOUBLE, {"value": 1.5}))
            await until(lambda: bare.updates and unset.updates)
            for recorder in (bare, unset):
                assert begin <= recorder.updates[0][1] <= time.time_ns()
                assert recorder.updates[0][2:] == (0, 0)
            assert pv_access.counts()["updates_without_time"] == 2

    run(main())


def test_alarms_and_their_texts(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder, monitor = await subscribed(pv_access, context)
            alarms = [("HIGH_ALARM", 1), ("HIGH_ALARM", 2), ("too hot \xb0", 2), ("", 0), ("UDF", 3)]
            for message, severity in alarms:
                text = message.encode("latin-1")
                monitor.give(double(1, alarm={"severity": severity, "status": 1, "message": text}), later(2))
            await until(lambda: len(recorder.updates) == 11)
            # An update that says nothing of the alarm has the alarm of the one before; here it says there is none.
            assert [update[2:] for update in recorder.updates[1::2]] == [(4, 1), (4, 2), (17, 2), (0, 0), (17, 3)]
            assert [update[2:] for update in recorder.updates[2::2]] == [(4, 1), (4, 2), (17, 2), (0, 0), (17, 3)]
            # Said before the update they belong to, which comes after `connected` and one update each.
            assert recorder.messages == [(1, ""), (2, "HIGH_ALARM"), (6, "too hot \xb0"), (8, ""), (10, "UDF")]

    run(main())


def test_units_are_told_after_the_connection_and_when_they_change(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder = Recorder("PV")
            pv_access.subscribe(recorder)
            monitor = context.monitors[0]
            monitor.give(double(1, display={"units": "mm"}), later(2))
            monitor.give(double(3, display={"units": b"\xb0C"}), double(4, display={"units": "\xb0C"}))
            await until(lambda: len(recorder.updates) == 4)
            assert recorder.descriptions == [(1, "mm", ()), (3, "\xb0C", ())]

    run(main())


def test_enum_strings_are_told_and_a_change_of_them_alone_is_no_update(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder = Recorder("PV")
            pv_access.subscribe(recorder)
            structure = NTEnum().type
            renamed = stamped(structure, {"index": 1, "choices": ["off", "running"]})
            renamed.unmark()
            renamed.mark("value.choices")
            moved = stamped(structure, {"index": 0, "choices": ["off", "running"]})
            context.monitors[0].give(stamped(structure, {"index": 1, "choices": ["off", "on"]}), renamed, moved)
            await until(lambda: len(recorder.updates) == 2)
            assert recorder.values == [1, 0]
            assert recorder.descriptions == [(1, "", ("off", "on")), (2, "", ("off", "running"))]
            assert pv_access.counts()["property_updates"] == 1

    run(main())


@pytest.mark.parametrize("field", ["display.limitHigh", "control.limitLow", "valueAlarm.highAlarmLimit"])
def test_a_change_of_limits_alone_is_no_update(run: Run[None], field: str) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorder, monitor = await subscribed(pv_access, context)
            limits = double(0)
            limits.unmark()
            limits[field] = 20.0
            monitor.give(limits, later(1))
            await until(lambda: len(recorder.updates) == 2)
            assert recorder.values == [0, 1]
            assert pv_access.counts()["updates"] == 2
            assert pv_access.counts()["property_updates"] == 1

    run(main())


def test_the_loop_is_woken_once_for_all_that_is_ready(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            recorders = [Recorder(f"PV{n}") for n in range(50)]
            for recorder in recorders:
                pv_access.subscribe(recorder)
            # The loop does not turn meanwhile.
            for monitor in context.monitors:
                monitor.give(double(1), double(2))
            await until(lambda: all(len(recorder.updates) == 2 for recorder in recorders))
            assert pv_access.counts()["wake_ups"] == 1
            for monitor in context.monitors:
                monitor.give(later(3))
            await until(lambda: all(len(recorder.updates) == 3 for recorder in recorders))
            assert pv_access.counts()["wake_ups"] == 2

    run(main())


def test_a_long_queue_does_not_keep_the_loop_nor_other_pvs(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):
            busy, other = Recorder("BUSY"), Recorder("OTHER")
            busy.on_update = lambda: time.sleep(0.001)
            pv_access.subscribe(busy)
            pv_access.subscribe(other)
            context.monitors[0].give(*(double(n) for n in range(600)))
            context.monitors[1].give(double(1))
            longest = 0.0
            while len(busy.updates) < 600:
                begin = time.monotonic()
                await asyncio.sleep(0)
                longest = max(longest, time.monotonic() - begin)
                assert other.updates or len(busy.updates) < 40
            assert longest < 0.3
            assert busy.values == list(range(600))

    run(main())


def test_one_look_is_due_however_often_the_loop_is_woken_meanwhile(run: Run[None]) -> None:
    async def main() -> None:
        looks: list[Callable[[], None]] = []
        told = 0

        def came(_: None) -> None:
            nonlocal told
            told += 1

        pv_access = PvAccess(PvAccessSettings(), 1e9, came, looks.append)
        async with running(pv_access):
            busy, other = Recorder("BUSY"), Recorder("OTHER")
            for recorder in busy, other:
                pv_access.subscribe(recorder)
            monitors = FakeContext.made[-1].monitors
            busy.on_update = lambda: (time.sleep(0.001), monitors[1].give(double(len(busy.updates))))
            monitors[0].give(*(double(n) for n in range(200)))
            await until(lambda: looks)
            while looks:
                assert busy.updates
                for _ in range(5):
                    await asyncio.sleep(0)
                assert len(looks) == 1, "what is woken in a slice starts no second row of them"
                before, told_before = len(busy.updates), told
                looks.pop()()
                assert len(busy.updates) - before < 100
                assert told == told_before + 1, "what was taken may be sent before the rest is"
            assert len(busy.updates) == len(other.updates) == 200

    run(main())


def test_a_queue_that_was_full_is_counted(run: Run[None]) -> None:
    async def main() -> None:
        async with client(queue_size=40) as (pv_access, context):
            recorder, monitor = await subscribed(pv_access, context)
            monitor.give(*(later(n) for n in range(39)))
            await until(lambda: len(recorder.updates) == 40)
            assert pv_access.counts()["full_queues"] == 0
            monitor.give(*(later(n) for n in range(40)))
            await until(lambda: pv_access.counts()["full_queues"] == 1)

    run(main())


def test_a_queue_that_is_never_seen_empty_is_counted_while_that_lasts(run: Run[None]) -> None:
    async def main() -> None:
        async with client(queue_size=40) as (pv_access, context):
            recorder, monitor = await subscribed(pv_access, context)
            monitor.queue.extend(later(n) for n in range(10))
            recorder.on_update = lambda: monitor.queue.append(later(len(recorder.updates)))
            monitor.notify()
            await until(lambda: pv_access.counts()["full_queues"] >= 3)
            assert len(recorder.updates) >= 120
            recorder.on_update = lambda: None

    run(main())


def test_what_waits_for_too_long_in_too_many_queues_is_left_out_and_counted(
    run: Run[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pva_taking, "_LONGEST_BEHIND_S", 0.05)
    monkeypatch.setattr(pva_taking, "_MANY_WAITING", 2 * 1000)

    async def main() -> None:
        async with client(queue_size=1000) as (pv_access, context):
            alone = Recorder("ALONE")
            late = [Recorder(f"LATE{n}") for n in range(2)]
            pv_access.subscribe(alone)
            alone.on_update = lambda: time.sleep(0.002)
            context.monitors[0].give(double(0), *(later(n) for n in range(1, 100)))
            await until(lambda: len(alone.updates) == 100)
            assert pv_access.counts()["merged_updates"] == 0, "one queue alone may be as long as it is"

            for recorder in late:
                recorder.on_update = lambda: time.sleep(0.002)
                pv_access.subscribe(recorder)
            for monitor in context.monitors[1:]:
                alarmed, newest = later(499), later(500)
                for fields in alarmed, newest:
                    fields["alarm.severity"] = 2
                newest.unmark()
                newest.mark("value")
                monitor.give(double(0), *(later(n) for n in range(1, 499)), alarmed, newest, Disconnected())
            await until(lambda: all(recorder.count("disconnected") for recorder in late))
            merged = pv_access.counts()["merged_updates"]
            assert merged > 0
            assert sum(len(recorder.updates) for recorder in late) == 2 * 501 - merged
            for recorder in late:
                assert recorder.values == sorted(recorder.values)
                assert recorder.values[-1] == 500
                *_, severity = recorder.updates[-1]
                assert severity == 2, "an alarm that came with what was left out is there"

    run(main())


def test_a_listener_that_leaves_in_the_midst_hears_nothing_more(run: Run[None]) -> None:
    async def main() -> None:
        async with client() as (pv_access, context):

            class Leaving(Recorder):
                def connected(self, kind: ChannelType, server: str = "") -> None:
                    super().connected(kind, server)
                    pv_access.unsubscribe(self)

            leaving, stays = Leaving("PV"), Recorder("PV")
            pv_access.subscribe(leaving)
            pv_access.subscribe(stays)
            for monitor in context.monitors:
                monitor.give(double(1), later(2), Disconnected())
            await until(lambda: stays.count("disconnected"))
            assert leaving.story == ["connected"]
            assert leaving.descriptions == []
            assert stays.values == [1, 2]

    run(main())


def test_a_library_that_hangs_does_not_keep_the_service_from_closing(
    run: Run[None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(p4p_client, "_CLOSE_TIMEOUT_S", 0.1)

    async def main() -> None:
        async with client() as (_, context):
            context.may_close.clear()
        assert not context.closed
        context.may_close.set()
        await until(lambda: context.closed)
        assert "could not be closed" in caplog.text

    run(main())


def test_moves_that_have_no_meaning_raise() -> None:
    assert after(State.SEARCHING, Event.FIRST_VALUE) is State.SUBSCRIBED
    with pytest.raises(IllegalMove, match="FIRST_VALUE while CLOSED"):
        after(State.CLOSED, Event.FIRST_VALUE)
