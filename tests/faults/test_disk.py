"""No room left for what waits for Kafka: on disk, and then in memory too."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.chain import FAULT_S, Chain, lasting
from tests.faults.judge import judge
from tests.faults.log import check_said_once_and_over, said
from tests.faults.mounts import why_not, with_small_disk
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker

Unique = Callable[[str], str]

_RESERVE_MIB = 8
"""What the spool leaves free."""


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_the_disk_of_the_spool_is_full(broker: Broker, ioc: EpicsIoc, unique: Unique, tmp_path: Path) -> None:
    disk = with_small_disk(tmp_path, _RESERVE_MIB + 3)
    flags = ["--spool-directory", str(tmp_path)]
    with Chain(broker, ioc, unique, flags=flags, within=disk) as chain:
        broker.stop()
        lasted_s = lasting(max(FAULT_S, 6))
        full = said(chain.process.log, "can't be written")
        broker.start()
        chain.over(lasted_s)
        check_said_once_and_over(chain.process, "can't be written")
        chain.nothing_is_lost("broker stopped, disk full")
        assert full
        assert "the disk is full" in full[0]


def test_neither_disk_nor_memory_has_room(broker: Broker, ioc: EpicsIoc, unique: Unique) -> None:
    """The oldest go, counted: as many as are missing."""
    flags = ["--spool-directory", "none", "--max-waiting-bytes", str(3_000_000)]
    with Chain(broker, ioc, unique, flags=flags) as chain:
        broker.stop()
        lasted_s = lasting(min(FAULT_S, 10))
        broker.start()
        chain.over(lasted_s)
        check_said_once_and_over(chain.process, "the memory for waiting messages is full")
        counted = chain.finish()
        values = chain.values()
        verdict = judge(values)
        chain.report("broker stopped, no disk, 3 MB of memory", verdict.missing, verdict.duplicated)
        assert counted["dropped_by_reason"] == {"memory full": verdict.missing}
        assert verdict.missing > 0
        assert (verdict.duplicated, verdict.backwards) == (0, 0)
        assert chain.received == verdict.values + verdict.missing
