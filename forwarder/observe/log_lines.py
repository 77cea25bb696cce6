"""The form of a record in the log: one line for people, or one JSON object."""

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime

_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


class OneLine(logging.Formatter):
    """`2026-01-31T12:00:00.123Z WARNING forwarder.kafka: text`, in UTC. Only a traceback takes further lines."""

    def format(self, record: logging.LogRecord) -> str:
        return unicode(super().format(record))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return _time(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        # A PV's name or a broker's answer may hold anything; it must fake no line, and tell the terminal nothing.
        text = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), record.message)
        return f"{_time(record)} {record.levelname} {record.name}: {text}"


class JsonLine(logging.Formatter):
    """An object on one line, in ASCII: `time` in UTC, `level`, `logger`, `message`, `exception` or null, and more."""

    def __init__(self, more: Mapping[str, str]) -> None:
        """`more` is in every line."""
        super().__init__()
        self._more = more

    def format(self, record: logging.LogRecord) -> str:
        exception = exception_of(record)
        line = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": unicode(record.getMessage()),
            "exception": None if exception is None else unicode(exception),
        }
        return json.dumps({**line, **self._more})


def exception_of(record: logging.LogRecord) -> str | None:
    """The traceback that belongs to the record."""
    return logging.Formatter().formatException(record.exc_info) if record.exc_info else record.exc_text


def unicode(text: str) -> str:
    """What was no UTF-8 when it was read has surrogates in it, which cannot be written, and break strict JSON."""
    return text.encode("utf-8", "backslashreplace").decode()


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
