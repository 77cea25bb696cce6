"""A forwarder that is stopped, or killed, and started again with what it had left on disk.

Killed, it loses what was neither acknowledged nor on disk: what came within the time that a message may wait in memory
(spool-after), and the time that the write of it takes. Its PVs count on while it does not run: nobody receives that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import random

import numpy as np

from tests.faults.chain import FAULT_S, PVS, SCAN_S, Chain, lasting
from tests.faults.judge import Values, Verdict, judge
from tests.faults.log import said
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

Unique = Callable[[str], str]

_SPOOL_AFTER_S = 1.0
_LOOK_S = 0.019
_WRITE_S = 0.5
"""For a second's worth of messages, on a machine with much else to do; fsync included."""
_BOUND_S = _SPOOL_AFTER_S + _LOOK_S + _WRITE_S
_SCAN_JITTER_S = 0.01
_STARTS_WITHIN_S = 20.0
_SOON_S = 10.0
"""After its first status, when nothing else is broken."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a process that was killed had not brought to safety."""

    values: int
    longest_s: float
    """From the first value that is lost until the kill, for the PV that has lost most."""


def lost_at(killed_ns: int, values: Values) -> Loss:
    """By what is in Kafka of the first connection of each PV, which ended with the kill."""
    last_ns = np.zeros(PVS, np.int64)
    first_session = values.session == values.session[values.ends()[0]][values.pv]
    # In order: where a PV comes several times, the last one stays.
    last_ns[values.pv[first_session]] = values.time_ns[first_session]
    behind_s = (killed_ns - last_ns) / 1e9
    return Loss(
        values=int(np.maximum((behind_s - _SCAN_JITTER_S) // SCAN_S, 0).sum()),
        longest_s=max(0.0, float(behind_s.max()) - SCAN_S),
    )


def report_kill(chain: Chain, what: str, verdict: Verdict, loss: Loss) -> None:
    chain.report(
        f"{what}: {1000 * loss.longest_s:.0f} ms lost",
        verdict.missing + loss.values,
        verdict.duplicated,
        received=verdict.values + loss.values,
        acknowledged=verdict.values + verdict.duplicated,
    )


def test_it_is_stopped_during_an_outage(broker: Broker, ioc: EpicsIoc, unique: Unique, transport: str) -> None:
    with Chain(broker, ioc, unique, transport=transport, flags=["--stop-timeout", "1"]) as chain:
        broker.stop()
        lasted_s = lasting()
        first = chain.stop()
        assert first["messages_waiting"] > 0
        assert said(chain.process.log, f"{first['messages_waiting']} messages are kept in the spool")
        chain.process.launch()
        wait_until(lambda: "of an earlier run are in the spool" in chain.process.log, _STARTS_WITHIN_S)
        broker.start()
        chain.process.wait_until_ready()
        chain.over(lasted_s)
        second = chain.finish()
        values = chain.values()
    verdict = judge(values)
    chain.report("SIGTERM while the broker is stopped", verdict.missing, verdict.duplicated)
    assert second["messages_restored"] == first["messages_waiting"]
    assert (verdict.pvs, verdict.missing, verdict.backwards) == (PVS, 0, 0)
    assert verdict.values == chain.received
    assert chain.acknowledged == chain.received
    # What was on its way when the broker went: it may have stored that, and could not say so any more.
    assert verdict.duplicated <= PVS


def test_it_is_killed_during_an_outage(broker: Broker, ioc: EpicsIoc, unique: Unique, transport: str) -> None:
    with Chain(broker, ioc, unique, transport=transport) as chain:
        broker.stop()
        # Any time between two writes may be that of the kill.
        lasted_s = lasting(FAULT_S + random())
        killed_ns = chain.kill()
        chain.process.launch()
        wait_until(lambda: "of an earlier run are in the spool" in chain.process.log, _STARTS_WITHIN_S)
        broker.start()
        chain.process.wait_until_ready()
        chain.over(lasted_s)
        counted = chain.finish()
        values = chain.values()
    verdict = judge(values)
    loss = lost_at(killed_ns, values)
    report_kill(chain, "SIGKILL while the broker is stopped", verdict, loss)
    assert (verdict.pvs, verdict.missing, verdict.backwards) == (PVS, 0, 0)
    assert loss.longest_s <= _BOUND_S
    assert counted["messages_restored"] > 0


def test_it_is_killed(broker: Broker, ioc: EpicsIoc, unique: Unique, transport: str) -> None:
    with Chain(broker, ioc, unique, transport=transport) as chain:
        killed_ns = chain.kill()
        lasting(0.5)
        chain.process.start()
        chain.over(0, _SOON_S)
        chain.finish()
        values = chain.values()
    verdict = judge(values)
    loss = lost_at(killed_ns, values)
    report_kill(chain, "SIGKILL", verdict, loss)
    assert (verdict.pvs, verdict.missing, verdict.backwards) == (PVS, 0, 0)
    assert loss.longest_s <= _BOUND_S
