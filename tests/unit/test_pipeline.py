"""From updates of PVs to messages in lanes, with the clocks in our hand."""

import struct
from typing import Any

import pytest
from streaming_data_types.epics_connection_info_ep00 import deserialise_ep00
from streaming_data_types.fbschemas.logdata_f142.LogData import LogData

from forwarder.model import ChannelType, Message, Stream, Table, Transport, ValueType
from forwarder.outbox import Outbox
from forwarder.pipeline import Pipeline
from forwarder.repeats import Repeats
from forwarder.route import Clocks, Route

DOUBLE = ChannelType(ValueType.FLOAT64, is_array=False)
NO_CHANGE = (22, 4)
NO_ALARM = (0, 2)
HIGH_MINOR = (4, 0)
TIME_NS = 1_784_000_000_123_456_789


class Time:
    """Both clocks: the wall's begins at an arbitrary date."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clocks(self) -> Clocks:
        return Clocks(lambda: 1_790_000_000_000_000_000 + int(self.now * 1e9), lambda: self.now)


class Bench:
    """A pipeline with nothing around it."""

    def __init__(self, repeat_period_s: float = 0.0) -> None:
        self.time = Time()
        self.outbox = Outbox(10**9)
        self.repeats = Repeats(repeat_period_s)
        self.pipeline = Pipeline(self.outbox, self.repeats, self.time.clocks(), "service-1")

    def open(self, stream: Stream) -> Route:
        self.pipeline.open(stream)
        return self.pipeline.route(stream)

    def run_repeats(self, until: float) -> None:
        """Let time pass in small steps, as the service does."""
        while self.time.now < until:
            self.time.now = min(until, self.time.now + 0.05)
            self.repeats.run(self.time.now)

    def said(self, topic: str = "topic", broker: str = "") -> list[tuple[Any, ...]]:
        """What a topic would get, in words; emptied by reading."""
        lane = self.outbox.lane(broker, topic)
        messages = lane.incoming[:]
        lane.incoming.clear()
        return [described(message) for message in messages]


def described(message: Message) -> tuple[Any, ...]:
    key, value, time_ms = message
    if value[4:8] == b"ep00":
        event = deserialise_ep00(value)
        assert event.source_name.encode() == key
        assert event.timestamp // 1_000_000 == time_ms
        return ("ep00", event.type)
    log = LogData.GetRootAsLogData(value, 0)
    assert log.SourceName() == key
    union = log.Value()
    assert union is not None
    number = struct.unpack_from("<d", union.Bytes, union.Pos + union.Offset(4))[0]
    return ("f142", number, log.Timestamp(), time_ms, (log.Status(), log.Severity()))


def stream(topic: str = "topic", **changes: Any) -> Stream:
    return Stream(**{"channel": "PV", "transport": Transport.CA, "schema": "f142", "topic": topic, **changes})


CONNECTED, DISCONNECTED, NEVER = ("ep00", 2), ("ep00", 3), ("ep00", 1)


def test_alarms_are_said_first_and_when_they_change_and_again_after_a_reconnect() -> None:
    bench = Bench()
    route = bench.open(stream())
    route.connected(DOUBLE)
    for number, alarm in ((1.0, (0, 0)), (2.0, (0, 0)), (3.0, (4, 1)), (4.0, (4, 1)), (5.0, (0, 0))):
        route.update(number, TIME_NS, *alarm)
    route.disconnected()
    route.connected(DOUBLE)
    route.update(6.0, TIME_NS, 0, 0)
    said = bench.said()
    assert [each for each in said if each[0] == "ep00"] == [CONNECTED, DISCONNECTED, CONNECTED]
    assert [(each[1], each[4]) for each in said if each[0] == "f142"] == [
        (1.0, NO_ALARM),
        (2.0, NO_CHANGE),
        (3.0, HIGH_MINOR),
        (4.0, NO_CHANGE),
        (5.0, NO_ALARM),
        (6.0, NO_ALARM),
    ]


def test_the_epics_time_is_exact_in_the_message_and_in_milliseconds_for_kafka() -> None:
    bench = Bench()
    route = bench.open(stream())
    route.connected(DOUBLE)
    route.update(1.0, TIME_NS, 0, 0)
    route.update(2.0, TIME_NS + 1, 0, 0)
    assert [each[2:4] for each in bench.said()[1:]] == [
        (TIME_NS, 1_784_000_000_123),
        (TIME_NS + 1, 1_784_000_000_123),
    ]


def test_streams_of_one_pv_share_its_route_and_each_gets_every_update() -> None:
    bench = Bench()
    first, second, elsewhere = stream(), stream("other"), stream(broker="b:1")
    assert bench.pipeline.open(first) is not None
    assert bench.pipeline.open(second) is None
    assert bench.pipeline.open(elsewhere) is None
    route = bench.pipeline.route(first)
    route.connected(DOUBLE)
    route.update(1.0, TIME_NS, 0, 0)
    route.update(2.0, TIME_NS, 0, 0)
    everything = bench.said()
    assert len(everything) == 3
    assert bench.said("other") == everything
    assert bench.said(broker="b:1") == everything
    assert bench.pipeline.close(first) is None
    route.update(3.0, TIME_NS, 0, 0)
    assert bench.said() == []
    assert [each[1] for each in bench.said("other")] == [3.0]
    assert bench.pipeline.close(second) is None
    assert bench.pipeline.close(elsewhere) is route
    assert len(bench.pipeline) == 0
    assert bench.pipeline.received == 3


def test_a_stream_that_joins_a_connected_pv_learns_at_once_what_the_others_know() -> None:
    bench = Bench()
    route = bench.open(stream())
    route.connected(DOUBLE)
    route.update(1.5, TIME_NS, 4, 1)
    bench.open(stream("late"))
    assert bench.said("late") == [CONNECTED, ("f142", 1.5, TIME_NS, TIME_NS // 1_000_000, HIGH_MINOR)]
    route.update(2.5, TIME_NS, 4, 1)
    assert [each[4] for each in bench.said("late")] == [NO_CHANGE]


@pytest.mark.parametrize("news", ["never_connected", "disconnected"])
def test_a_stream_that_joins_a_pv_without_connection_is_told_so(news: str) -> None:
    bench = Bench()
    route = bench.open(stream())
    if news == "disconnected":
        route.connected(DOUBLE)
        route.update(1.5, TIME_NS, 0, 0)
    getattr(route, news)()
    bench.open(stream("late"))
    assert bench.said("late") == [NEVER if news == "never_connected" else DISCONNECTED]


def test_a_pv_that_comes_back_with_another_type_goes_on_with_that() -> None:
    bench = Bench()
    route = bench.open(stream())
    route.connected(ChannelType(ValueType.INT32, is_array=False))
    route.update(1, TIME_NS, 0, 0)
    route.disconnected()
    route.connected(DOUBLE)
    route.update(1.5, TIME_NS, 0, 0)
    values = [
        LogData.GetRootAsLogData(m[1], 0).ValueType()
        for m in bench.outbox.lane("", "topic").incoming
        if b"f142" in m[1]
    ]
    assert values == [5, 10]


def test_a_type_without_a_place_in_the_schema_is_refused_and_shown_and_the_rest_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    bench = Bench()
    route = bench.open(stream())
    route.connected(ChannelType(ValueType.TABLE, is_array=False))
    for _ in range(2):
        route.update(Table({}), TIME_NS, 0, 0)
    assert bench.said() == [CONNECTED]
    assert "f142 has no place for table" in route.outputs[0].refused
    route.connected(DOUBLE)
    assert route.outputs[0].refused == ""
    refused, again = [message for message in caplog.messages if "forwarded to" in message]
    assert "PV is not forwarded to topic, further updates are counted" in refused
    assert "PV can be forwarded to topic again" in again


def test_a_value_is_repeated_only_after_the_period_without_updates_and_with_its_alarm() -> None:
    bench = Bench(repeat_period_s=1.0)
    route = bench.open(stream(periodic=True))
    bench.open(stream("quiet"))
    route.connected(DOUBLE)
    route.update(1.0, TIME_NS, 4, 1)
    bench.run_repeats(1000.9)
    route.update(2.0, TIME_NS, 4, 1)
    bench.said()
    bench.run_repeats(1001.8)
    assert bench.said() == []
    bench.run_repeats(1003.99)
    repeats = bench.said()
    assert [each[:3] + each[4:] for each in repeats] == [("f142", 2.0, TIME_NS, HIGH_MINOR)] * 3
    now_ms = 1_790_000_000_000
    assert [each[3] for each in repeats] == pytest.approx(
        [now_ms + 1_001_900, now_ms + 1_002_900, now_ms + 1_003_900], abs=60
    )
    assert [each[1] for each in bench.said("quiet")[1:]] == [1.0, 2.0]
    assert bench.pipeline.repeated == 3


def test_nothing_is_repeated_before_the_first_value_or_while_disconnected() -> None:
    bench = Bench(repeat_period_s=1.0)
    route = bench.open(stream(periodic=True))
    bench.run_repeats(1005.0)
    route.connected(DOUBLE)
    bench.run_repeats(1010.0)
    route.update(1.0, TIME_NS, 0, 0)
    route.disconnected()
    bench.said()
    bench.run_repeats(1020.0)
    assert bench.said() == []


def test_a_stream_that_becomes_periodic_repeats_the_value_it_has() -> None:
    bench = Bench(repeat_period_s=1.0)
    route = bench.open(stream())
    route.connected(DOUBLE)
    route.update(1.0, TIME_NS, 0, 0)
    bench.said()
    bench.pipeline.update(stream(periodic=True))
    bench.run_repeats(1001.5)
    assert [each[1] for each in bench.said()] == [1.0]
    bench.pipeline.update(stream())
    bench.run_repeats(1010.0)
    assert bench.said() == []


def test_a_closed_stream_is_never_repeated() -> None:
    bench = Bench(repeat_period_s=1.0)
    route = bench.open(stream(periodic=True))
    route.connected(DOUBLE)
    route.update(1.0, TIME_NS, 0, 0)
    bench.pipeline.close(stream())
    bench.said()
    bench.run_repeats(1010.0)
    assert bench.said() == []


def test_failed_updates_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    route = bench.open(stream())
    for _ in range(3):
        route.failed(ValueError("no value"))
    assert (route.errors, bench.pipeline.errors) == (3, 3)
    assert [record.getMessage() for record in caplog.records] == [
        "an update of PV is not forwarded, further ones are counted: ValueError('no value')"
    ]


def test_a_census_is_of_all_transports_and_forgets_no_update() -> None:
    bench = Bench()
    streams = [Stream(f"PV{number}", Transport.CA, "f142", "topic") for number in range(3)]
    routes = [bench.open(stream) for stream in streams]
    bench.open(Stream("PV0", Transport.PVA, "f142", "topic"))
    routes[0].connected(DOUBLE)
    routes[0].update(1.0, TIME_NS, 0, 0)
    routes[1].connected(DOUBLE)
    routes[1].update(1.0, TIME_NS, 0, 0)
    routes[1].disconnected()
    bench.pipeline.close(streams[0])
    none = {"searching": 0, "connected": 0, "disconnected": 0, "never_connected": 0}
    assert bench.pipeline.census() == {
        Transport.CA: (2, {**none, "searching": 1, "disconnected": 1}),
        Transport.PVA: (0, {**none, "searching": 1}),
        Transport.FAKE: (0, none),
    }
    assert bench.pipeline.received == 2
