"""Giving up what would make the measurement unfair."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.processes import without_real_time

_SYS_NICE = 1 << 23  # linux/capability.h


def without_real_time_priority(arguments: Sequence[str]) -> None:
    """Start this program again without CAP_SYS_NICE, if it has it; all processes that it starts inherit the loss.

    EPICS's own threads would take real-time priority and starve everybody else on a small machine.
    """
    status = Path("/proc/self/status").read_text()
    bounding = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status, re.MULTILINE)
    command = [sys.executable, "-m", "benchmarks", *arguments]
    reduced = without_real_time(command)
    if reduced != command and bounding is not None and int(bounding[1], 16) & _SYS_NICE:
        os.execvp(reduced[0], reduced)
