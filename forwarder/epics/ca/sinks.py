"""Who takes the values of one channel, so that its listener gets them in the one form its type has.

A circuit asks for both of them once, when the channel connects, and calls them with every value message.
"""

from typing import Protocol

from forwarder.chars import text
from forwarder.epics.interface import Listener
from forwarder.model import ChannelType, Value, ValueType

from . import events


class Sink(Protocol):
    """What a listener has of this too."""

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None: ...
    def failed(self, error: Exception) -> None: ...


def sinks_of(listener: Listener, native: events.NativeType, kind: ChannelType) -> tuple[Sink, Sink]:
    """Who takes the messages with one number, which come as the number, and who takes all others: arrays."""
    if kind.element is ValueType.STRING and native.format:
        return _Character(listener), _Characters(listener)
    if not kind.is_array:
        return listener, _Scalar(listener)
    return _Array(listener, native) if native.format else listener, listener


class _Scalar:
    """Gives the listener of a PV that holds at most one element the element instead of an array."""

    __slots__ = ("_listener",)

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        self._listener.update(events.one_element(value), time_ns, status, severity)

    def failed(self, error: Exception) -> None:
        self._listener.failed(error)


class _Array:
    """Gives the listener of a PV that can hold more an array, also when just one element came."""

    __slots__ = ("_dtype", "_listener")

    def __init__(self, listener: Listener, native: events.NativeType) -> None:
        self._listener = listener
        self._dtype = native.dtype.newbyteorder("<")

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        self._listener.update(events.array_of(value, self._dtype), time_ns, status, severity)

    def failed(self, error: Exception) -> None:
        self._listener.failed(error)


class _Characters:
    """Gives the listener of a PV whose characters are a text the text."""

    __slots__ = ("_listener",)

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        self._listener.update(text(bytes(value)), time_ns, status, severity)  # type: ignore[arg-type]

    def failed(self, error: Exception) -> None:
        self._listener.failed(error)


class _Character(_Characters):
    """The same for a text of one character, which comes as a number."""

    __slots__ = ()

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        super().update((value,), time_ns, status, severity)  # type: ignore[arg-type]


class _Nobody:
    """Takes what still comes for a channel that was given up a moment ago."""

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        pass

    def failed(self, error: Exception) -> None:
        pass


NOBODY = _Nobody()
