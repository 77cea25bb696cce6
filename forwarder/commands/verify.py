"""Reads FlatBuffers that nobody vouches for: the whole message is checked, or nothing of it is believed.

FlatBuffers for Python follows any offset it finds, so a message that was cut short or damaged reads as another valid
one, with fewer streams or none. Here a message is walked once by a description of its tables, and refused unless

- every table, vtable, vector and string lies in the message, at the alignment the format asks for;
- every string is UTF-8 without a NUL inside, and with the NUL behind it that ends it;
- no two of them share a byte; only a vtable or a string as a whole may be used several times, as builders do;
- every other byte is zero, and there are never more of those in a row than alignment makes necessary.

The last two are more than safety asks for (a C++ verifier does without), and are what makes damage visible: a field,
a stream or a list that went missing leaves its bytes behind. Fields that the description does not have are refused
for the same reason. Tables nest as deep as their description does, which has no cycles: there is nothing to overflow.

What cannot be seen here: another letter in a string, another number in a scalar.

Format: https://flatbuffers.dev/internals/
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct, calcsize
from typing import Any, Generic, TypeAlias, TypeVar

from forwarder.errors import BadCommand

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number kept in the table itself; absent means `default`."""

    name: str
    code: str
    """One letter of the struct module, for a number of at most four bytes: tables are only held to that alignment."""
    default: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A string; absent reads as None."""

    name: str


@dataclass(frozen=True, slots=True)
class ListOf:
    """A vector of tables; absent reads as None."""

    name: str
    element: str
    """What to call one of them in a complaint."""
    table: "Table[Any]"


Field: TypeAlias = Scalar | Text | ListOf


@dataclass(frozen=True, slots=True, eq=False)
class Table(Generic[Row]):
    """The fields of a table in the order of their slots, and what to make of their values."""

    fields: tuple[Field, ...]
    row: Callable[..., Row]
    """Called with one value a field, in order."""


def read(message: bytes, identifier: bytes, root: Table[Row], *, longest_list: int) -> Row:
    """The root table of a message. Raises BadCommand, and nothing else, if any byte of the message is out of place."""
    try:
        return _Walk(message, longest_list).root(identifier, root)
    except _Damage as damage:
        raise BadCommand(f"{identifier.decode()} of {len(message)} bytes is damaged: {damage}") from None


_WORD = Struct("<I")
_SIGNED_WORD = Struct("<i")
_ROOT_AND_IDENTIFIER = 8
_VTABLE_HEAD = Struct("<HH")
_LONGEST_PADDING = 3
"""Nothing in these messages is aligned to more than four bytes."""


class _Damage(Exception):
    """What is wrong, and where in the message."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a vtable says: where a table of one kind keeps its fields. Checked once for all tables that share it."""

    unpack: Callable[[bytes, int], tuple[int, ...]]
    """All numbers of a table, in the order they lie there."""
    size: int
    plan: tuple[tuple[Field, int, int], ...]
    """Per slot: its field, which of the numbers it is, and how far from the table's start; 0 and 0 if absent."""
    padding: tuple[int, ...]
    """Which of the numbers are bytes that no field claims."""


class _Walk:
    """One pass over one message: reads, checks, and notes which bytes were used."""

    def __init__(self, message: bytes, longest_list: int) -> None:
        self._message = message
        self._longest_list = longest_list
        self._used = [(0, _ROOT_AND_IDENTIFIER)]
        self._texts: dict[int, str] = {}
        self._vtables: set[int] = set()
        self._layouts: dict[Table[Any], dict[int, _Layout]] = {}

    def root(self, identifier: bytes, table: Table[Row]) -> Row:
        message = self._message
        if len(message) < _ROOT_AND_IDENTIFIER:
            raise _Damage("it is shorter than its first 8 bytes")
        if message[4:8] != identifier:
            raise _Damage(f"its identifier is {message[4:8]!r}")
        if len(message) % _WORD.size:
            raise _Damage("its length is not a multiple of 4, as every complete message's is")
        row = self._table(_WORD.unpack_from(message)[0], table)
        self._account_for_every_byte()
        return row

    def _table(self, at: int, table: Table[Row]) -> Row:
        message = self._message
        self._check_word(at, "table")
        vtable = at - _SIGNED_WORD.unpack_from(message, at)[0]
        try:
            layout = self._layouts[table][vtable]
        except KeyError:
            layout = self._layouts.setdefault(table, {})[vtable] = self._layout(vtable, table)
        if at + layout.size > len(message):
            raise _Damage(f"the table at byte {at} runs past the end")
        self._used.append((at, at + layout.size))
        numbers = layout.unpack(message, at)
        for i in layout.padding:
            if numbers[i]:
                raise _Damage(f"the table at byte {at} holds a value that no field claims")
        values: list[object] = []
        for field, i, offset in layout.plan:
            if isinstance(field, Scalar):
                values.append(numbers[i] if i else field.default)
            elif not i:
                values.append(None)
            elif isinstance(field, Text):
                values.append(self._text(at + offset + numbers[i], field.name))
            else:
                values.append(self._list(at + offset + numbers[i], field))
        return table.row(*values)

    def _layout(self, at: int, table: Table[Any]) -> _Layout:
        message = self._message
        if at % 2 or not 0 <= at <= len(message) - _VTABLE_HEAD.size:
            raise _Damage(f"a vtable at byte {at}")
        length, size = _VTABLE_HEAD.unpack_from(message, at)
        if length % 2 or length < _VTABLE_HEAD.size or at + length > len(message):
            raise _Damage(f"the vtable at byte {at} has an impossible length of {length} bytes")
        if at not in self._vtables:
            self._vtables.add(at)
            self._used.append((at, at + length))
        slots = Struct(f"<{length // 2 - 2}H").unpack_from(message, at + _VTABLE_HEAD.size)
        if any(slots[len(table.fields) :]):
            raise _Damage(f"the vtable at byte {at} has a field that is not known here")
        return _laid_out(table, slots, size, at)

    def _text(self, at: int, name: str) -> str:
        known = self._texts.get(at)
        if known is not None:
            return known
        message = self._message
        self._check_word(at, name)
        start = at + _WORD.size
        end = start + _WORD.unpack_from(message, at)[0]
        if end >= len(message):
            raise _Damage(f"the text of {name} runs past the end")
        if message.find(0, start, end + 1) != end:
            raise _Damage(f"the text of {name} does not end with its NUL")
        try:
            text = message[start:end].decode()
        except UnicodeDecodeError as error:
            raise _Damage(f"the text of {name} is not UTF-8: {error.reason}") from None
        self._used.append((at, end + 1))
        self._texts[at] = text
        return text

    def _list(self, at: int, field: ListOf) -> tuple[object, ...]:
        message = self._message
        self._check_word(at, field.name)
        (count,) = _WORD.unpack_from(message, at)
        start = at + _WORD.size
        end = start + _WORD.size * count
        if end > len(message):
            raise _Damage(f"the list of {count} {field.name} runs past the end")
        if count > self._longest_list:
            raise _Damage(f"it lists {count} {field.name}, where at most {self._longest_list} are allowed")
        self._used.append((at, end))
        offsets = Struct(f"<{count}I").unpack_from(message, start)
        rows: list[object] = []
        try:
            for place, offset in zip(range(start, end, _WORD.size), offsets, strict=True):
                rows.append(self._table(place + offset, field.table))
        except _Damage as damage:
            raise _Damage(f"{field.element} {len(rows) + 1} of {count}: {damage}") from None
        return tuple(rows)

    def _check_word(self, at: int, name: str) -> None:
        if at % _WORD.size or at > len(self._message) - _WORD.size:
            raise _Damage(f"an offset leads to a {name} at byte {at}, outside of the message or out of line")

    def _account_for_every_byte(self) -> None:
        used = sorted(self._used)
        used.append((len(self._message), len(self._message)))
        message = self._message
        free = 0
        for start, end in used:
            if start != free:
                if start < free:
                    raise _Damage(f"two of its parts claim byte {start}")
                if start - free > _LONGEST_PADDING or any(message[free:start]):
                    raise _Damage(f"bytes {free} to {start} belong to nothing in it")
            free = end


def _laid_out(table: Table[Any], slots: tuple[int, ...], size: int, vtable: int) -> _Layout:
    """The layout that a vtable's words give; raises _Damage where fields overlap, stick out or lie too far apart."""
    codes = _SIGNED_WORD.format
    count = 1
    free = _SIGNED_WORD.size
    places: dict[int, tuple[int, int]] = {}
    padding: list[int] = []
    for offset, slot in sorted((offset, slot) for slot, offset in enumerate(slots) if offset):
        field = table.fields[slot]
        code = field.code if isinstance(field, Scalar) else "I"
        width = calcsize(code)
        hole = offset - free
        if offset % width or not 0 <= hole <= _LONGEST_PADDING:
            raise _Damage(f"the vtable at byte {vtable} puts {field.name} {offset} bytes into its table")
        padding.extend(range(count, count + hole))
        codes += "B" * hole + code
        count += hole
        places[slot] = (count, offset)
        count += 1
        free = offset + width
    hole = size - free
    if not 0 <= hole <= _LONGEST_PADDING:
        raise _Damage(f"the vtable at byte {vtable} says {size} bytes of a table with {free}")
    padding.extend(range(count, count + hole))
    plan = tuple((field, *places.get(slot, (0, 0))) for slot, field in enumerate(table.fields))
    return _Layout(Struct(codes + "B" * hole).unpack_from, size, plan, tuple(padding))
