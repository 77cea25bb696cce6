"""What spooling costs the event loop, beside a forwarder that keeps everything in memory: no pauses."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from forwarder.demo.child import Child
from tests.faults.chain import FAULT_S, NAMES
from tests.support.ioc import EpicsIoc
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import spawn
from tests.support.waiting import wait_until

_ROOT = Path(__file__).parents[2]
_LASTS_S = max(8.0, FAULT_S)
_PAUSE_S = 0.020
_A_WRITE_BYTES = 300_000
"""At least: what comes in a second."""

Floats = npt.NDArray[np.float64]


@contextmanager
def watched(folder: Path, ioc: EpicsIoc, *flags: str) -> Iterator[Child]:
    """A forwarder without a Kafka, which has the streams from a file; its loop's looks go to `looks`."""
    folder.mkdir()
    converter = {"schema": "f142", "topic": "data"}
    streams = [{"channel": name, "channel_provider_type": "ca", "converter": converter} for name in NAMES]
    (folder / "streams.json").write_text(json.dumps({"streams": streams}))
    nobody = f"{LOOPBACK}:{free_port()}"
    command = [
        *(sys.executable, "-m", "tests.support.watched_forwarder", str(folder / "looks"), "run"),
        *("--config-topic", f"{nobody}/config", "--status-topic", f"{nobody}/status", "--output-broker", nobody),
        *("--streams-json", str(folder / "streams.json"), "--state-directory", str(folder)),
        *("--statistics-update-interval", "0.5", "--stop-timeout", "1", "--ca-repeater-port", str(ioc.beacon_port)),
        *flags,
    ]
    environment = {
        "PYTHONPATH": str(_ROOT),
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_ADDR_LIST": ioc.ca_address,
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
    }
    with spawn("watched forwarder", command, environment=environment) as child:
        wait_until(lambda: f"'pvs': {{'connected': {len(NAMES)}}}" in child.log(), 60, what="all PVs are connected")
        yield child


def longest_s(looks: Floats, began: float, ended: float) -> Floats:
    """By how much the latest look of each second was late."""
    due, late = looks.T
    second = np.floor(due - began)
    return np.array([late[second == each].max() for each in range(int(ended - began))])


def test_spooling_costs_the_loop_no_pauses(ioc: EpicsIoc, tmp_path: Path) -> None:
    folders = tmp_path / "spools", tmp_path / "does not"
    with watched(folders[0], ioc) as spools, watched(folders[1], ioc, "--spool-directory", "none") as does_not:
        wait_until(lambda: sum(size_of(folders[0])) > _A_WRITE_BYTES, 20, what="it spools")
        began = time.monotonic()
        # Not a guess: the pauses are those of this time.
        time.sleep(_LASTS_S)
        ended = time.monotonic()
        written = sum(size_of(folders[0]))
        for child in (spools, does_not):
            child.terminate()
    with_spool, without = (json.loads((folder / "looks").read_text()) for folder in folders)
    assert with_spool["in the loop"] == [], "all of the spool's work is done in its own thread"
    assert written > _A_WRITE_BYTES * _LASTS_S / 2
    longest, beside = (
        float(np.median(longest_s(np.array(each["looks"]), began, ended))) for each in (with_spool, without)
    )
    # A machine that is busy with something else stops both.
    assert longest <= max(_PAUSE_S, 1.5 * beside), (
        f"{1000 * longest:.1f} ms, and {1000 * beside:.1f} ms without a spool"
    )


def size_of(folder: Path) -> list[int]:
    """Bytes of the spool's files."""
    return [path.stat().st_size for path in folder.rglob("spool.db*")]
