"""What a running service takes from its settings when they are read again."""

import logging
from collections.abc import Callable
from typing import Any

from ..errors import BadSetting
from ..observe.logs import Logs
from ..settings.load import Loaded
from ..settings.table import LOG_LEVEL, VERBOSITY
from ..settings.types import LogSettings

log = logging.getLogger("forwarder")

_TAKEN = {VERBOSITY.name, LOG_LEVEL.name}


class ReadAgain:
    """Takes the levels of the log; says of all else that is new that it needs a restart."""

    def __init__(self, running: Loaded[Any], read: Callable[[], Loaded[Any]], logs: Logs) -> None:
        self._running = running
        self._read = read
        self._logs = logs
        self._warned = set(running.warnings)

    def __call__(self) -> None:
        """Open the log's file again, and take the levels; wrong settings are told and change nothing."""
        self._logs.reopen()
        try:
            reading = self._read()
        except BadSetting as error:
            log.error("the settings have been read again and stay as they were: %s", error)
            return
        settings = reading.settings.log
        self._logs.set_levels(settings.level, settings.levels)
        log.info("the settings have been read again; the log has the level %s", _levels(settings))
        for warning in reading.warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                log.warning("%s", warning)
        others = [name for name in reading.differences(self._running) if name not in _TAKEN]
        if others:
            log.warning("changed in the settings, and without effect until a restart: %s", ", ".join(others))


def _levels(settings: LogSettings) -> str:
    named = [f"{name} {logging.getLevelName(level)}" for name, level in settings.levels]
    return ", ".join([logging.getLevelName(settings.level), *named])
