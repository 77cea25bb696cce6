"""Reading a process's bill: CPU time, memory, and what was counted meanwhile."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil

_SCHED = 2  # CPUCLOCK_SCHED, include/linux/posix-timers.h


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between two moments."""

    seconds: float
    records: int
    first_offset: int
    end_offset: int
    cpu_s: dict[str, float]
    """CPU time of each process, all its threads, user and system."""
    rss_bytes: dict[str, int]
    """Memory of each process at the end."""

    @property
    def records_per_s(self) -> float:
        return self.records / self.seconds

    def us_per_record(self, process: str) -> float:
        return self.cpu_s[process] / self.records * 1e6 if self.records else float("nan")

    def cores(self, process: str) -> float:
        """How much of one core the process used."""
        return self.cpu_s[process] / self.seconds


def cpu_ns(pid: int) -> int:
    """CPU time of all threads of a process, those included that have ended.

    The same sum as utime and stime of /proc/PID/stat, but in nanoseconds instead of ticks of 10 ms: the kernel lets
    anybody read the CPU clock of any process (clock_getcpuclockid).
    """
    return time.clock_gettime_ns((~pid << 3) | _SCHED)


def rss_bytes(pid: int) -> int:
    return psutil.Process(pid).memory_info().rss


def window(counted: Callable[[], int], pids: Mapping[str, int], seconds: float) -> Window:
    """Watch for so long. `counted` tells how many records there ever were."""
    first_offset = counted()
    began = time.perf_counter()
    before = {name: cpu_ns(pid) for name, pid in pids.items()}
    time.sleep(seconds)
    last_offset = counted()
    ended = time.perf_counter()
    after = {name: cpu_ns(pid) for name, pid in pids.items()}
    return Window(
        seconds=ended - began,
        records=last_offset - first_offset,
        first_offset=first_offset,
        end_offset=last_offset,
        cpu_s={name: (after[name] - before[name]) / 1e9 for name in pids},
        rss_bytes={name: rss_bytes(pid) for name, pid in pids.items()},
    )
