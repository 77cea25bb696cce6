"""One file, from its first message to its last."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py

from ..decode import Decoded
from .events import SCHEMAS as OF_EVENTS
from .events import Events
from .logs import PvLog
from .names import Names
from .nexus import CannotRecord, CannotStore, group, iso, label, time_ns
from .readings import Readings, chopper_times, log_data, samples
from .runs import Runs
from .sink import Sink, reason

_MOST_WAITING_BYTES = 32 * 1024 * 1024
_CACHE_BYTES, _CACHE_SLOTS = 16_384, 11
"""Of each dataset, of which there are thousands; HDF5 would take 8 MB. Only its end is ever written to."""
_READERS = {"f142": log_data, "f144": log_data, "se00": samples, "senv": samples, "tdct": chopper_times}
OF_PVS = frozenset(_READERS) | {"al00", "ep00", "ep01", "un00"}
"""Schemas of what is told of a PV."""
_GROUPS = {"selog": "IXselog", "runlog": "IXrunlog"}
"""Where logs go, and the classes by which Mantid finds them there."""


class Recording:
    """Written beside its place, as FILE.part, and put there when it is whole: from `with` on, or until `close`."""

    def __init__(self, path: Path, instrument: str, *, force: bool) -> None:
        """`force`: whatever is there is overwritten. Raises CannotRecord."""
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._instrument = instrument
        for there in (path, self._part):
            if there.exists() and not force:
                raise CannotRecord(f"{there} is there already; --force overwrites it")
        try:
            self._sink = Sink(self._part, "wb+" if force else "xb+")
        except OSError as error:
            raise CannotRecord(f"{self._part} can't be written: {reason(error)}") from None
        self._file = h5py.File(self._sink, "w", rdcc_nbytes=_CACHE_BYTES, rdcc_nslots=_CACHE_SLOTS)
        self._file.attrs.update({"NX_class": "NXroot", "default": "entry", "creator": "forwarder record"})
        self._entry = group(self._file, "entry", "NXentry")
        self.runs = Runs(self._entry)
        self._parents = {name: group(self._entry, name, kind) for name, kind in _GROUPS.items()}
        self._names = {name: Names() for name in _GROUPS}
        self._logs: dict[tuple[str, str], PvLog] = {}
        self._events: dict[str, Events] = {}
        self._event_names = Names()
        self._waiting_bytes = 0

    def take(self, decoded: Decoded, place: str = "selog") -> None:
        """One message; `place` is selog or runlog, for what is told of a PV. Raises CannotStore, and CannotRecord."""
        self._store(decoded, place)
        if self._waiting_bytes > _MOST_WAITING_BYTES:
            self.write()

    def take_alarm(self, decoded: Decoded, place: str) -> None:
        """Of an f142 the alarm and not the value. Raises CannotStore."""
        at, severity, status = time_ns(decoded.time_ns), decoded.fields["severity"], decoded.fields["status"]
        self._log(decoded, place).alarm(at, str(severity), str(status))

    def events(self) -> int:
        """How many neutrons."""
        return sum(each.count for each in self._events.values())

    def pvs(self) -> int:
        """How many PVs."""
        return len(self._logs)

    def write(self) -> None:
        """Put all that waits into the file. Raises CannotRecord, also while there is just room to `close` it."""
        self._write()
        self._sink.check_room()

    def close(self, started_ns: int, ended_ns: int, not_stored: int = 0) -> None:
        """The end: the file is whole and in its place. The times are for a file without a run. Raises CannotRecord."""
        self._write()
        runs, entry = self.runs, self._entry
        start = runs.start or iso(started_ns)
        fields = {
            "title": runs.name or f"{self._instrument} without a run",
            "entry_identifier": runs.name,
            "start_time": start,
            # Texts of one form, which sort as their times do.
            "end_time": max(runs.stop or iso(ended_ns), start),
        }
        with self._saying_why():
            for name, value in fields.items():
                entry[name] = value
            entry.attrs["messages_not_stored"] = not_stored
            group(entry, "instrument", "NXinstrument")["name"] = runs.instrument or self._instrument
            for events in self._events.values():
                events.finish()
                events.write()
            self._add_plot()
            self._file.close()
            self._sink.settle()
            self._part.replace(self._path)

    def _write(self) -> None:
        with self._saying_why():
            for part in (*self._logs.values(), *self._events.values(), self.runs):
                part.write()
            self._file.flush()
        self._waiting_bytes = 0
        self._sink.check()

    @contextmanager
    def _saying_why(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError) as error:
            self._sink.check()
            raise CannotRecord(f"{self._part} can't be written: {reason(error)}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # After `close` there is nothing left to do; without it the file is not whole and stays where it is.
        with suppress(OSError, RuntimeError):
            self._file.close()
        self._sink.close()

    def _store(self, decoded: Decoded, place: str) -> None:
        schema, fields = decoded.schema, decoded.fields
        if schema in _READERS:
            self._read(decoded, place, _READERS[schema](decoded))
            if schema == "f142" and fields["severity"] != "NO_CHANGE":
                self.take_alarm(decoded, place)
        elif schema == "al00":
            at = time_ns(decoded.time_ns)
            self._log(decoded, place).alarm(at, str(fields["severity"]), "", fields["message"] or "")
        elif schema in ("ep00", "ep01"):
            at = time_ns(decoded.time_ns)
            self._log(decoded, place).connection(at, str(fields["type" if schema == "ep00" else "status"]))
        elif schema == "un00":
            self._log(decoded, place).units(fields["units"] or "")
        elif schema in OF_EVENTS:
            self._waiting_bytes += self._of_source(decoded.name).add(decoded)
        elif schema in ("pl72", "6s4t"):
            (self.runs.starts if schema == "pl72" else self.runs.stops)(decoded)
        else:
            raise CannotStore(f"{schema} has no place in the file")

    def _read(self, decoded: Decoded, place: str, readings: Readings) -> None:
        self._log(decoded, place).read(decoded.schema, readings)
        self._waiting_bytes += readings.size

    def _log(self, decoded: Decoded, place: str) -> PvLog:
        pv = decoded.name
        log = self._logs.get((place, pv))
        if log is None:
            label(pv)
            names = self._names[place]
            name = names.of(pv)

            def new(like: str | None) -> Any:
                made = group(self._parents[place], names.another(like) if like else name, "NXlog")
                made.attrs["pv"] = pv
                return made

            log = self._logs[place, pv] = PvLog(name, new)
        return log

    def _of_source(self, source: str) -> Events:
        events = self._events.get(source)
        if events is None:
            name = self._event_names.of(label(source) or "detector")
            made = group(self._entry, f"{name}_events", "NXevent_data")
            made.attrs["source_name"] = source
            events = self._events[source] = Events(made)
        return events

    def _add_plot(self) -> None:
        """What tools show when the file is opened: the number with the most values, of several the first."""
        numbers = [each for log in self._logs.values() for each in log.series() if each.is_plain_number]
        if not numbers:
            return
        shown = max(numbers, key=lambda series: series.count)
        plot = group(self._entry, "plot", "NXdata")
        plot.attrs.update({"signal": "value", "axes": "time"})
        for name in ("value", "time"):
            plot[name] = h5py.SoftLink(f"{shown.group.name}/{name}")
        self._entry.attrs["default"] = "plot"
