"""Log records for Graylog: queued where they are made, and sent by a thread that may wait."""

import copy
import logging
import queue
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

from pygelf import gelf

from ..faults import RepeatingFault
from ..settings.types import GraylogSettings
from .graylog_link import link_to
from .log_lines import exception_of, unicode

log = logging.getLogger(__name__)

QUEUED = 10_000
"""Records that may wait for Graylog; what comes on top is counted, and only in the other logs."""
_REST_S = (1.0, 30.0)
"""First and longest pause before Graylog is tried again."""
_STEADY_S = 5.0
"""How long nothing may go wrong until Graylog counts as back."""
_LOOK_S = 1.0
_LONGEST = 8000
"""Characters of a text: GELF has 128 datagrams for a record, and Graylog's store less room than that."""
_STOP_S = 2.0
"""How long what still waits may take to be sent at the end."""


class Graylog(logging.Handler):
    """Sends GELF until it is closed. It never keeps a caller waiting: what there is no room for is counted."""

    def __init__(self, settings: GraylogSettings, more: Mapping[str, str]) -> None:
        """`more` are additional fields of every record, without GELF's underscore."""
        super().__init__()
        self._fields = {f"_{name}": value for name, value in more.items()}
        self._host = socket.gethostname()
        self._link = link_to(settings)
        self._waiting: queue.Queue[Mapping[str, Any] | None] = queue.Queue(QUEUED)
        self._no_room = 0
        self._not_sent = 0
        self._told = 0
        self._fault = RepeatingFault(log, f"Graylog at {settings} does not take the log", time.monotonic)
        self._failed_at = 0.0
        self._stopping = threading.Event()
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name="graylog", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Records that have not been sent, and will not be; each is counted here until that has been told."""
        return self._no_room + self._not_sent - self._told

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._waiting.put_nowait(self._message(record))
        except queue.Full:
            self._no_room += 1
        except Exception:  # noqa: BLE001  (as every handler of the library: arguments may not fit their text)
            self.handleError(record)

    def close(self) -> None:
        """Send what waits, but not for long, and end."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._put_end()
            self._thread.join(_STOP_S)
            if self._thread.is_alive():
                self._given_up = True
                self._link.interrupt()
                self._thread.join(_STOP_S)
            self._not_sent += self._left()
        super().close()

    def _message(self, record: logging.LogRecord) -> Mapping[str, Any]:
        text, exception = record.getMessage(), exception_of(record)
        record = copy.copy(record)
        record.msg, record.args = unicode(text[:_LONGEST]), None
        record.exc_info = record.exc_text = None
        if exception:
            # What is left of a long one is its end, which says what has happened.
            record.exc_text = f"{record.msg}\n{unicode(exception[-_LONGEST:])}"
        # Trace is a level that neither Graylog nor its library knows.
        record.levelno = max((level for level in gelf.LEVELS if level <= record.levelno), default=logging.DEBUG)
        return gelf.make(record, self._host, False, "1.1", {**self._fields, "_logger": record.name}, None)

    def _put_end(self) -> None:
        while True:
            try:
                return self._waiting.put_nowait(None)
            except queue.Full:
                self._no_room += self._take_one()

    def _take_one(self) -> int:
        """Take what waits longest; 1 if that is a record."""
        try:
            return int(self._waiting.get_nowait() is not None)
        except queue.Empty:
            # The thread was faster.
            return 0

    def _left(self) -> int:
        """Take what still waits; how many records that are."""
        count = 0
        while not self._waiting.empty():
            count += self._take_one()
        return count

    def _run(self) -> None:
        try:
            while not self._given_up:
                try:
                    message = self._waiting.get(timeout=_LOOK_S if self._fault.count else None)
                except queue.Empty:
                    self._look()
                    continue
                if message is None:
                    return
                self._deliver(self._link.pack(message))
        finally:
            self._link.close()

    def _deliver(self, data: bytes) -> None:
        rest_s = _REST_S[0]
        while True:
            try:
                self._link.send(data)
            except (OSError, UnicodeError) as error:
                self._failed(error)
                if not self._link.keeps or self._stopping.wait(rest_s):
                    self._not_sent += 1
                    return
                rest_s = min(2 * rest_s, _REST_S[1])
            else:
                self._works()
                return

    def _look(self) -> None:
        """Nothing is to be sent; is Graylog there again?"""
        try:
            self._link.check()
        except OSError as error:
            self._failed(error)
        else:
            self._works()

    def _failed(self, error: Exception) -> None:
        self._failed_at = time.monotonic()
        # Who closes this handler may hold its lock, and waits for this thread.
        if not self._stopping.is_set():
            self._fault.occurred(error)

    def _works(self) -> None:
        if self._stopping.is_set() or time.monotonic() < self._failed_at + _STEADY_S:
            return
        self._fault.over()
        if self.lost and self._waiting.qsize() < QUEUED / 2:
            lost = self.lost
            self._told += lost
            log.warning("%d records were not sent to Graylog; they are in the other logs", lost)
