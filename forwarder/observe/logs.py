"""Where the service's words go: the console, a file, Graylog; and how many of them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ..errors import BadSetting
from ..settings.types import LogFormat, LogSettings
from .flood import FloodGuard
from .log_file import LogFile
from .log_lines import JsonLine, OneLine

log = logging.getLogger(__name__)

TRACE = 5

_LIBRARIES = {
    # Whoever sends it nonsense must not fill the log; what goes wrong in an answer of ours is told by us.
    "aiohttp": logging.CRITICAL,
    # aiokafka repeats a lost connection several times a second; our adapter tells it once.
    "aiokafka": logging.CRITICAL,
    "asyncio": logging.WARNING,
    "caproto": logging.WARNING,
    "p4p": logging.WARNING,
}
"""Least level of other people's loggers; at Trace they say all they have, and a level of their own counts as it is."""


class Logs:
    """The logs of a running service."""

    def __init__(self, file: LogFile | None) -> None:
        self._file = file
        self._before: dict[str, int] = {}

    def set_levels(self, level: int, of_loggers: Sequence[tuple[str, int]]) -> None:
        """Log what has this level at least, and of single loggers and those below them what has theirs."""
        least = {name: max(least, level) if level > TRACE else TRACE for name, least in _LIBRARIES.items()}
        # The name of the root logger is empty.
        wanted = {"": level, **least, **dict(of_loggers)}
        for name in {**self._before, **wanted}:
            logger = logging.getLogger(name)
            before = self._before.setdefault(name, logger.level)
            logger.setLevel(wanted.get(name, before))

    def reset_levels(self) -> None:
        """As they were before the first call of `set_levels`."""
        for name, level in self._before.items():
            logging.getLogger(name).setLevel(level)

    def reopen(self) -> None:
        """Begin a new file if the old one was moved away."""
        try:
            if self._file is not None:
                self._file.reopen()
        except OSError as error:
            log.error("the log file cannot be opened again: %s", error)


@contextmanager
def set_up(settings: LogSettings, more: Mapping[str, str]) -> Iterator[Logs]:
    """Log as told until the end of the block. Raises BadSetting if the file cannot be written.

    `more` is in every JSON line and every record for Graylog, by its field's name.
    """
    logging.addLevelName(TRACE, "TRACE")
    file = _file(settings)
    console = logging.StreamHandler()
    written: list[logging.Handler] = [console, *([file] if file else [])]
    for handler in written:
        handler.setFormatter(JsonLine(more) if settings.format is LogFormat.JSON else OneLine())
    handlers = list(written)
    graylog = None
    if settings.graylog is not None:
        from .graylog import Graylog

        graylog = Graylog(settings.graylog, more)
        handlers.append(graylog)
    guard = FloodGuard(handlers)
    root = logging.getLogger()
    logs = Logs(file)
    root.addHandler(guard)
    logs.set_levels(settings.level, settings.levels)
    try:
        yield logs
    finally:
        guard.close()
        if graylog is not None:
            handlers.remove(graylog)
            graylog.close()
            if graylog.lost:
                log.warning("%d records were not sent to Graylog", graylog.lost)
        root.removeHandler(guard)
        for handler in written:
            handler.close()
        logs.reset_levels()


def _file(settings: LogSettings) -> LogFile | None:
    if settings.file is None:
        return None
    name, allowed, shown = "log-file", "a file in a folder that exists and may be written", settings.file
    try:
        if settings.makes_folder:
            name, allowed, shown = "log-directory", "a directory that may be written or made", settings.file.parent
            shown.mkdir(parents=True, exist_ok=True)
        return LogFile(settings.file, settings.file_bytes, settings.files_kept)
    except OSError as error:
        raise BadSetting(f'{name}: "{shown}" cannot be written: {error.strerror}; allowed: {allowed}') from None
