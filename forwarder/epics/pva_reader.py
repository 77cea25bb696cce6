"""Reads the updates of one PV from p4p's values.

What reading one update costs, in µs (p4p 4.3 with pvxs 1.5.3, an NTScalar with everything in it):

    fields.value                                1.37    fields[b"value"]                0.25
    fields["alarm.severity"]                    0.38    fields.tolist("alarm")          1.31
    two fields of timeStamp, by name in bytes   0.90    fields.tolist("timeStamp")      1.04
    Value.changed(fields, "alarm")              0.81    the same of its base class      0.25
    value and time, one by one                  1.61    value and time, by itemgetter   0.94
    fields.changedSet()                         1.14    fields.tolist()                 6.32

So value and time are read by one itemgetter, and the alarm and the units only when their fields are marked as changed.
"""

import time
from collections.abc import Callable

from p4p import Value as Fields

from forwarder.epics.interface import Listener
from forwarder.model import ChannelType, Value

from .pva_alarms import severity_of, status_of
from .pva_counts import Counts
from .pva_structures import Layout
from .pva_texts import CHOICE_SIZE, UNITS_SIZE, text, texts

_LATEST_NS = 9_223_372_035_999_999_999
"""Since 1970; the end of the last second of which every nanosecond fits in 63 bits."""

# The library's own class for values wraps this in Python, which makes it three times slower.
_changed: Callable[[Fields, bytes], bool] = Fields.__bases__[0].changed


class _Nobody:
    """Takes what is still to be told when the listener has gone in the midst of it."""

    channel = ""
    alarm_message = ""
    wants_description = False

    def connected(self, kind: ChannelType, server: str = "") -> None:
        pass

    def described(self, units: str, choices: tuple[str, ...]) -> None:
        pass

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        pass

    def failed(self, error: Exception) -> None:
        pass

    def disconnected(self, reason: str = "") -> None:
        pass

    def never_connected(self) -> None:
        pass


_NOBODY = _Nobody()


class Reader:
    """Gives the updates of one connection of a PV to its listener."""

    __slots__ = (
        "_choices",
        "_counts",
        "_layout",
        "_listener",
        "_news",
        "_read",
        "_severity",
        "_status",
        "_units",
        "_watched",
    )

    def __init__(self, listener: Listener, layout: Layout, counts: Counts) -> None:
        self._listener: Listener = listener
        self._layout = layout
        self._counts = counts
        self._read = layout.read
        self._news = layout.news
        self._status = self._severity = 0
        self._units = ""
        self._choices: tuple[str, ...] = ()
        watched = [(layout.severity[:5], self._alarm)] if layout.severity else []
        self._watched = (*watched, *((field, self._properties) for field in layout.properties))

    def mute(self) -> None:
        """Tell the listener nothing more, not even what the update that is just being read has to say."""
        self._listener = _NOBODY

    def first(self, fields: Fields) -> None:
        """The value that the connection begins with: all of it is news."""
        self._listener.connected(self._layout.kind)
        self._alarm(fields, first=True)
        self._describe(fields)
        self.tell_description()
        self._update(fields)

    def tell_description(self) -> None:
        """Say what the units or enum strings are, again if need be."""
        self._listener.described(self._units, self._choices)

    def update(self, fields: Fields) -> None:
        """Any later value."""
        for field, look in self._watched:
            if _changed(fields, field) and look(fields):
                self._counts.properties += 1
                return
        self._update(fields)

    def newest(self, fields: Fields) -> None:
        """A later value, after others that were left out: what they changed is not marked in it."""
        self._alarm(fields)
        self._properties(fields)
        self._update(fields)

    def _update(self, fields: Fields) -> None:
        value, seconds, nanoseconds = self._read(fields)
        time_ns = seconds * 1_000_000_000 + nanoseconds
        if seconds < 0 or not 0 < time_ns <= _LATEST_NS:
            time_ns = self._time_of_receipt()
        self._listener.update(value, time_ns, self._status, self._severity)

    def _time_of_receipt(self) -> int:
        self._counts.untimed += 1
        return time.time_ns()

    def _alarm(self, fields: Fields, first: bool = False) -> bool:
        layout = self._layout
        message = text(fields, layout.message) if layout.message else ""
        if layout.severity:
            self._severity = severity_of(fields[layout.severity])
            self._status = status_of(message, self._severity)
        if first or message != self._listener.alarm_message:
            self._listener.alarm_message = message
        return False

    def _properties(self, fields: Fields) -> bool:
        """Look at the properties; whether there is nothing else in this update."""
        before = self._units, self._choices
        self._describe(fields)
        if before != (self._units, self._choices):
            self.tell_description()
        return not any(_changed(fields, field) for field in self._news)

    def _describe(self, fields: Fields) -> None:
        layout = self._layout
        if layout.units:
            self._units = text(fields, layout.units, UNITS_SIZE)
        if layout.choices:
            self._choices = tuple(texts(fields, layout.choices, CHOICE_SIZE))
