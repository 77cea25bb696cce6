"""Messages that are built once and then only patched.

Where the fields of a FlatBuffer lie depends on its types and the lengths of its strings, not on its numbers. So the
slow builder runs once for each length of name that occurs; after that a message costs one `struct.pack` of the
constant pieces around the fields that change. What varies in length is made the last object and appended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct, calcsize
from typing import Any, cast

import numpy.typing as npt
from flatbuffers import Builder
from flatbuffers.table import Table

LENGTH = Struct("<I").pack
"""What a vector or a string begins with: the number of its elements or bytes."""


@dataclass(frozen=True, slots=True)
class Field:
    """One patched field: where it lies in the message, and its struct format character."""

    position: int
    format: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A message cut at its changing fields: `struct.pack(pieces[0], field 0, pieces[1], field 1, ..., pieces[-1])`."""

    struct: Struct
    pieces: tuple[bytes, ...]


def cut(message: bytes, fields: Sequence[Field]) -> Cut:
    """Cut a message at fields, which must be given in the order in which they lie."""
    pieces: list[bytes] = []
    formats = ["<"]
    at = 0
    for field in fields:
        assert field.position >= at, "fields are given in the order in which they lie"
        pieces.append(message[at : field.position])
        formats += f"{field.position - at}s", field.format
        at = field.position + calcsize(f"<{field.format}")
    pieces.append(message[at:])
    formats.append(f"{len(message) - at}s")
    return Cut(Struct("".join(formats)), tuple(pieces))


def reserve(builder: Builder, slot: int, number_format: str) -> None:
    """Give the open table a field that is written even while it is 0, to be patched later."""
    {
        1: builder.PrependUint8Slot,
        2: builder.PrependUint16Slot,
        4: builder.PrependUint32Slot,
        8: builder.PrependUint64Slot,
    }[calcsize(f"<{number_format}")](slot, 0, None)


def empty_vector(builder: Builder, alignment: int) -> int:
    """A vector to which the elements are appended later.

    It must be made first, so that it lies last; the message is then cut before its length, at `message[:-4]`.
    """
    builder.StartVector(alignment, 0, alignment)
    return builder.EndVector()


def number_vector(builder: Builder, numbers: npt.NDArray[Any]) -> int:
    """A vector of numbers, or of bytes where they are `uint8`."""
    return cast("Any", builder).CreateNumpyVector(numbers)


def table_around(builder: Builder, offset: int) -> int:
    """A table that has only one field, as the members of the unions of values are."""
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, offset, None)
    return builder.EndObject()


def finish(builder: Builder, root: int, identifier: str) -> bytes:
    """The message whose root table was built last."""
    builder.Finish(root, identifier.encode())
    return bytes(builder.Output())


def root_of(message: bytes) -> Table:
    """The root table of a message."""
    return Table(bytearray(message), int.from_bytes(message[:4], "little"))


def position(table: Table, slot: int) -> int:
    """Where a table's field lies in the message. The field must have been written."""
    offset = table.Offset(4 + 2 * slot)
    assert offset, f"slot {slot} was not written"
    return table.Pos + offset


def target(table: Table, slot: int) -> int:
    """Where the table, vector or string lies that a table's field points to."""
    return table.Indirect(position(table, slot))


def placeholder(length: int) -> bytes:
    """What stands for a name in a template. No byte of the message around it is 0x7f, so that it is found."""
    return b"\x7f" * length


def named(piece: bytes, name: bytes) -> bytes:
    """A constant piece with the placeholder, which occurs in it once, replaced by a name of the same length."""
    before, found, after = piece.partition(placeholder(len(name)))
    assert found, "a constant piece holds a placeholder of the name's length"
    return before + name + after


def text(content: str) -> bytes:
    """A string as the last object of a message."""
    encoded = content.encode()
    return LENGTH(len(encoded)) + encoded + bytes(-len(encoded) % 4 or 4)
