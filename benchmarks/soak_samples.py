"""What the process holds, again and again, and whether it becomes more."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psutil

_BLOCKS = 20
_TWO_SIDED_95 = 2.1
"""Student's t for as many blocks."""


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: float
    """Since the start."""
    rss_bytes: int
    threads: int
    descriptors: int
    cpu_s: float
    """Of all threads, since the process began."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Least squares through the means of blocks: within a block what one sample has the next one has too."""

    mb_per_h: float
    within: float
    """Half of its interval of 95 % confidence, in the same unit."""


class Sampler:
    def __init__(self, pid: int) -> None:
        self.samples: list[Sample] = []
        self._process = psutil.Process(pid)
        self._began = time.monotonic()

    def look(self) -> Sample:
        process = self._process
        with process.oneshot():
            used = process.cpu_times()
            sample = Sample(
                round(time.monotonic() - self._began, 3),
                process.memory_info().rss,
                process.num_threads(),
                process.num_fds(),
                used.user + used.system,
            )
        self.samples.append(sample)
        return sample


def slope(samples: Sequence[Sample]) -> Slope:
    """Of the memory."""
    points = np.array([(sample.at_s / 3600, sample.rss_bytes / 1e6) for sample in samples])
    blocks = np.array_split(points, min(_BLOCKS, len(points)))
    means = np.array([block.mean(axis=0) for block in blocks])
    if len(means) < 3:
        return Slope(float("nan"), float("inf"))
    hours, megabytes = means.T
    centred = hours - hours.mean()
    steepness = (centred * megabytes).sum() / (centred**2).sum()
    rest = megabytes - megabytes.mean() - steepness * centred
    error = np.sqrt((rest**2).sum() / (len(means) - 2) / (centred**2).sum())
    return Slope(round(float(steepness), 2), round(float(_TWO_SIDED_95 * error), 2))
