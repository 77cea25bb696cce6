"""PVs that exist nowhere: a value each, made up at a fixed period, for tests without EPICS."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence

from forwarder.epics.interface import Listener
from forwarder.model import ChannelType, Severity, ValueType

_NO_ALARM = 0
_STEPS_PER_WAVE = 60


class Simulated:
    """A client whose PVs connect at once and follow a sine."""

    def __init__(self, period_s: float, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._period_s = period_s
        self._wall_ns = wall_ns
        self._listeners: dict[Listener, None] = {}
        self._step = 0
        self._updates = 0
        self.beats = 0

    async def start(self) -> None:
        """There are no sockets to open."""

    async def run(self) -> None:
        """Update every PV once a period, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._period_s, loop.time())
            await asyncio.sleep(due - loop.time())
            self._step += 1
            self.beats += 1
            for listener in list(self._listeners):
                if listener in self._listeners:
                    self._update(listener)

    def subscribe(self, listener: Listener) -> None:
        """Connect, and send a first value, as a real PV does."""
        self._listeners[listener] = None
        listener.connected(ChannelType(ValueType.FLOAT64, is_array=False))
        self.describe(listener)
        self._update(listener)

    def describe(self, listener: Listener) -> None:
        """There are no units."""
        listener.described("", ())

    def unsubscribe(self, listener: Listener) -> None:
        """Stop; the listener hears nothing more."""
        del self._listeners[listener]

    def counts(self) -> Mapping[str, int]:
        """What happened since the start."""
        return {"updates": self._updates}

    def searched_at(self) -> Sequence[str]:
        """Nowhere."""
        return ()

    async def close(self) -> None:
        """Forget all listeners."""
        self._listeners.clear()

    def _update(self, listener: Listener) -> None:
        self._updates += 1
        value = math.sin(2 * math.pi * self._step / _STEPS_PER_WAVE)
        try:
            listener.update(value, self._wall_ns(), _NO_ALARM, Severity.NO_ALARM)
        except Exception as error:  # noqa: BLE001  (whatever an update does must not end the others')
            listener.failed(error)
