"""Messages of every schema of the site to plain values, for people and scripts to look at."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import ForwarderError
from .headline import alarm, headline
from .root import Root, read, read_some
from .schemas import SCHEMAS, Schema

__all__ = ["SCHEMAS", "Decoded", "Glance", "Undecodable", "decode", "glance", "schema_of"]

_BROKEN = (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, struct.error)
"""What the reading of a damaged FlatBuffer raises; a text that is not UTF-8 and bad JSON are ValueErrors."""


_SEVERITY = "severity"


class Undecodable(ForwarderError):
    """A message is in no known schema, or is damaged; the text says which and where."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one message says."""

    schema: str
    """Its four-character identifier; `json` for a text in JSON, whether a FlatBuffer or not."""
    name: str
    """PV, source or service; empty where the message names none."""
    time_ns: int | None
    """The message's own time, nanoseconds since the Unix epoch; None where it carries none."""
    value: Any
    """What it is about, in the form that is shown: a PV's value, or a short text."""
    alarm: str
    """`MAJOR HIHI`; empty where it says nothing of an alarm or that it did not change."""
    fields: Mapping[str, Any]
    """All of it, by the schema's own names: numbers, texts, numpy arrays, lists and further mappings."""


def schema_of(message: bytes) -> str:
    """The identifier that a message claims, for filters and counts; `json` for JSON, `?` for anything else."""
    if message[:1] == b"{":
        return "json"
    name = message[4:8].decode("ascii", "replace")
    return name if len(name) == 4 and name.isalnum() and name.isascii() else "?"


def decode(message: bytes) -> Decoded:
    """What a message says. Raises Undecodable, and nothing else."""
    name = schema_of(message)
    if message[:1] == b"{":
        return _json(message)
    schema = SCHEMAS.get(name)
    if schema is None:
        raise Undecodable(f"{len(message)} bytes in no known schema: bytes 4 to 8 are {message[4:8]!r}")
    try:
        return _decoded(name, schema, read(message, schema.package, schema.root))
    except _BROKEN as error:
        raise _damaged(message, name, error) from None


class Glance(NamedTuple):
    """Whom a message is about."""

    schema: str
    name: str
    """As in Decoded."""
    tells_alarm: bool
    """Whether it has the alarm beside the value, and not that it did not change."""


def glance(message: bytes) -> Glance:
    """Whom a message is about, in a third of the time that `decode` takes. Raises Undecodable, and nothing else."""
    name = schema_of(message)
    schema = SCHEMAS.get(name)
    if schema is None or not schema.name:
        raise Undecodable(f"{len(message)} bytes that name nobody")
    try:
        fields = schema.named(read_some(message, schema.package, schema.root, (schema.name, _SEVERITY)))
    except _BROKEN as error:
        raise _damaged(message, name, error) from None
    tells_alarm = name == "f142" and fields[_SEVERITY] != "NO_CHANGE"
    return Glance(name, fields[schema.name] or "", tells_alarm)


def _damaged(message: bytes, schema: str, error: Exception) -> Undecodable:
    return Undecodable(f"{schema} of {len(message)} bytes is damaged: {str(error) or type(error).__name__}")


def _decoded(name: str, schema: Schema, root: Root) -> Decoded:
    fields = schema.named(root)
    when = fields.get(schema.time) if schema.time else None
    if isinstance(when, (int, float)):
        time_ns = round(when * schema.time_unit_ns)
    else:
        # Event data and chopper times carry one for each pulse: the first stands for the message.
        time_ns = int(when[0]) if when is not None and len(when) else None
    return Decoded(name, fields.get(schema.name) or "", time_ns, headline(name, fields), alarm(name, fields), fields)


def _json(message: bytes) -> Decoded:
    """The C++ forwarder's commands and status are JSON without an envelope."""
    try:
        fields: Any = json.loads(message)
        if not isinstance(fields, dict):
            raise ValueError("it is no object")
    except (ValueError, RecursionError) as error:
        raise Undecodable(f"JSON of {len(message)} bytes is damaged: {error}") from None
    return Decoded("json", str(fields.get("service_id", "")), None, headline("json", fields), "", fields)
