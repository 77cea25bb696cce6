"""Odd times: what Kafka is told, what is counted, and what is sent or not."""

import pytest
from streaming_data_types.fbschemas.logdata_f142.LogData import LogData

from forwarder.model import ChannelType, Stream, Transport, ValueType
from forwarder.outbox import Outbox
from forwarder.pipeline import Pipeline
from forwarder.repeats import Repeats
from forwarder.route import Clocks, Route
from forwarder.settings.types import TimeSettings

NOW_NS = 1_790_000_000_123_456_789
NOW_MS = NOW_NS // 1_000_000
SECOND_NS = 1_000_000_000
EPICS_EPOCH_NS = 631_152_000 * SECOND_NS
DOUBLE = ChannelType(ValueType.FLOAT64, is_array=False)


class Bench:
    def __init__(self, **settings: float) -> None:
        self.now_ns = NOW_NS
        self.outbox = Outbox(10**9)
        clocks = Clocks(lambda: self.now_ns, lambda: 0.0)
        self.pipeline = Pipeline(self.outbox, Repeats(0.0), clocks, "id", TimeSettings(**settings))  # type: ignore[arg-type]
        stream = Stream("PV", Transport.CA, "f142", "topic")
        self.pipeline.open(stream)
        self.route: Route = self.pipeline.route(stream)
        self.route.connected(DOUBLE)
        self.said()

    def said(self) -> list[tuple[int, int]]:
        """The times of the f142 messages since the last look: (payload in ns, Kafka in ms)."""
        incoming = self.outbox.lane("", "topic").incoming
        messages = [m for m in incoming if m[1][4:8] == b"f142"]
        incoming.clear()
        return [(LogData.GetRootAsLogData(value, 0).Timestamp(), time_ms) for _, value, time_ms in messages]

    def update(self, *times_ns: int) -> list[tuple[int, int]]:
        for time_ns in times_ns:
            self.route.update(1.0, time_ns, 0, 0)
        return self.said()


def told(*times_ns: int) -> list[tuple[int, int]]:
    return [(time_ns, time_ns // 1_000_000) for time_ns in times_ns]


def test_the_first_value_goes_however_old_it_is() -> None:
    bench = Bench()
    assert bench.update(EPICS_EPOCH_NS) == told(EPICS_EPOCH_NS)
    bench.route.disconnected()
    bench.route.connected(DOUBLE)
    assert bench.update(EPICS_EPOCH_NS - 1) == told(EPICS_EPOCH_NS - 1)
    assert bench.pipeline.times.out_of_order == 0


def test_an_older_update_is_counted_and_sent() -> None:
    bench = Bench()
    times = (NOW_NS - 5, NOW_NS - 3, NOW_NS - 4, NOW_NS - 3, NOW_NS - 2)
    assert bench.update(*times) == told(*times)
    assert bench.pipeline.times.out_of_order == 1
    assert (bench.route.value, bench.route.time_ns) == (1.0, NOW_NS - 2)


def test_an_older_update_is_dropped_where_that_is_wanted_and_counted_as_received() -> None:
    bench = Bench(send_out_of_order=False)
    assert bench.update(NOW_NS - 5, NOW_NS - 3, NOW_NS - 4, NOW_NS - 3) == told(NOW_NS - 5, NOW_NS - 3, NOW_NS - 3)
    assert (bench.pipeline.received, bench.pipeline.dropped, bench.pipeline.times.out_of_order) == (4, 1, 1)


def test_the_first_value_after_a_reconnect_goes_though_older_ones_are_dropped() -> None:
    bench = Bench(send_out_of_order=False)
    bench.update(NOW_NS)
    bench.route.disconnected()
    bench.route.connected(DOUBLE)
    assert bench.update(NOW_NS - SECOND_NS) == told(NOW_NS - SECOND_NS)


def test_a_time_too_far_in_the_future_is_now_for_kafka_and_no_measure_for_the_order() -> None:
    bench = Bench(send_out_of_order=False)
    limit = NOW_NS + 600 * SECOND_NS
    assert bench.update(NOW_NS, limit, limit + 1) == [*told(NOW_NS, limit), (limit + 1, NOW_MS)]
    assert bench.pipeline.times.in_the_future == 1
    bench = Bench(send_out_of_order=False)
    assert bench.update(NOW_NS, limit + 1, NOW_NS + 1) == [*told(NOW_NS), (limit + 1, NOW_MS), *told(NOW_NS + 1)]
    assert bench.pipeline.times.out_of_order == 0
    assert bench.update(NOW_NS) == [], "older than the newest sane one"


def test_the_future_moves_on_with_the_clock() -> None:
    bench = Bench()
    bench.update(NOW_NS)
    bench.now_ns += 86_400 * SECOND_NS
    tomorrow = bench.now_ns + 599 * SECOND_NS
    assert bench.update(tomorrow) == told(tomorrow)
    assert bench.pipeline.times.in_the_future == 0


def test_times_older_than_the_broker_takes_are_clamped_each_time_and_stay_in_the_payload() -> None:
    bench = Bench(past_limit_s=3600.0)
    earliest_ms = NOW_MS - 3_600_000 + 1
    old = [EPICS_EPOCH_NS, EPICS_EPOCH_NS + 1, EPICS_EPOCH_NS + 2]
    assert bench.update(*old) == [(time_ns, earliest_ms) for time_ns in old]
    assert bench.pipeline.times.clamped == 3
    assert bench.update(NOW_NS, EPICS_EPOCH_NS) == [*told(NOW_NS), (EPICS_EPOCH_NS, earliest_ms)]
    assert (bench.pipeline.times.clamped, bench.pipeline.times.out_of_order) == (4, 1)


def test_an_old_clock_of_an_ioc_is_out_of_order_only_when_it_goes_back() -> None:
    bench = Bench(past_limit_s=3600.0, send_out_of_order=False)
    assert len(bench.update(EPICS_EPOCH_NS + 5, EPICS_EPOCH_NS + 7, EPICS_EPOCH_NS + 6, EPICS_EPOCH_NS + 8)) == 3
    assert bench.pipeline.times.out_of_order == 1


@pytest.mark.parametrize("change", [1, -1])
def test_alarms_and_late_times_come_together(change: int) -> None:
    bench = Bench()
    bench.update(NOW_NS)
    bench.route.update(2.0, NOW_NS + change, 3, 2)
    assert bench.said() == told(NOW_NS + change)
    assert bench.pipeline.times.out_of_order == (change < 0)
