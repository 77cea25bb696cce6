"""Neutrons, and runs to count them in. Run as `python -m forwarder.demo.neutrons BROKER INSTRUMENT BEGUN`.

It stands for the detectors' electronics: events go to INSTRUMENT_events, starts and stops of runs to
INSTRUMENT_runInfo, until it is ended.
"""

import itertools
import sys
import time

import numpy as np
from confluent_kafka import Producer
from streaming_data_types.eventdata_ev44 import serialise_ev44
from streaming_data_types.run_start_pl72 import serialise_pl72
from streaming_data_types.run_stop_6s4t import serialise_6s4t

from forwarder.demo.runs import EVENTS_PER_PULSE, PULSES_PER_S, RUN_S, Run, run_at

_SIDE = 64
"""Pixels of the detector along each side."""
_PARTITION = 0
"""One, as detectors have it: pulses and runs are to be read in the order in which they came."""
_FRAME_NS = 20_000_000
_NS_PER_S = 1_000_000_000


class Neutrons:
    """What is sent, by the time since the first run has started."""

    def __init__(self, producer: Producer, instrument: str, begun_s: float) -> None:
        self._producer = producer
        self._events, self._runs = f"{instrument}_events", f"{instrument}_runInfo"
        self._instrument = instrument
        self._begun_s = begun_s
        self._told: Run | None = None
        self._random = np.random.default_rng()
        self._serial = itertools.count()

    def pulse(self, now_s: float) -> None:
        """Send what belongs to now, in seconds since the Unix epoch."""
        run = run_at(now_s - self._begun_s)
        if self._told is None or (run.number, run.counts) != (self._told.number, self._told.counts):
            self._tell(run)
            self._told = run
        if run.counts:
            self._producer.produce(self._events, self._message(round(now_s * _NS_PER_S)), partition=_PARTITION)
        self._producer.poll(0)

    def _tell(self, run: Run) -> None:
        started_ms = round((self._begun_s + run.started_s) * 1000)
        job = f"{self._instrument} {run.name}"
        if run.counts:
            told = serialise_pl72(
                job, "", start_time=started_ms, run_name=run.name, instrument_name=self._instrument, service_id="demo"
            )  # fmt: skip
        else:
            told = serialise_6s4t(job, run.name, "demo", stop_time=started_ms + round(RUN_S * 1000))
        self._producer.produce(self._runs, told, partition=_PARTITION)

    def _message(self, pulse_ns: int) -> bytes:
        count = int(self._random.poisson(EVENTS_PER_PULSE))
        # A spot in the middle of the detector, in a hump over the frame.
        spot = self._random.normal(_SIDE / 2, _SIDE / 8, (2, count)).clip(0, _SIDE - 1).astype(np.int32)
        times = self._random.gamma(4.0, _FRAME_NS / 16, count).clip(0, _FRAME_NS - 1).astype(np.int32)
        pixels = 1 + spot[0] * _SIDE + spot[1]
        return serialise_ev44("detector_1", next(self._serial), [pulse_ns], [0], times, pixels)


def main(broker: str, instrument: str, begun_s: float) -> None:
    producer = Producer({"bootstrap.servers": broker, "linger.ms": 20})
    neutrons = Neutrons(producer, instrument, begun_s)
    for pulse in itertools.count(1):
        neutrons.pulse(time.time())
        time.sleep(max(begun_s + pulse / PULSES_PER_S - time.time(), 0.0))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
