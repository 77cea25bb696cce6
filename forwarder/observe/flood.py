"""No flood of lines: of those that one place in the code says again and again, the first are told."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

MOST = 100
"""Records of one logger and one place in the code that are told within `WINDOW_S`; the others are counted."""
WINDOW_S = 60.0


@dataclass(slots=True)
class _Window:
    ends: float
    name: str
    level: int
    seen: int = 0
    last: str = ""
    """The text of the last one that was not told."""


class FloodGuard(logging.Handler):
    """Hands records on to other handlers, which it does not close. Who asks for Debug gets all there is of it."""

    def __init__(self, handlers: Sequence[logging.Handler]) -> None:
        super().__init__()
        self._handlers = handlers
        self._windows: dict[tuple[str, str, int], _Window] = {}
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            told = record.levelno < logging.INFO or self._may_be_told(record)
        except Exception:  # noqa: BLE001  (as every handler of the library: arguments may not fit their text)
            self.handleError(record)
        else:
            if told:
                self._hand_on(record)

    def close(self) -> None:
        """Tell what has not been told yet."""
        with self._locked():
            if self._timer is not None:
                self._timer.cancel()
            for window in self._windows.values():
                self._sum_up(window)
            self._windows.clear()
        super().close()

    def _may_be_told(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        place = (record.name, record.pathname, record.lineno)
        window = self._windows.get(place)
        if window is None or now >= window.ends:
            if window is not None:
                self._sum_up(window)
            window = self._windows[place] = _Window(now + WINDOW_S, record.name, record.levelno)
        window.seen += 1
        if window.seen <= MOST:
            return True
        window.last = record.getMessage()
        if self._timer is None:
            self._look_in(window.ends - now)
        return False

    def _look_in(self, delay_s: float) -> None:
        self._timer = threading.Timer(delay_s, self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        with self._locked():
            self._timer = None
            now = time.monotonic()
            for place, window in list(self._windows.items()):
                if now >= window.ends:
                    self._sum_up(window)
                    del self._windows[place]
            full = [window.ends for window in self._windows.values() if window.seen > MOST]
            if full:
                self._look_in(min(full) - now)

    def _sum_up(self, window: _Window) -> None:
        hidden = window.seen - MOST
        if hidden > 0:
            text = "%d more like this within %g s, which are only counted: %s"
            arguments = (hidden, WINDOW_S, window.last)
            self._hand_on(logging.LogRecord(window.name, window.level, __file__, 0, text, arguments, None))

    def _hand_on(self, record: logging.LogRecord) -> None:
        for handler in self._handlers:
            handler.handle(record)

    def _locked(self) -> threading.RLock:
        assert self.lock is not None, "made by the base class"
        return self.lock  # pyright: ignore[reportReturnType]
