"""CPU time, loss and latency by rate: the bare reference and the forwarder in turn, beside the same IOC."""

from collections.abc import Callable, Iterator, Sequence

from benchmarks import pva_counting
from benchmarks.arrival import NotAllArrived
from benchmarks.forwarder_run import Forwarder
from benchmarks.ioc import pva_address, serve
from benchmarks.pvs import Pvs
from benchmarks.subjects import Program, Subject
from benchmarks.trial import Trial, run
from tests.support.epics import EpicsServer
from tests.support.kafka import Broker

FORWARDERS: dict[str, Callable[[EpicsServer, Broker], Forwarder]] = {
    "forwarder": lambda ioc, broker: Forwarder(ioc.ca_address, broker),
    "forwarder f144": lambda ioc, broker: Forwarder(ioc.ca_address, broker, name="forwarder f144", schema="f144"),
    "forwarder PVA": lambda ioc, broker: Forwarder(
        ioc.ca_address, broker, name="forwarder PVA", pva_addresses=pva_address(ioc)
    ),
}
SUBJECTS: dict[str, Callable[[EpicsServer, Broker], Subject]] = {
    "bare": lambda ioc, broker: Program("bare", ioc, broker),
    **FORWARDERS,
    "stock": lambda ioc, broker: Program("stock", ioc, broker),
}

STOCK_RATES = (500, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000)
SUSTAINED_RATES = (200_000, 150_000, 125_000, 100_000, 75_000, 50_000, 25_000)
_PROBE_S = 3.0


def compare(
    broker: Broker, ioc_kind: str, pvs: Pvs, subjects: Sequence[str], *, seconds: float, rounds: int
) -> Iterator[Trial]:
    """Each subject in turn, `rounds` times over, so that what else the machine does hits all of them alike."""
    with serve(pvs, ioc_kind) as ioc:
        for _ in range(rounds):
            for name in subjects:
                if name in pva_counting.PACES_S:
                    yield pva_counting.run(name, pvs, ioc, broker, seconds=seconds)
                else:
                    yield run(SUBJECTS[name](ioc, broker), pvs, ioc, broker, seconds=seconds)


def stock_ramp(broker: Broker, ioc_kind: str, rates: Sequence[int], *, seconds: float) -> Iterator[Trial]:
    """Ever higher rates, until one is too much for it; from some rate on it does not even get all values."""
    for rate in rates:
        pvs = Pvs.for_rate(rate)
        with serve(pvs, ioc_kind) as ioc:
            try:
                trial = run(SUBJECTS["stock"](ioc, broker), pvs, ioc, broker, seconds=seconds)
            except NotAllArrived:
                return
        yield trial
        if not trial.kept_up:
            return


def sustained(broker: Broker, ioc_kind: str, subject: str, rates: Sequence[int], *, seconds: float) -> Iterator[Trial]:
    """Ever lower rates, until one is held for so long. The last trial is the one that held, if any did."""
    for rate in rates:
        pvs = Pvs.for_rate(rate)
        with serve(pvs, ioc_kind) as ioc:
            for duration in (_PROBE_S, seconds):
                trial = run(SUBJECTS[subject](ioc, broker), pvs, ioc, broker, seconds=duration)
                yield trial
                if not trial.kept_up:
                    break
            else:
                return
