"""The parts of the demo's instrument agree with each other, and with those who read them."""

from typing import Any

import numpy as np
import pytest

from forwarder.blocks.names import block_names
from forwarder.blocks.wanted import RUN_LOG
from forwarder.decode import decode
from forwarder.demo.block_server import BlockServer, packed
from forwarder.demo.blocks import VISITOR, Blocks
from forwarder.demo.ioc import pv_names
from forwarder.demo.neutrons import Neutrons
from forwarder.demo.picture import Picture
from forwarder.demo.run_log import RunLog, values
from forwarder.demo.runs import PAUSE_S, PULSES_PER_S, RUN_S, Run, run_at

BEGUN_S = 1_700_000_000.0


def test_the_block_server_is_understood() -> None:
    names = list(Blocks().by_name())
    assert block_names(packed(names)).names == tuple(names)
    told = block_names(bytes(BlockServer(names).names.value)).names
    assert set(names) - set(told) == {VISITOR}


def test_the_ioc_serves_what_is_asked_for() -> None:
    served = pv_names("DEMO:")
    assert served[0] == "DEMO:CS:BLOCKSERVER:BLOCKNAMES"
    assert {f"DEMO:DAE:{name}" for name in RUN_LOG} <= set(served)
    assert RunLog(BEGUN_S).by_name().keys() == values(0.0).keys()


RUNS = {
    "the beginning": (0.0, Run(1, True, 0.0, 0.0)),
    "before it": (-1.0, Run(1, True, 0.0, 0.0)),
    "in the first": (5.0, Run(1, True, 0.0, 5.0)),
    "in the pause": (RUN_S + 1, Run(1, False, 0.0, RUN_S)),
    "in the third": (2 * (RUN_S + PAUSE_S) + 1, Run(3, True, 2 * (RUN_S + PAUSE_S), 1.0)),
}


@pytest.mark.parametrize(("since_s", "run"), RUNS.values(), ids=RUNS)
def test_runs(since_s: float, run: Run) -> None:
    assert run_at(since_s) == run


def test_the_run_log_stands_still_in_a_pause() -> None:
    assert values(RUN_S + 1) == values(RUN_S + 2)
    assert values(RUN_S + 1)["BEAMCURRENT"] == 0
    assert values(10.0)["GOODFRAMES"] == 10 * PULSES_PER_S


class _Producer:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def produce(self, topic: str, value: bytes, partition: int) -> None:
        assert partition == 0, "any other, and pulses are read out of order"
        self.sent.append((topic, decode(value)))

    def poll(self, timeout: float) -> None:
        pass


def test_neutrons_come_in_runs() -> None:
    producer: Any = _Producer()
    neutrons = Neutrons(producer, "DEMO", BEGUN_S)
    for since in (0.0, 0.1, RUN_S, RUN_S + 0.1, RUN_S + PAUSE_S):
        neutrons.pulse(BEGUN_S + since)
    assert [(topic, told.schema) for topic, told in producer.sent] == [
        ("DEMO_runInfo", "pl72"),
        ("DEMO_events", "ev44"),
        ("DEMO_events", "ev44"),
        ("DEMO_runInfo", "6s4t"),
        ("DEMO_runInfo", "pl72"),
        ("DEMO_events", "ev44"),
    ]
    start, pulse, _, stop, second, _ = (told for _, told in producer.sent)
    assert (start.name, start.time_ns) == ("demo 1", 1_700_000_000_000_000_000)
    assert (stop.name, stop.time_ns) == ("demo 1", 1_700_000_020_000_000_000)
    assert second.name == "demo 2"
    pixels, times = pulse.fields["pixel_id"], pulse.fields["time_of_flight"]
    assert len(pixels) == len(times) > 0
    assert np.all((pixels >= 1) & (pixels <= 64 * 64))


def test_the_picture_has_the_run_and_its_events() -> None:
    class Sends:
        def produce(self, topic: str, value: bytes, partition: int) -> None:
            picture.take(value, 0.0)

        def poll(self, timeout: float) -> None:
            pass

    picture = Picture()
    producer: Any = Sends()
    neutrons = Neutrons(producer, "DEMO", BEGUN_S)
    neutrons.pulse(BEGUN_S)
    assert picture.run is not None
    assert (picture.run.name, picture.run.counts) == ("demo 1", True)
    assert picture.events > 0
    neutrons.pulse(BEGUN_S + RUN_S)
    assert not picture.run.counts
