"""The reference for pvAccess: what p4p's raw client costs when it does nothing but count.

    python -m benchmarks.pva_counter PVA_ADDRESS FILE PACE_S COUNT KIND

It subscribes as the forwarder does, its event loop is woken once for all that has come, and takes all of it, at once
or, with a pace, so many seconds later with what has followed. No field is read and nothing is sent. The first 8 bytes
of the file are the count of updates.
"""

import asyncio
import signal
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

import uvloop
from p4p import Value
from p4p.client.raw import Context, Subscription

from benchmarks.pvs import Pvs
from benchmarks.shared_count import write_to
from forwarder.settings.types import PvAccessSettings


class Counter:
    def __init__(self, context: Context, names: list[str], tell: Callable[[int], None], pace_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._tell = tell
        self._pace_s = pace_s
        self._count = 0
        self._ready: deque[int] = deque()
        self._woken = False
        request = Context.makeRequest(f"field()record[queueSize={PvAccessSettings().queue_size}]")
        self._monitors = [context.monitor(name, partial(self._noted, n), request) for n, name in enumerate(names)]
        # The library's own method, without its wrapper in Python.
        self._pops = [super(Subscription, monitor).pop for monitor in self._monitors]

    def _noted(self, number: int) -> None:
        """In the library's thread."""
        self._ready.append(number)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._pace_s:
            self._loop.call_later(self._pace_s, self._take_all)
        else:
            self._take_all()

    def _take_all(self) -> None:
        self._woken = False
        while self._ready:
            pop = self._pops[self._ready.popleft()]
            while (item := pop()) is not None:
                self._count += isinstance(item, Value)
        self._tell(self._count)


async def main(address: str, file: Path, pace_s: float, names: list[str]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    conf = {"EPICS_PVA_ADDR_LIST": address, "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
    context = Context("pva", conf=conf, useenv=False, nt=False)
    counter = Counter(context, names, write_to(file), pace_s)
    await stop.wait()
    context.close()
    del counter


if __name__ == "__main__":
    address, file, pace_s, count, kind = sys.argv[1:]
    uvloop.run(main(address, Path(file), float(pace_s), Pvs(int(count), kind=kind).names()))
