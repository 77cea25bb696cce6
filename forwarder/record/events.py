"""Neutron events as NXevent_data: all events of one source one after the other, and where each pulse begins."""

from typing import Any

import numpy as np

from ..decode import Decoded
from .columns import Column
from .nexus import EPOCH, TIMES, CannotStore

_CHUNK_EVENTS = 65_536
_CHUNK_PULSES = 4_096
_FIELDS = {
    "ev42": ("pulse_time", "", "detector_id"),
    "ev43": ("pulse_time", "pulse_index", "detector_id"),
    "ev44": ("reference_time", "reference_time_index", "pixel_id"),
}
"""Of each schema: the times of the pulses, the first event of each, and where the events were seen."""

SCHEMAS = frozenset(_FIELDS)


class Events:
    """One NXevent_data."""

    def __init__(self, group: Any) -> None:
        self.group = group
        self.count = 0
        # Readers differ in which attribute they look at for what the times count from.
        pulse_times = {**TIMES, "offset": EPOCH}
        self._pulse = Column(group, "event_time_zero", "i8", pulse_times, _CHUNK_PULSES)
        self._first = Column(group, "event_index", "u8", None, _CHUNK_PULSES)
        self._seen: tuple[Column, Column] | None = None

    def add(self, decoded: Decoded) -> int:
        """The events of one message; how many bytes of memory they take. Raises CannotStore."""
        time_name, index_name, id_name = _FIELDS[decoded.schema]
        fields = decoded.fields
        pulses = np.atleast_1d(np.asarray(fields[time_name], np.uint64)).astype(np.int64)
        firsts = np.asarray(fields[index_name], np.int64) if index_name else np.zeros(len(pulses), np.int64)
        times, ids = np.asarray(fields["time_of_flight"]), np.asarray(fields[id_name])
        if not len(ids):
            # So a detector of a single pixel, or a monitor, may be told.
            ids = np.zeros(len(times), np.int32)
        if len(ids) != len(times) or len(firsts) != len(pulses):
            raise CannotStore(
                f"it has {len(times)} times of flight for {len(ids)} pixels, and {len(firsts)} indices for "
                f"{len(pulses)} pulses"
            )
        if len(firsts) and not (firsts.min() >= 0 and firsts.max() <= len(times)):
            raise CannotStore(f"it has a pulse that begins outside of its {len(times)} events")
        if len(times):
            self._add(times, ids)
        self._pulse.extend(pulses)
        self._first.extend((firsts + self.count).astype(np.uint64))
        self.count += len(times)
        return 16 * len(pulses) + times.nbytes + ids.nbytes

    def _add(self, times: np.ndarray, ids: np.ndarray) -> None:
        if self._seen is None:
            # The types are the message's own; readers do not take any that are wider.
            self._seen = (
                Column(self.group, "event_time_offset", times.dtype, {"units": "ns"}, _CHUNK_EVENTS),
                Column(self.group, "event_id", ids.dtype, None, _CHUNK_EVENTS),
            )
        fitting = [_as(values, column) for values, column in zip((times, ids), self._seen, strict=True)]
        for values, column in zip(fitting, self._seen, strict=True):
            column.extend(values)

    def write(self) -> None:
        for column in (self._pulse, self._first, *(self._seen or ())):
            column.write()

    def finish(self) -> None:
        """Add what is known at the end only."""
        if self._seen is None:
            self._add(np.zeros(0, np.int32), np.zeros(0, np.int32))
        self.group.create_dataset("total_counts", data=np.uint64(self.count))


def _as(values: np.ndarray, column: Column) -> np.ndarray:
    dtype = column.dataset.dtype
    fitting = values.astype(dtype)
    if values.dtype != dtype and not np.array_equal(fitting, values):
        raise CannotStore(f"it has numbers that {dtype} can't hold, which those before it were")
    return fitting
