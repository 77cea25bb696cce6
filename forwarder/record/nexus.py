"""The words of NeXus that every part of a file uses."""

from datetime import UTC, datetime
from typing import Any

import h5py
import numpy as np

from ..errors import ForwarderError

EPOCH = "1970-01-01T00:00:00Z"
TEXT = h5py.string_dtype()
TIMES = {"units": "ns", "start": EPOCH}
"""Of a dataset of times. They count from the epoch and not from the run, so that they are those of the messages."""

_LONGEST_TEXT = 32_000
"""Bytes; an attribute has to fit the head of its object, 64 kB."""


class CannotStore(ForwarderError):
    """A message has no place in the file; the text says why."""


class CannotRecord(ForwarderError):
    """The file can't be written; the message names it and says why."""


def group(parent: Any, name: str, kind: str) -> Any:
    """A new group of a NeXus class."""
    made = parent.create_group(name)
    made.attrs["NX_class"] = kind
    return made


def text(value: str) -> str:
    """A text that HDF5 can hold. Raises CannotStore."""
    if "\0" in value:
        raise CannotStore("it has a text with a NUL in it")
    return value


def label(value: str) -> str:
    """A text for an attribute. Raises CannotStore."""
    if len(value.encode()) > _LONGEST_TEXT:
        raise CannotStore(f"it has a name or units of {len(value)} characters")
    return text(value)


def time_ns(value: int | None) -> np.int64:
    """Nanoseconds since the epoch. Raises CannotStore for a time that an int64 does not reach."""
    try:
        return np.int64(value or 0)
    except OverflowError:
        raise CannotStore(f"its time, {value} ns, is out of range") from None


def iso(ns: int) -> str:
    """As NeXus has it in start_time and end_time, to the microsecond. Raises CannotStore."""
    try:
        seconds, rest = divmod(ns, 1_000_000_000)
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"
    except (OverflowError, ValueError, OSError):
        raise CannotStore(f"its time, {ns} ns, is in no calendar") from None
