"""The union of values in log data, read by the classes of ess-streaming-data-types."""

import importlib
from typing import Any


def union_of(package: str, members: type, log: Any) -> tuple[str, Any]:
    """Name of the member that a message of f142 or f144 holds, and its value; a list for an array."""
    member = next(name for name, number in vars(members).items() if number == log.ValueType())
    table = getattr(importlib.import_module(f"streaming_data_types.fbschemas.{package}.{member}"), member)()
    union = log.Value()
    assert union is not None
    table.Init(union.Bytes, union.Pos)
    if member.startswith("Array"):
        # What the verifiers of C++ and Rust ask for; Python does not mind.
        assert table._tab.Vector(table._tab.Offset(4)) % (4 if member == "ArrayString" else 8) == 0
        return member, [table.Value(i) for i in range(table.ValueLength())]
    return member, table.Value()
