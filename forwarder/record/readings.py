"""What a message says of a PV's value, in the type that the PV has: Python's numbers do not tell how wide they were."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..decode import Decoded
from .nexus import TEXT, CannotStore, text, time_ns

_SCALARS: Mapping[str, Any] = {
    "Byte": np.int8,
    "UByte": np.uint8,
    "Short": np.int16,
    "UShort": np.uint16,
    "Int": np.int32,
    "UInt": np.uint32,
    "Long": np.int64,
    "ULong": np.uint64,
    "Float": np.float32,
    "Double": np.float64,
    "String": TEXT,
}
"""By the names of the tables in the union of f142 and f144."""
_SHARES = {"Start": 0.0, "Middle": 0.5, "End": 1.0}
"""Which part of a block of samples lies before its time."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Values of one PV, at least one."""

    dtype: Any
    is_array: bool
    """Whether each value is an array."""
    times: Sequence[Any]
    """Nanoseconds since the Unix epoch."""
    values: Sequence[Any]
    size: int
    """Roughly how many bytes of memory they take."""


def log_data(decoded: Decoded) -> Readings:
    """The one of an f142 or f144. Raises CannotStore."""
    fields = decoded.fields
    kind, value = str(fields["value_type"]), fields["value"]
    is_array = kind.startswith("Array")
    dtype = _SCALARS.get(kind.removeprefix("Array"))
    if dtype is None or value is None:
        raise CannotStore(f"it has a value of the kind {kind}" if dtype is None else "it has no value")
    if dtype is TEXT:
        value = [text(one) for one in value] if is_array else text(value)
    elif is_array:
        value = np.asarray(value, dtype)
    size = len(value) * 16 if is_array or dtype is TEXT else 16
    return Readings(dtype, is_array, [time_ns(decoded.time_ns)], [value], size)


def samples(decoded: Decoded) -> Readings:
    """Those of an se00 or senv, each at its own time. Raises CannotStore."""
    fields = decoded.fields
    values = fields["values"]
    if values is None or not len(values):
        raise CannotStore("it has no samples")
    times = fields["timestamps"]
    if not len(times):
        since = np.arange(len(values)) * float(fields["time_delta"])
        shift = _SHARES.get(str(fields["timestamp_location"]), 0.0) * since[-1]
        times = time_ns(decoded.time_ns) + np.rint(since - shift).astype(np.int64)
    elif len(times) != len(values):
        raise CannotStore(f"it has {len(values)} samples and {len(times)} times")
    return Readings(values.dtype, False, times, values, 16 * len(values))


def chopper_times(decoded: Decoded) -> Readings:
    """Those of a tdct: the time is the value. Raises CannotStore."""
    times = decoded.fields["timestamps"]
    if not len(times):
        raise CannotStore("it has no times")
    return Readings(np.dtype(np.uint64), False, times.astype(np.int64), times, 16 * len(times))
