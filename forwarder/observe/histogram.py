"""How long things take, counted so that it costs nothing for each of them."""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence

BOUNDS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""From a fraction of a beat to an outage of half an hour."""


class Histogram:
    """Counts values by size. One call may stand for many values."""

    def __init__(self, bounds: Sequence[float] = BOUNDS_S) -> None:
        """`bounds` are the largest values of each class but the last, which has no bound."""
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """Of each class."""
        self.sum = 0.0

    def observe(self, value: float, count: int = 1) -> None:
        """This value was seen so many times."""
        self.counts[bisect_left(self.bounds, value)] += count
        self.sum += value * count


class Lags:
    """How late values come, and how long their messages take to be acknowledged, both in seconds.

    Sampled at each beat and at each acknowledged batch, and never for a single message.
    """

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns) -> None:
        """`wall_ns` gives nanoseconds since the Unix epoch."""
        self.receive = Histogram()
        """From the EPICS time, as Kafka is told it, to the beat at which the message was taken."""
        self.delivery = Histogram()
        """From the beat at which the oldest message of a batch was taken to the batch's acknowledgement."""
        self._wall_ns = wall_ns

    def came(self, first_ms: int, last_ms: int, count: int) -> None:
        """So many messages came since the last beat: the first and the last stand for half of them each."""
        now_ms = self._wall_ns() // 1_000_000
        half = count // 2
        # A server whose clock is ahead has no lag that anybody could say.
        self.receive.observe(max(0, now_ms - last_ms) / 1000, count - half)
        if half:
            self.receive.observe(max(0, now_ms - first_ms) / 1000, half)

    def delivered(self, after_s: float, count: int) -> None:
        """So many messages are acknowledged, so long after the first of them came."""
        self.delivery.observe(after_s, count)
