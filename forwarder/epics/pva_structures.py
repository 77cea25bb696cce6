"""From the structure of a PV to how its values are read: chosen once, when the PV connects.

Structures are written as p4p writes them: ("S", id, [(name, field), ...]), where a field is such a tuple again, "U"
for unions, or a code such as `d` for a double and `as` for an array of strings. What a value's fields are asked with
are dotted names in bytes, which p4p looks up a quarter faster than text.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np

from forwarder import chars
from forwarder.model import Array, Attribute, ChannelType, Image, Table, Value, ValueType

from .pva_texts import text, text_or_texts, texts

Fields: TypeAlias = Any
"""A value of the library: `fields[b"alarm.severity"]`."""

Read: TypeAlias = Callable[[Fields], tuple[Value, int, int]]
"""The value, and its time in seconds since 1970 and nanoseconds; both are 0 where there is no time."""

_SCALARS = {
    "?": ValueType.BOOL,
    "b": ValueType.INT8,
    "B": ValueType.UINT8,
    "h": ValueType.INT16,
    "H": ValueType.UINT16,
    "i": ValueType.INT32,
    "I": ValueType.UINT32,
    "l": ValueType.INT64,
    "L": ValueType.UINT64,
    "f": ValueType.FLOAT32,
    "d": ValueType.FLOAT64,
    "s": ValueType.STRING,
}
_DTYPES = {
    code: np.dtype(f"<{'u1' if code == '?' else np.dtype(kind.value).str[1:]}")
    for code, kind in _SCALARS.items()
    if code != "s"
}
_SECONDS, _NANOSECONDS = b"timeStamp.secondsPastEpoch", b"timeStamp.nanoseconds"


@dataclass(frozen=True, slots=True)
class Layout:
    """What there is to know of all values of one structure."""

    kind: ChannelType
    read: Read
    units: bytes | None
    """The field that holds the units; None where there is none."""
    choices: bytes | None
    """The field that holds the enum strings."""
    severity: bytes | None
    message: bytes | None
    """The field that holds the text of the alarm."""
    properties: tuple[bytes, ...]
    """Fields that say something about the PV and nothing about its value."""
    news: tuple[bytes, ...]
    """Fields of which one changes with every update that is more than a change of properties."""


def layout_of(structure: tuple[Any, ...], is_text: bool = False) -> Layout:
    """How to read the values of a structure, whose array of bytes may be a text."""
    _, name, members = structure
    fields = dict(members)
    kind, value, convert = _value_reader(str(name), fields, is_text)
    is_known = kind.element is not ValueType.UNKNOWN
    has_time = _has(fields, "timeStamp", "secondsPastEpoch") and _has(fields, "timeStamp", "nanoseconds")
    has_choices = kind.element is ValueType.ENUM
    has_alarm = _has(fields, "alarm", "severity")
    properties = [part for part in ("display", "control", "valueAlarm") if part in fields]
    properties += ["value.choices"] * has_choices
    news = (value or b"value", *(part.encode() for part in ("alarm", "timeStamp") if part in fields))
    return Layout(
        kind=kind,
        read=_reader(value, convert, has_time),
        units=b"display.units" if _has(fields, "display", "units") else None,
        choices=b"value.choices" if has_choices else None,
        severity=b"alarm.severity" if has_alarm else None,
        message=b"alarm.message" if has_alarm and _has(fields, "alarm", "message") else None,
        # What may be news in a structure that is not known is not known either.
        properties=tuple(part.encode() for part in properties if is_known),
        news=news,
    )


def _value_reader(
    name: str, fields: Mapping[str, Any], is_text: bool
) -> tuple[ChannelType, bytes | None, Callable[[Any], Value] | None]:
    """The type; the field to read, or None when the whole value is to be converted; and the conversion, if any."""
    code = fields.get("value")
    if name.startswith("epics:nt/NTTable:1") and isinstance(code, tuple) and code[0] == "S":
        return ChannelType(ValueType.TABLE, is_array=False), None, _table_reader(fields, code[2])
    if name.startswith("epics:nt/NTNDArray:1"):
        return ChannelType(ValueType.IMAGE, is_array=False), None, _image
    if code == "s":
        return ChannelType(ValueType.STRING, is_array=False), None, _text
    if is_text and code in ("ab", "aB"):
        return ChannelType(ValueType.STRING, is_array=False), b"value", _characters
    if isinstance(code, str) and code in _SCALARS:
        return ChannelType(_SCALARS[code], is_array=False), b"value", None
    if code == "as":
        return ChannelType(ValueType.STRING, is_array=True), None, _texts
    if isinstance(code, str) and code[1:] in _SCALARS:
        return ChannelType(_SCALARS[code[1:]], is_array=True), b"value", _numbers_reader(code[1:])
    if _has(fields, "value", "index") and _has(fields, "value", "choices"):
        return ChannelType(ValueType.ENUM, is_array=False), b"value.index", None
    return ChannelType(ValueType.UNKNOWN, is_array=False), None, _nothing


def _reader(value: bytes | None, convert: Callable[[Any], Value] | None, has_time: bool) -> Read:
    if value is not None and has_time:
        read: Read = itemgetter(value, _SECONDS, _NANOSECONDS)
        return _converted(read, convert) if convert else read
    # What is converted needs its own look at the whole value, and what has no time has time to spare.
    get = itemgetter(value) if value is not None else _whole
    convert = convert or _as_it_is
    if has_time:
        return lambda fields: (convert(get(fields)), fields[_SECONDS], fields[_NANOSECONDS])
    return lambda fields: (convert(get(fields)), 0, 0)


def _converted(read: Read, convert: Callable[[Any], Value]) -> Read:
    def converted(fields: Fields) -> tuple[Value, int, int]:
        value, seconds, nanoseconds = read(fields)
        return convert(value), seconds, nanoseconds

    return converted


def _whole(fields: Fields) -> Fields:
    return fields


def _as_it_is(value: Any) -> Value:
    return value


def _nothing(_: Fields) -> Value:
    return ""


def _text(fields: Fields) -> Value:
    return text(fields, b"value")


def _texts(fields: Fields) -> Value:
    return texts(fields, b"value")


def _characters(array: Any) -> str:
    return "" if array is None else chars.text(array.tobytes())


def _numbers_reader(code: str) -> Callable[[Any], Array]:
    dtype = _DTYPES[code]
    nothing = np.empty(0, dtype)
    # The library has no array at all in place of one that was never set.
    if code == "?":
        return lambda array: nothing if array is None else array.view(dtype)
    return lambda array: nothing if array is None else array


def _column_reader(name: str, code: str) -> Callable[[Fields], Array]:
    at = f"value.{name}".encode()
    if code == "s":
        return lambda fields: texts(fields, at)
    numbers = _numbers_reader(code)
    return lambda fields: numbers(fields[at])


def _table_reader(fields: Mapping[str, Any], members: Sequence[tuple[str, Any]]) -> Callable[[Any], Table]:
    columns = [
        (name, _column_reader(name, code[1:]))
        for name, code in members
        if isinstance(code, str) and code[:1] == "a" and code[1:] in _SCALARS
    ]
    has_labels = fields.get("labels") == "as" and len(columns) == len(members)

    def table(fields: Fields) -> Table:
        labels = texts(fields, b"labels") if has_labels else []
        if len(labels) != len(columns):
            labels = [name for name, _ in columns]
        return Table({label: column(fields) for label, (_, column) in zip(labels, columns, strict=True)})

    return table


def _image(fields: Fields) -> Image:
    data = fields[b"value"]
    if data is None:
        data = np.empty(0, np.uint8)
    elif data.dtype == np.bool_:
        data = data.view(np.uint8)
    return Image(
        unique_id=fields[b"uniqueId"],
        dimensions=tuple(dimension[b"size"] for dimension in fields[b"dimension"]),
        data=data,
        attributes=tuple(_attributes(fields[b"attribute"])),
        codec=text(fields, b"codec.name"),
    )


def _attributes(attributes: Iterable[Fields]) -> Iterable[Attribute]:
    for attribute in attributes:
        value = text_or_texts(attribute, b"value")
        if isinstance(value, np.ndarray) and value.dtype == np.bool_:
            value = value.view(np.uint8)
        # Structures within attributes have no place in a message.
        if isinstance(value, int | float | str | np.ndarray) or _is_texts(value):
            yield Attribute(
                name=text(attribute, b"name"),
                value=value,
                description=text(attribute, b"descriptor"),
                source=text(attribute, b"source"),
            )


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _has(fields: Mapping[str, Any], structure: str, member: str) -> bool:
    inner = fields.get(structure)
    return isinstance(inner, tuple) and inner[0] == "S" and any(name == member for name, _ in inner[2])
