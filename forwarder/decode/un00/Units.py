"""The root table of un00, in the form of flatc's classes."""

from flatbuffers.number_types import Int64Flags
from flatbuffers.table import Table

_SOURCE_NAME, _TIMESTAMP, _UNITS = 4, 6, 8
"""Where the vtable has them."""


class Units:
    def Init(self, buf: bytes, pos: int) -> None:
        self._tab = Table(buf, pos)

    def SourceName(self) -> bytes | None:
        return self._text(_SOURCE_NAME)

    def Timestamp(self) -> int:
        offset = self._tab.Offset(_TIMESTAMP)
        return self._tab.Get(Int64Flags, offset + self._tab.Pos) if offset else 0

    def Units(self) -> bytes | None:
        return self._text(_UNITS)

    def _text(self, field: int) -> bytes | None:
        offset = self._tab.Offset(field)
        return self._tab.String(offset + self._tab.Pos) if offset else None
