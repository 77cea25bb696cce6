"""Twice what can be carried: the service says so, stays within its bounds, and is still there for commands."""

import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol

from benchmarks.database import database
from benchmarks.measure import cpu_ns
from benchmarks.pvs import Pvs
from tests.faults.chain import NAMES
from tests.faults.log import said
from tests.faults.overload_rig import OBEYS_WITHIN_S, STATUS_S, Overloaded
from tests.faults.overload_throttle import Seldom, Throttle
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker

Unique = Callable[[str], str]

_FAST = Pvs(300, beats=10)
"""30 000 updates a second."""
_LOOK_S = 2.0
_TWICE = 0.5
"""Part of what comes that can be carried."""
_ABOUT = 1.3
"""How far from that a machine with much else to do may be."""
_LEAST = 0.7
"""How much less it gets at most, when it turns out to get on with less."""
_CARRIED = 0.05
"""Part of what comes that is carried at least: of a twentieth of a core, wake-ups and status take more than half."""
_LASTS_S = 4.0
_ANSWERS_S = 0.3
_FOR_S = 0.02
"""How often the slow broker runs at first, and for how long then."""
_ONE_BATCH = 2_000
"""Bytes of a batch, of which one of each topic is answered at a time. So small that a broker has to take half while it
still answers often enough for a command: on a fast machine larger ones made it answer every few seconds only."""
_STARVED_TELLS_S = STATUS_S + OBEYS_WITHIN_S
"""Between two statuses of a process that gets a tenth of a core or less."""
_BACKLOG = "Kafka does not take what comes"


@pytest.fixture(scope="module")
def fast_ioc() -> Iterator[EpicsIoc]:
    with EpicsIoc(database(_FAST)) as ioc:
        yield ioc


@pytest.mark.parametrize(
    ("protocol", "pvs"), [pytest.param(Protocol.CA, 300, id="CA"), pytest.param(Protocol.PVA, 120, id="PVA")]
)
def test_half_of_the_cpu_that_it_needs(
    broker: Broker, fast_ioc: EpicsIoc, unique: Unique, protocol: int, pvs: int
) -> None:
    with Overloaded(broker, fast_ioc, unique, _FAST.names()[:pvs], protocol=protocol) as overloaded:
        pid = overloaded.process.pid
        began, used = time.monotonic(), cpu_ns(pid)
        wanted = overloaded.carries(_LOOK_S)
        share = (cpu_ns(pid) - used) / 1e9 / (time.monotonic() - began)
        with Throttle(pid, _TWICE * share) as throttle:
            # Whoever is late does more in one go, and gets on with less.
            part = overloaded.carries(_LOOK_S).acknowledged / wanted.acknowledged
            throttle.share *= min(1.0, max(_TWICE / part, _LEAST))
            since_s = time.time()
            carried = overloaded.carries(_LASTS_S)
            overloaded.obeys_in_time()
            overloaded.tells_in_time(since_s, _STARVED_TELLS_S)
        loads = [told.facts["load"] for told in overloaded.told() if told.at_s >= since_s]
        assert carried.acknowledged > _CARRIED * wanted.acknowledged, "what can be carried is carried"
        overloaded.stays_in_memory()
        counted = overloaded.ends_well()
        assert counted["messages_dropped"] == 0, "what comes too fast waits with its server"
        assert any(load["overloaded"] for load in loads), loads
        assert said(overloaded.process.log, "the core of the event loop is full")


@pytest.mark.parametrize(
    ("flags", "memory", "reason", "says"),
    [
        (["--spool-directory", "none"], 4_000_000, "memory full", "the memory for waiting messages is full"),
        # Enough memory for what comes while the disk is slow.
        (["--spool-max-bytes", "1000000", "--spool-after", "100"], 12_000_000, "spool full", _BACKLOG),
    ],
    ids=["memory only", "small spool"],
)
def test_kafka_takes_half(
    broker: Broker, ioc: EpicsIoc, unique: Unique, flags: Sequence[str], memory: int, reason: str, says: str
) -> None:
    flags = ["--max-batch-bytes", str(_ONE_BATCH), *flags]
    with Overloaded(broker, ioc, unique, NAMES, max_waiting_bytes=memory, flags=flags) as overloaded:
        with Seldom(broker.pid, _ANSWERS_S, _FOR_S) as seldom:
            while (part := (carried := overloaded.carries(_LOOK_S)).acknowledged / carried.wanted) > _TWICE:
                seldom.every_s *= _ABOUT * part / _TWICE
            since_s = time.time()
            overloaded.told_when(lambda told: told.statistics["dropped_by_reason"].get(reason), "something was dropped")
            carried = overloaded.carries(_LASTS_S)
            overloaded.obeys_in_time()
            overloaded.tells_in_time(since_s)
        overloaded.stays_in_memory()
        counted = overloaded.ends_well()
        assert set(counted["dropped_by_reason"]) == {reason}
        assert 0 < carried.acknowledged < _ABOUT * _TWICE * carried.wanted, "it was twice what Kafka takes"
        assert said(overloaded.process.log, says)
