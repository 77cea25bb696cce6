"""Where the service's words go: the console, a file, Graylog."""

import logging
import logging.handlers
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from ..errors import BadSetting
from ..settings.types import LogSettings

TRACE = 5
FILE_BYTES = 10_000_000
FILES_KEPT = 5
_QUEUED = 10_000
"""Records that may wait for Graylog; what comes on top is only in the other logs."""

_STOP_S = 2.0

_LIBRARIES = {
    # aiokafka repeats a lost connection several times a second; our adapter tells it once.
    "aiokafka": logging.CRITICAL,
    "asyncio": logging.WARNING,
    "caproto": logging.WARNING,
    "p4p": logging.WARNING,
}
"""Least level of other people's loggers; at Trace they say all they have."""


@contextmanager
def set_up(settings: LogSettings) -> Iterator[None]:
    """Log as told until the end of the block. Raises BadSetting if the file cannot be written."""
    logging.addLevelName(TRACE, "TRACE")
    root = logging.getLogger()
    level_before = root.level
    quieted = {name: logging.getLogger(name).level for name in _LIBRARIES}
    formatter = OneLine()
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if settings.file:
        handlers.append(_file(settings))
    for handler in handlers:
        handler.setFormatter(formatter)
    listener = _graylog(settings.graylog, handlers) if settings.graylog else None
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(settings.level)
    for name, least in _LIBRARIES.items():
        logging.getLogger(name).setLevel(max(least, settings.level) if settings.level > TRACE else TRACE)
    if listener:
        listener.start()
    try:
        yield
    finally:
        if listener:
            listener.stop()
            for handler in listener.handlers:
                handler.close()
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(level_before)
        for name, level in quieted.items():
            logging.getLogger(name).setLevel(level)


class OneLine(logging.Formatter):
    """`2026-01-31T12:00:00.123Z WARNING forwarder.kafka: text`, in UTC. Only a traceback takes further lines."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        # A PV's name or a broker's answer may hold a line break; it must not be able to fake a line of the log.
        text = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return f"{self.formatTime(record)} {record.levelname} {record.name}: {text}"


def _file(settings: LogSettings) -> logging.Handler:
    assert settings.file
    try:
        return logging.handlers.RotatingFileHandler(
            settings.file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8"
        )
    except OSError as error:
        raise BadSetting(
            f'log-file: "{settings.file}" cannot be written: {error.strerror}; '
            "allowed: a file in a folder that exists and may be written"
        ) from None


def _graylog(address: str, handlers: list[logging.Handler]) -> logging.handlers.QueueListener:
    """Puts a handler that only queues among `handlers`; a thread sends, because every datagram looks up the host."""
    from pygelf import GelfUdpHandler

    class Quiet(GelfUdpHandler):
        def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
            """A Graylog that is away is not worth a traceback for each record; the other logs have them all."""

    host, _, port = address.rpartition(":")
    sender = Quiet(host.strip("[]"), int(port), include_extra_fields=True)
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(_QUEUED)
    handlers.append(_DropWhenFull(waiting))
    return _Listener(waiting, sender)


class _Listener(logging.handlers.QueueListener):
    def __init__(self, waiting: queue.Queue[logging.LogRecord], sender: logging.Handler) -> None:
        super().__init__(waiting, sender)
        self._waiting = waiting

    def enqueue_sentinel(self) -> None:
        """Ask the thread to end, also when the queue is full."""
        while True:
            try:
                return super().enqueue_sentinel()
            except queue.Full:
                self._waiting.get_nowait()

    def stop(self) -> None:
        """Send what waits, but not for long: a name server that is away takes seconds for each datagram."""
        thread, self._thread = self._thread, None
        if thread:
            self.enqueue_sentinel()
            thread.join(_STOP_S)


class _DropWhenFull(logging.handlers.QueueHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """The queue is full."""
