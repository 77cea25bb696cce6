"""What is remembered of a PV's connection, and that it does not grow."""

import numpy as np

from forwarder.history import History
from forwarder.model import ChannelType, ConnectionState, Stream, Transport, ValueType
from forwarder.outbox import Outbox
from forwarder.pipeline import Pipeline
from forwarder.repeats import Repeats
from forwarder.route import Clocks, Route

DOUBLE = ChannelType(ValueType.FLOAT64, is_array=False)


class Bench:
    def __init__(self) -> None:
        self.now_ns = 0
        pipeline = Pipeline(Outbox(10**9), Repeats(0.0), Clocks(lambda: self.now_ns, lambda: 0.0), "service-1")
        pipeline.open(Stream("PV", Transport.CA, "f142", "t"))
        self.route: Route = next(iter(pipeline))

    @property
    def history(self) -> History:
        return self.route.history


def test_found_and_lost_with_times_server_and_reason() -> None:
    bench = Bench()
    bench.now_ns = 1
    bench.route.never_connected()
    bench.now_ns = 2
    bench.route.connected(DOUBLE, "ioc:5064")
    bench.route.update(2.5, 10, 0, 0)
    bench.now_ns = 3
    bench.route.disconnected("its circuit is lost: silent for 35 s")
    assert [tuple(event) for event in bench.history.events] == [
        (1, ConnectionState.NEVER_CONNECTED, "", ""),
        (2, ConnectionState.CONNECTED, "ioc:5064", ""),
        (3, ConnectionState.DISCONNECTED, "ioc:5064", "its circuit is lost: silent for 35 s"),
    ]
    assert (bench.history.connects, bench.history.losses) == (1, 1)
    assert bench.history.last(ConnectionState.CONNECTED) == 2
    assert (bench.history.last_value, bench.route.time_ns) == (2.5, 10)


def test_the_last_twenty_events_are_kept_and_all_are_counted() -> None:
    bench = Bench()
    for number in range(50):
        bench.now_ns = number
        bench.route.connected(DOUBLE)
        bench.route.disconnected()
    assert len(bench.history.events) == 20
    assert (bench.history.connects, bench.history.losses) == (50, 50)
    assert bench.history.last(ConnectionState.DISCONNECTED) == 49
    assert bench.history.last(ConnectionState.NEVER_CONNECTED) is None


def test_a_large_value_is_not_kept_over_a_loss() -> None:
    for value, kept in ((np.zeros(10), None), ("x" * 101, None), ("warm", "warm"), (3, 3)):
        bench = Bench()
        bench.route.connected(DOUBLE)
        bench.route.value = value
        bench.route.disconnected()
        assert bench.history.last_value == kept


def test_the_last_error_is_kept_cut_and_with_its_time() -> None:
    bench = Bench()
    bench.now_ns = 7
    bench.route.failed(ValueError("y" * 10_000))
    bench.route.failed(ValueError())
    assert bench.history.error == (7, "ValueError")
    bench.route.failed(ValueError("y" * 10_000))
    assert bench.history.error is not None
    assert bench.history.error.text == "y" * 200
