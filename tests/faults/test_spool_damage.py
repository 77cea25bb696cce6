"""The files of the spool are damaged while it is written to: what was there is counted, and nothing else is lost."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.chain import FULL, PVS, SCAN_S, Chain, lasting
from tests.faults.judge import judge
from tests.faults.log import said
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.spool_damage import DAMAGES, files, without_override
from tests.support.waiting import wait_until

Unique = Callable[[str], str]

_SPOOLED_BYTES = 15_000_000 if FULL else 1_500_000
"""Written before the damage; what is more than 8 MB is not in SQLite's own memory too."""
_GOES_ON_S = 2.5
"""How long after it Kafka stays away: for two more writes."""
_A_SECOND_BYTES = 500_000
"""On disk, at least."""
_TAKES_FROM_DISK = "removed, and not to be made again"
"""All that is there, and the way to put anything there for a while."""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="there is no setpriv (Debian: util-linux)")
@pytest.mark.parametrize("name", DAMAGES if FULL else [_TAKES_FROM_DISK])
def test_the_spool_is_damaged_during_an_outage(
    broker: Broker, ioc: EpicsIoc, unique: Unique, tmp_path: Path, name: str
) -> None:
    directory = tmp_path / "spool"
    flags = ["--spool-directory", str(directory), "--statistics-update-interval", "0.5"]
    with Chain(broker, ioc, unique, flags=flags, within=without_override()) as chain:
        broker.stop()
        wait_until(lambda: sum(path.stat().st_size for path in files(directory)) > _SPOOLED_BYTES, 30)
        DAMAGES[name](directory)
        try:
            lasted_s = lasting(_GOES_ON_S)
        finally:
            directory.chmod(0o700)
        broker.start()
        chain.over(lasted_s)
        counted = chain.finish()
        values = chain.values()
    verdict = judge(values)
    chain.report(f"broker stopped, spool {name}", verdict.missing, verdict.duplicated)
    assert (verdict.pvs, verdict.duplicated, verdict.backwards) == (PVS, 0, 0)
    assert counted["messages_dropped"] == verdict.missing
    assert chain.received == verdict.values + verdict.missing
    assert set(counted["dropped_by_reason"]) <= {"spool damaged"}
    on_disk = PVS / SCAN_S * _SPOOLED_BYTES / _A_SECOND_BYTES
    assert verdict.missing < 2 * on_disk, "what was there, and not what came later"
    if name == _TAKES_FROM_DISK:
        assert verdict.missing
        assert said(chain.process.log, "was removed")
        assert said(chain.process.log, "can't be written: over after")
