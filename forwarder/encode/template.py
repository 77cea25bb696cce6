"""Messages that are built once and then only patched.

Where the fields of a FlatBuffer lie depends on its types and the lengths of its strings, not on its numbers. So the
slow builder runs once for each length of name that occurs; after that a message costs one `struct.pack` of the
constant pieces around the fields that change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

from flatbuffers import Builder
from flatbuffers.table import Table


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
        at = field.position + Struct(f"<{field.format}").size
    pieces.append(message[at:])
    formats.append(f"{len(message) - at}s")
    return Cut(Struct("".join(formats)), tuple(pieces))


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


def named(piece: bytes, placeholder: bytes, name: bytes) -> bytes:
    """A constant piece with the placeholder, which occurs in it once, replaced by a name of the same length."""
    before, found, after = piece.partition(placeholder)
    assert found, "a constant piece holds the placeholder"
    assert len(name) == len(placeholder), "a layout is for one length of name"
    return before + name + after
