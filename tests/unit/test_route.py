"""One PV with several streams: what one of them can't take, what goes with a value, and what a reconnect says again."""

import logging

import pytest
from streaming_data_types.alarm_al00 import deserialise_al00
from streaming_data_types.array_1d_se00 import deserialise_se00
from streaming_data_types.epics_connection_ep01 import deserialise_ep01
from streaming_data_types.fbschemas.logdata_f142.LogData import LogData

from forwarder.errors import CannotEncode
from forwarder.model import ChannelType, Stream, Table, Transport, ValueType
from forwarder.outbox import Outbox
from forwarder.pipeline import Pipeline
from forwarder.repeats import Repeats
from forwarder.route import Clocks, Route

TIME_NS = 1_784_000_000_123_456_789
DOUBLE = ChannelType(ValueType.FLOAT64, is_array=False)
TEXT = ChannelType(ValueType.STRING, is_array=False)
TABLE = ChannelType(ValueType.TABLE, is_array=False)


class Bench:
    """A PV with streams in these schemas, each to the topic of its schema's name."""

    def __init__(self, *schemas: str) -> None:
        self.outbox = Outbox(10**9)
        clocks = Clocks(lambda: TIME_NS, lambda: 0.0)
        self.pipeline = Pipeline(self.outbox, Repeats(0.0), clocks, "service-1")
        for schema in schemas:
            self.open(schema)
        self.route: Route = self.pipeline.route(Stream("PV", Transport.CA, schemas[0], schemas[0]))

    def open(self, schema: str) -> None:
        self.pipeline.open(Stream("PV", Transport.CA, schema, schema))

    def said(self, schema: str) -> list[str]:
        """The formats of the messages to the topic of a schema since the last look."""
        return [value[4:8].decode() for _, value, _ in self.messages(schema)]

    def messages(self, schema: str) -> list[tuple[bytes, bytes, int]]:
        incoming = self.outbox.lane("", schema).incoming
        messages = incoming[:]
        incoming.clear()
        return messages

    def alarms(self, schema: str) -> list[tuple[str, str]]:
        alarms = [deserialise_al00(value) for _, value, _ in self.messages(schema) if value[4:8] == b"al00"]
        return [(alarm.severity.name, alarm.message) for alarm in alarms]


def test_a_connection_begins_with_its_event_then_units_then_the_value_and_its_alarm() -> None:
    bench = Bench("f144")
    route = bench.route
    # The second time all is as before, and told again.
    for _ in range(2):
        route.connected(DOUBLE)
        route.described("K", ())
        route.update(1.0, TIME_NS, 0, 0)
        route.update(1.0, TIME_NS, 0, 0)
        assert bench.said("f144") == ["ep01", "un00", "f144", "al00", "f144"], (
            "again after a reconnect, though the same"
        )
        route.disconnected()
        assert bench.said("f144") == ["ep01"]


def test_units_are_told_once_a_change() -> None:
    bench = Bench("f144")
    bench.route.connected(DOUBLE)
    for units in ("K", "K", "mK", "mK", "", ""):
        bench.route.described(units, ())
    assert bench.said("f144") == ["ep01", "un00", "un00", "un00"]
    bench.open("se00")
    assert bench.said("se00") == ["ep01", "un00"]


def test_who_joins_late_learns_connection_value_alarm_and_units() -> None:
    bench = Bench("f142")
    bench.route.connected(DOUBLE)
    bench.route.update(1.0, TIME_NS, 3, 2)
    assert not bench.route.wants_description
    bench.open("f144")
    assert bench.route.wants_description
    assert bench.said("f144") == ["ep01", "f144", "al00"]
    bench.route.described("K", ())
    assert bench.said("f144") == ["un00"]


def test_connection_events_have_the_time_of_the_forwarder() -> None:
    bench = Bench("f144")
    bench.route.connected(DOUBLE)
    ((_, event, kafka_ms),) = bench.messages("f144")
    assert (deserialise_ep01(event).timestamp, kafka_ms) == (TIME_NS, TIME_NS // 1_000_000)


def test_a_new_text_of_the_same_alarm_is_told() -> None:
    bench = Bench("f144")
    bench.route.connected(DOUBLE)
    bench.route.update(1.0, TIME_NS, 3, 2)
    bench.route.alarm_message = "pump off"
    bench.route.update(1.0, TIME_NS, 3, 2)
    bench.route.update(1.0, TIME_NS, 3, 2)
    assert bench.alarms("f144") == [("MAJOR", "HIHI"), ("MAJOR", "pump off")]


def test_an_update_that_one_schema_cannot_take_reaches_the_others(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench("f144", "f142", "se00")
    bench.route.connected(TEXT)
    for text in ("a", "b", "c"):
        bench.route.update(text, TIME_NS, 0, 0)
    assert bench.said("f142") == ["ep00", "f142", "f142", "f142"]
    assert bench.said("f144") == bench.said("se00") == ["ep01", "al00"]
    assert bench.route.refused_updates == bench.pipeline.refused_updates == 6
    assert [output.refused for output in bench.pipeline.refusals()] == [
        "PV: f144 has no place for string",
        "PV: se00 has no place for string",
    ]
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 2


def test_a_value_that_one_encoder_raises_on_reaches_the_others_and_the_next_goes_on() -> None:
    bench = Bench("nttable_se00", "no_op", "nttable_senv")
    bench.route.connected(TABLE)
    bench.route.update(Table({}), TIME_NS, 0, 0)
    assert bench.said("nttable_senv") == ["ep01", "al00"]
    assert bench.route.refused_updates == 2
    assert all("nttable" in output.refused for output in bench.pipeline.refusals())
    assert len(list(bench.pipeline.refusals())) == 2


@pytest.mark.parametrize("broken", ["f142", "f144"])
def test_a_bug_in_one_encoder_costs_no_other_stream_anything(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench("f142", "f144")
    bench.route.connected(DOUBLE)
    (output,) = (output for output in bench.route.outputs if output.stream.schema == broken)
    healthy = {"f142": "f144", "f144": "f142"}[broken]

    class Broken:
        def encode(self, value: object, time_ns: int) -> bytes:
            raise CannotEncode("PV: no")

        def encode_with_alarm(self, value: object, time_ns: int, status: int, severity: int) -> bytes:
            raise ZeroDivisionError

    good, output.encoder = output.encoder, Broken()
    bench.route._choose()
    for _ in range(3):
        bench.route.update(1.0, TIME_NS, 0, 0)
    assert bench.said(healthy).count(healthy) == 3
    assert bench.said(broken).count(broken) == 0
    assert output.refused_updates(bench.route.received) == 3
    output.encoder = good
    bench.route._choose()
    bench.route.update(1.0, TIME_NS, 0, 0)
    bench.route.update(1.0, TIME_NS, 0, 0)
    assert bench.said(broken).count(broken) == 2
    assert bench.said(healthy) == [healthy, healthy], "the alarm is not told again in al00"


def test_an_alarm_that_could_not_be_said_is_said_with_the_next_value() -> None:
    bench = Bench("f142")
    bench.route.connected(DOUBLE)
    bench.route.update("not a number", TIME_NS, 0, 0)
    assert bench.said("f142") == ["ep00"]
    bench.route.update(1.0, TIME_NS, 0, 0)
    bench.route.update(1.0, TIME_NS, 0, 0)
    alarms = [LogData.GetRootAsLogData(value, 0).Severity() for _, value, _ in bench.messages("f142")]
    assert alarms == [2, 4], "NO_ALARM, then NO_CHANGE"


def test_another_type_and_another_server_are_counted_and_the_encoder_follows() -> None:
    bench = Bench("f144", "f142")
    bench.route.connected(DOUBLE, "a:5064")
    bench.route.update(1.0, TIME_NS, 0, 0)
    bench.route.disconnected()
    bench.route.connected(DOUBLE, "a:5064")
    assert (bench.pipeline.type_changes, bench.pipeline.moves) == (0, 0)
    bench.route.connected(TEXT, "b:5064")
    bench.route.update("text", TIME_NS, 0, 0)
    assert (bench.pipeline.type_changes, bench.pipeline.moves) == (1, 1)
    assert bench.route.refused_updates == 1
    bench.route.connected(DOUBLE, "b:5064")
    bench.route.update(1.0, TIME_NS, 0, 0)
    assert (bench.pipeline.type_changes, bench.pipeline.moves) == (2, 1)
    assert list(bench.pipeline.refusals()) == []
    assert bench.pipeline.refused_updates == 1, "what was refused stays counted"
    for schema in ("f142", "f144"):
        bench.pipeline.close(Stream("PV", Transport.CA, schema, schema))
    assert (bench.pipeline.type_changes, bench.pipeline.moves, bench.pipeline.refused_updates) == (2, 1, 1)


def test_messages_are_counted_on_over_a_reconnect() -> None:
    bench = Bench("se00")
    for _ in range(3):
        bench.route.connected(ChannelType(ValueType.FLOAT64, is_array=True))
        bench.route.update([1.0, 2.0], TIME_NS, 0, 0)
        bench.route.disconnected()
    messages = [value for _, value, _ in bench.messages("se00") if value[4:8] == b"se00"]
    assert [deserialise_se00(value).message_counter for value in messages] == [0, 1, 2]


def test_a_schema_that_never_takes_the_value_makes_no_other_say_the_alarm_again() -> None:
    bench = Bench("f142", "tdct")
    bench.route.connected(DOUBLE)
    for _ in range(3):
        bench.route.update(float("nan"), TIME_NS, 0, 0)
    severities = [LogData.GetRootAsLogData(v, 0).Severity() for _, v, _ in bench.messages("f142") if v[4:8] == b"f142"]
    assert severities == [2, 4, 4]
    assert bench.said("tdct") == ["ep01", "al00"]


def test_who_joins_after_a_late_update_learns_the_alarm_of_the_value_it_gets() -> None:
    bench = Bench("f144")
    bench.route.connected(DOUBLE)
    bench.route.update(1.0, TIME_NS, 0, 0)
    bench.route.update(2.0, TIME_NS - 1, 3, 2)
    bench.open("f142")
    ((_, event, _), (_, value, _)) = bench.messages("f142")
    assert event[4:8] == b"ep00"
    log = LogData.GetRootAsLogData(value, 0)
    assert (log.Timestamp(), log.Status(), log.Severity()) == (TIME_NS, 0, 2)
