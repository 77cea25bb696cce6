"""The log's file: it gives way to a new one when it is full, and may be moved away by others."""

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ..faults import RepeatingFault

log = logging.getLogger(__name__)

_ROTATE_AGAIN_S = 60.0


class LogFile(RotatingFileHandler):
    """Writes to the file as long as that is possible; the other logs say once when it is not, and when it is again."""

    def __init__(self, path: Path, max_bytes: int, kept: int) -> None:
        """`max_bytes` 0: it grows until somebody moves it away. Raises OSError if it cannot be written."""
        super().__init__(path, maxBytes=max_bytes, backupCount=kept, encoding="utf-8", errors="backslashreplace")
        self._lost = RepeatingFault(log, f"the log file {path} cannot be written", time.monotonic, logging.ERROR)
        self._full = RepeatingFault(log, f"the full log file {path} cannot be renamed", time.monotonic)
        self._rest_until = 0.0
        self._telling = False

    def reopen(self) -> None:
        """Go on in a file of the same name, which is made if it was moved away. Raises OSError."""
        self.acquire()
        try:
            self._leave()
            self.stream = self._open()
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        lost = self._lost.count
        super().emit(record)
        if self._lost.count == lost:
            self._tell(self._lost.over)

    def shouldRollover(self, record: logging.LogRecord) -> int:  # noqa: N802
        return time.monotonic() >= self._rest_until and super().shouldRollover(record)

    def doRollover(self) -> None:  # noqa: N802
        self._leave()
        try:
            # Windows renames no file that somebody has open, not even to itself; seen before older ones were renamed.
            os.rename(self.baseFilename, self.baseFilename)
            super().doRollover()
        except OSError as reason:
            # Rather a file that is too large than none.
            self._rest_until = time.monotonic() + _ROTATE_AGAIN_S
            error = reason
            self._tell(lambda: self._full.occurred(error))
        else:
            self._tell(self._full.over)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        self._leave()
        self._tell(lambda: self._lost.occurred(error))

    def _leave(self) -> None:
        """Close the file; the next record opens it again."""
        if self.stream is not None:
            with suppress(OSError):
                self.stream.close()
            self.stream = None  # pyright: ignore[reportAttributeAccessIssue]  (as the base class has it)

    def _tell(self, say: Callable[[], None]) -> None:
        """What is said comes here too, and may fail the same way: that is not told again."""
        if self._telling:
            return
        self._telling = True
        try:
            say()
        finally:
            self._telling = False
