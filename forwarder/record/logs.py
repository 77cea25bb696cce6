"""All that is told of one PV, as NXlog."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from .columns import ArrayColumn, Column
from .nexus import TEXT, TIMES, label, text
from .readings import Readings

_CHUNK_ROWS = 32
"""Of what is told a few times a day."""

_Kind: TypeAlias = tuple[str, Any, bool, int]
"""Schema, type, whether arrays, and how often the units had changed."""


class Series:
    """Values of one type in one unit, and their times."""

    def __init__(self, group: Any, first: Readings) -> None:
        self.group = group
        self.value: Column | ArrayColumn
        if first.is_array:
            self.value = ArrayColumn(group, "value", first.dtype, len(first.values[0]))
        else:
            self.value = Column(group, "value", first.dtype)
        self.time = Column(group, "time", "i8", TIMES)
        self.is_plain_number = not first.is_array and first.dtype is not TEXT
        self.count = 0
        """Of its values."""

    def add(self, times: Sequence[Any], values: Sequence[Any]) -> None:
        self.count += len(times)
        for each in times:
            self.time.append(each)
        for each in values:
            self.value.append(each)

    def write(self) -> None:
        self.value.write()
        self.time.write()


class Told:
    """Something that is told of a PV now and then: texts, each with its time."""

    def __init__(self, group: Any, time: str, *texts: str) -> None:
        """The names of its datasets."""
        times = Column(group, time, "i8", TIMES, _CHUNK_ROWS)
        self._columns = [times, *(Column(group, name, TEXT, None, _CHUNK_ROWS) for name in texts)]

    def add(self, *row: Any) -> None:
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def write(self) -> None:
        for column in self._columns:
            column.write()


class PvLog:
    """One NXlog, and another one beside it each time the PV comes in another schema, type or unit.

    Nothing is converted that way, and nothing that came is left out.
    """

    def __init__(self, name: str, new: Callable[[str | None], Any]) -> None:
        """`new` makes a group for it, the first with None, others by the name of the first."""
        self.name = name
        self._new = new
        self._first = new(None)
        self._series: dict[_Kind, Series] = {}
        self._told: dict[tuple[str, ...], Told] = {}
        self._units: str | None = None
        self._changes_of_units = 0

    def read(self, schema: str, readings: Readings) -> None:
        """Values that came in this schema."""
        kind = schema, readings.dtype, readings.is_array, self._changes_of_units
        series = self._series.get(kind)
        if series is None:
            group = self._new(self.name) if self._series else self._first
            group.attrs["schema"] = schema
            series = self._series[kind] = Series(group, readings)
            if self._units:
                series.value.dataset.attrs["units"] = self._units
        series.add(readings.times, readings.values)

    def series(self) -> Iterable[Series]:
        """One for each type and unit that its values came in."""
        return self._series.values()

    def units(self, units: str) -> None:
        """The PV's units, from now on."""
        label(units)
        if self._units is None and units:
            # Those that came with the values so far, only later: units are asked for on their own.
            for series in self._series.values():
                series.value.dataset.attrs["units"] = units
        elif self._units is not None and units != self._units:
            self._changes_of_units += 1
        self._units = units

    def alarm(self, at: Any, severity: str, status: str = "", message: str = "") -> None:
        """An alarm; f142 tells its status, al00 a message."""
        names = "alarm_time", "alarm_severity", "alarm_status", "alarm_message"
        self._tell(names, at, severity, status, text(message))

    def connection(self, at: Any, status: str) -> None:
        """What became of the connection to the PV."""
        self._tell(("connection_status_time", "connection_status"), at, status)

    def write(self) -> None:
        for part in (*self._series.values(), *self._told.values()):
            part.write()

    def _tell(self, names: tuple[str, ...], *row: Any) -> None:
        told = self._told.get(names)
        if told is None:
            told = self._told[names] = Told(self._first, *names)
        told.add(*row)
