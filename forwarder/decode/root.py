"""Any FlatBuffers message to plain values, by the classes that flatc has generated for its schema.

The classes have a method for each field, and more methods for vectors: `Values(j)`, `ValuesLength()` and, where the
elements are numbers, `ValuesAsNumpy()`. A union has a second method that says which of its tables is there; the field
of it has the table's name, for Python's own numbers do not tell how wide they were.
"""

import inspect
import re
import struct
from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, NamedTuple, TypeAlias

from flatbuffers.table import Table

Root: TypeAlias = dict[str, Any]

_OF_VECTORS = ("AsNumpy", "Length", "IsNone")
_ISIS = "streaming_data_types.fbschemas.isis_event_info_is84"
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def read(message: bytes, package: str, root: str) -> Root:
    """The fields of the root table by their names in snake case. Raises what a damaged message makes of it."""
    return _fields(package, _root(message, package, root))


def read_some(message: bytes, package: str, root: str, names: Container[str]) -> Root:
    """As `read`, only those of these names; what is wrong with the others is not seen."""
    return _fields(package, _root(message, package, root), names)


def _root(message: bytes, package: str, root: str) -> Any:
    table = _class(package, root)()
    table.Init(message, _offset(message, 0))
    return table


class _Checked(Table):
    """A table that does not read beyond its message, which slices of bytes would hide."""

    __slots__ = ()

    def Indirect(self, off: int) -> int:
        return self._inside(super().Indirect(off))

    def String(self, off: int) -> bytes:
        start = self._inside(off + _offset(self.Bytes, off))
        end = start + 4 + _offset(self.Bytes, start)
        if end >= len(self.Bytes) or self.Bytes[end]:
            raise ValueError(f"the text at {start} does not end")
        return bytes(self.Bytes[start + 4 : end])

    def _inside(self, place: int) -> int:
        if not 0 <= place < len(self.Bytes):
            raise ValueError(f"it refers to byte {place}")
        return place


def _offset(message: bytes | bytearray, place: int) -> int:
    return struct.unpack_from("<I", message, place)[0]


def _fields(package: str, table: Any, names: Container[str] | None = None) -> Root:
    table._tab = _Checked(table._tab.Bytes, table._tab.Pos)
    return {
        field.name: field.read(package, table)
        for field in _known_fields(type(table))
        if names is None or field.name in names
    }


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    read: Callable[[str, Any], Any]


@cache
def _known_fields(of: type) -> tuple[_Field, ...]:
    methods = {name for name, member in vars(of).items() if inspect.isfunction(member) and name[0].isupper()} - {"Init"}
    vectors = {name for name in methods if f"{name}Length" in methods}
    unions = {name for name in methods - vectors if f"{name}Type" in methods}
    helpers = {f"{name}{end}" for name in vectors for end in _OF_VECTORS}
    kinds = {f"{name}Type" for name in unions}
    return tuple(
        _Field(_WORD.sub("_", name).lower(), _kind(name) if name in kinds else _reader(name, methods, vectors, unions))
        for name in vars(of)
        if name in methods - helpers
    )


def _reader(name: str, methods: set[str], vectors: set[str], unions: set[str]) -> Callable[[str, Any], Any]:
    if f"{name}AsNumpy" in methods:
        return _numbers(name)
    if name in vectors:
        return _list(name)
    return _union(name) if name in unions else _single(name)


def _numbers(name: str) -> Callable[[str, Any], Any]:
    def read(_: str, table: Any) -> Any:
        array = getattr(table, f"{name}AsNumpy")()
        # 0 stands for a vector that is not there.
        return [] if isinstance(array, int) else array

    return read


def _list(name: str) -> Callable[[str, Any], Any]:
    def read(package: str, table: Any) -> Any:
        element = getattr(table, name)
        return [_plain(package, element(number)) for number in range(getattr(table, f"{name}Length")())]

    return read


def _union(name: str) -> Callable[[str, Any], Any]:
    def read(package: str, table: Any) -> Any:
        number = getattr(table, f"{name}Type")()
        found = getattr(table, name)()
        if not number or found is None:
            return None
        tables = _tables_of_union(package)
        if number not in tables:
            raise ValueError(f"{name.lower()} is of the unknown kind {number}")
        held = tables[number].make()
        if held is None:
            return None
        held.Init(found.Bytes, found.Pos)
        fields = _fields(package, held)
        # The tables of log data and samples only wrap a value, because a union holds nothing else.
        return fields["value"] if fields.keys() == {"value"} else fields

    return read


def _kind(name: str) -> Callable[[str, Any], Any]:
    def read(package: str, table: Any) -> Any:
        table_of_union = _tables_of_union(package).get(getattr(table, name)())
        return table_of_union.name if table_of_union else None

    return read


def _single(name: str) -> Callable[[str, Any], Any]:
    def read(package: str, table: Any) -> Any:
        return _plain(package, getattr(table, name)())

    return read


def _plain(package: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return _fields(package, value) if hasattr(value, "_tab") else value


def _class(package: str, name: str) -> Any:
    return getattr(import_module(f"{package}.{name}"), name)


class _Member(NamedTuple):
    name: str
    make: Callable[[], Any]


@cache
def _tables_of_union(package: str) -> dict[int, _Member]:
    """The tables of a package's union, by number. No package has more than one union."""
    names = [module.name for module in iter_modules(import_module(package).__path__)]
    for name in names:
        members = {k: v for k, v in vars(_class(package, name)).items() if isinstance(v, int)}
        if "NONE" in members:
            return {
                number: _Member(member, _table_of_union(package, member, names))
                for member, number in members.items()
                if member != "NONE"
            }
    raise ValueError(f"{package} has no union")


def _table_of_union(package: str, member: str, names: list[str]) -> Callable[[], Any]:
    if member in names:
        return _class(package, member)
    # Of ev42's tables one is in a package of its own; the other, ADC debugging, has no class.
    return _class(_ISIS, member) if member == "ISISData" else lambda: None
