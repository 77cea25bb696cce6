"""The runs that passed: the first names the file, all of them are a log."""

from typing import Any

import numpy as np

from ..decode import Decoded
from .columns import Column
from .nexus import TEXT, TIMES, group, iso, label, text, time_ns


class Runs:
    """Their starts and stops."""

    def __init__(self, entry: Any) -> None:
        self._entry = entry
        self._told: list[Column] = []
        self._named = False
        self.start: str | None = None
        """Of the run that names the file, as NeXus has it."""
        self.stop: str | None = None
        self.name = ""
        self.instrument = ""

    def goes_on(self, decoded: Decoded) -> None:
        """A pl72 that may not be among the messages of the file: this has its name, and not its time.

        Raises CannotStore.
        """
        self.name, self.instrument = label(decoded.name), label(decoded.fields["instrument_name"] or "")
        self._named = True

    def starts(self, decoded: Decoded) -> None:
        """A pl72. Raises CannotStore."""
        at, name = time_ns(decoded.time_ns), label(decoded.name)
        start, instrument = iso(int(at)), label(decoded.fields["instrument_name"] or "")
        if not self._named or (self.start is None and name == self.name):
            self._named = True
            self.start, self.name, self.instrument = start, name, instrument
        self._tell(at, 1, name)

    def stops(self, decoded: Decoded) -> None:
        """A 6s4t, which may be that of a run whose start did not pass. Raises CannotStore."""
        at, name = time_ns(decoded.time_ns), label(decoded.name)
        stop = iso(int(at))
        # Where two machines differ in their clocks, it may be before the start.
        if self.stop is None and name in (self.name, "") and stop >= (self.start or ""):
            self.stop = stop
        self._tell(at, 0, name)

    def write(self) -> None:
        for column in self._told:
            column.write()

    def _tell(self, at: Any, running: int, name: str) -> None:
        if not self._told:
            log = group(self._entry, "run_info", "NXlog")
            self._told = [
                Column(log, "time", "i8", TIMES), Column(log, "value", np.int8), Column(log, "run_name", TEXT)
            ]  # fmt: skip
        for column, value in zip(self._told, (at, running, text(name)), strict=True):
            column.append(value)
