"""What ep00, ep01, al00 and un00 have in common: flat messages about a PV of a name, a time, a state and a text."""

from dataclasses import dataclass
from functools import cache

from flatbuffers import Builder

from .template import Cut, Field, cut, finish, named, placeholder, position, reserve, root_of, target, text


@dataclass(frozen=True, slots=True)
class Notice:
    """How one of the formats arranges its only table. The numbers are slots."""

    schema: str
    slots: int
    source_name: int
    timestamp: int
    text: int
    state: int | None = None
    """A 16-bit enumeration; un00 has none."""
    time_format: str = "q"
    """Of the time stamp: ep00's has no sign."""

    def encode(self, name: bytes, time_ns: int, content: str | None, *state: int) -> bytes:
        """A message about the PV of this name; None leaves the text out."""
        template = _cut(self, len(name), content is not None)
        head, *between, tail = template.pieces
        fields = (head, time_ns, *between, *state, named(tail, name))
        return template.struct.pack(*fields) + (b"" if content is None else text(content))


@cache
def _cut(notice: Notice, name_length: int, with_text: bool) -> Cut:
    """With a text, the cut ends before the text's length, which is the last object."""
    builder = Builder(256)
    empty = builder.CreateString("") if with_text else None
    name = builder.CreateString(placeholder(name_length))
    builder.StartObject(notice.slots)
    if notice.state is not None:
        reserve(builder, notice.state, "h")
    if empty is not None:
        builder.PrependUOffsetTRelativeSlot(notice.text, empty, None)
    builder.PrependUOffsetTRelativeSlot(notice.source_name, name, None)
    reserve(builder, notice.timestamp, notice.time_format)
    message = finish(builder, builder.EndObject(), notice.schema)
    root = root_of(message)
    fields = [Field(position(root, notice.timestamp), notice.time_format)]
    if notice.state is not None:
        fields.append(Field(position(root, notice.state), "h"))
    return cut(message[: target(root, notice.text)] if with_text else message, fields)
