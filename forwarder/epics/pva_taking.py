"""Takes what has come into the queues of p4p's subscriptions.

p4p searches, connects and receives in a thread of its own, and calls back there when a subscription's queue is empty
no more. That callback notes the subscription and wakes the event loop, once however many are noted; the loop takes
what all their queues hold. While updates keep coming it does so every 10 ms only: then the two threads don't fight
over the interpreter for every single update, which costs more than all else.

The queue is as long as `queue_size` says, on both sides. When it is full the newest update replaces the last in it.
p4p does not tell; what can be seen is that as many updates as the queue has places were taken from it without finding
it empty.

What can't be taken in one slice of the loop's time is taken when all else has had its turn, and one such turn is due
at a time: however much comes, the rest of the service gets on. A queue that is not seen empty for too long is taken
up to its newest value, and what is left out is counted.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from p4p import Value as Fields

from .pva_channel import Channel
from .pva_counts import Counts
from .pva_reader import Reader

_PACE_S = 0.01
"""Shortest time between two looks at what has come."""
_SLICE_S = 0.005
"""How long the loop may be kept before others get their turn."""
_BATCH = 16
"""Updates taken from one subscription until the next one's turn."""
_MANY_WAITING = 200_000
"""Updates that may wait in the queues of all PVs that the loop is behind with, each of which takes 2 kB."""
_LONGEST_BEHIND_S = 10.0
"""How long the loop may be behind with a PV when more than that may wait."""


class Taking:
    """It works for the event loop that it is started in; only `noted` runs elsewhere."""

    def __init__(
        self,
        queue_size: int,
        counts: Counts,
        interrupted: Callable[[Channel, Exception], None],
        failed: Callable[[Channel, Exception], None],
        came: Callable[[None], None] | None,
        when_idle: Callable[[Callable[[], None]], None] | None,
    ) -> None:
        """`interrupted` is told what came instead of a value, and `failed` what went wrong with one; the others are as
        the client was given them."""
        self._queue_size = queue_size
        self._counts = counts
        self._interrupted = interrupted
        self._failed = failed
        self._came = came
        self._when_idle = when_idle
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: deque[Channel] = deque()
        """Channels whose queue may hold something."""
        self._woken = False
        """Whether the loop need not be told of more of them."""
        self._look_due = False
        """Whether the loop is going to look at them: once, however often it was told."""
        self._behind: dict[Channel, float] = {}
        """Channels whose queues hold more than could be taken in their turn, and since when."""
        self._look: asyncio.Handle | None = None
        self._looked_at = 0.0

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Take nothing more, whatever is noted."""
        self._loop = None
        self._ready.clear()
        if self._look is not None:
            self._look.cancel()

    def forget(self, channel: Channel) -> None:
        """Its subscription is closed."""
        channel.backlog = 0
        self._behind.pop(channel, None)

    def noted(self, channel: Channel) -> None:
        """In the library's thread: something has come into a queue that was empty."""
        self._ready.append(channel)
        loop = self._loop
        if not self._woken and loop is not None:
            self._woken = True
            self._counts.wakes += 1
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._loop is None or self._look_due:
            return
        loop = asyncio.get_running_loop()
        self._look_due = True
        due = self._looked_at + _PACE_S
        self._look = loop.call_at(due, self._take_all) if loop.time() < due else loop.call_soon(self._take_all)

    def _take_all(self) -> None:
        """Take what the queues hold, as long as one may keep the loop."""
        loop = asyncio.get_running_loop()
        self._look_due = False
        ready = self._ready
        stop_at = loop.time() + _SLICE_S
        while ready:
            self._take(ready.popleft())
            if loop.time() > stop_at:
                break
        self._looked_at = loop.time()
        # Before the last look: whatever comes after that wakes the loop again.
        self._woken = bool(ready)
        if ready:
            self._woken = self._look_due = True
            if self._when_idle is not None:
                self._when_idle(self._take_all)
            else:
                self._look = loop.call_soon(self._take_all)
        if self._came is not None:
            self._came(None)

    def _take(self, channel: Channel) -> None:
        taken = 0
        for _ in range(_BATCH):
            # Both looked up each time: what the listener does may close the channel.
            try:
                item = channel.pop()
                if item is None:
                    self._look_for_full(channel, taken)
                    channel.backlog = 0
                    if self._behind:
                        self._behind.pop(channel, None)
                    break
                if item.__class__ is Fields:
                    taken += 1
                    channel.take(item)
                else:
                    self._interrupted(channel, item)
            except Exception as error:  # noqa: BLE001  (whatever an update does must not end the subscription)
                self._failed(channel, error)
        else:
            self._look_for_full(channel, taken)
            self._look_for_late(channel)
            self._ready.append(channel)
        self._counts.values += taken

    def _look_for_full(self, channel: Channel, taken: int) -> None:
        """So many more values were taken: count it when a whole queue's were without it being seen empty."""
        channel.backlog += taken
        if channel.backlog >= self._queue_size:
            channel.backlog -= self._queue_size
            self._counts.full_queues += 1

    def _look_for_late(self, channel: Channel) -> None:
        """Its queue holds more; when that has been so for too long, leave out all but the newest."""
        now = time.monotonic()
        since = self._behind.setdefault(channel, now)
        if now - since < _LONGEST_BEHIND_S or len(self._behind) * self._queue_size < _MANY_WAITING:
            return
        if channel.reader is not None:
            del self._behind[channel]
            channel.backlog = 0
            self._take_newest(channel, channel.reader)

    def _take_newest(self, channel: Channel, reader: Reader) -> None:
        newest: Fields | None = None
        item: Fields | Exception | None = None
        with self._failures_told(channel):
            for _ in range(self._queue_size):
                item = channel.pop()
                if item.__class__ is not Fields:
                    break
                self._counts.merged += newest is not None
                newest = item
        with self._failures_told(channel):
            if newest is not None:
                self._counts.values += 1
                reader.newest(newest)
        with self._failures_told(channel):
            # What the listener does may have closed the channel.
            if isinstance(item, Exception) and channel.monitor is not None:
                self._interrupted(channel, item)

    @contextmanager
    def _failures_told(self, channel: Channel) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  (whatever an update does must not end the subscription)
            self._failed(channel, error)
