"""Configuration messages: bytes to a command. Three dialects, told apart by the bytes themselves."""

import re

from forwarder.errors import BadCommand
from forwarder.model import Command

from . import fc00, legacy_json, rf5k
from .legacy_json import parse_streams_file
from .limits import DEFAULT, Limits

__all__ = ["DIALECTS", "UNKNOWN", "Limits", "dialect", "parse", "parse_streams_file"]

_DIALECTS = {each.NAME: each.parse for each in (fc00, rf5k, legacy_json)}

DIALECTS = tuple(_DIALECTS)
"""The names of the dialects."""
UNKNOWN = "unknown"
"""What `dialect` calls a message that is in none of them."""

_UTF8_BOM = rb"\xef\xbb\xbf"
# No FlatBuffer begins like this: it would say that its root table is not at a multiple of four.
_JSON = re.compile(rb"(?:" + _UTF8_BOM + rb")?[ \t\r\n]*\{")


def dialect(message: bytes) -> str:
    """The name of the dialect a message claims to be in, for counting: one of DIALECTS, or UNKNOWN."""
    if _JSON.match(message):
        return legacy_json.NAME
    for each in (fc00, rf5k):
        if message[4:8] == each.NAME.encode():
            return each.NAME
    return UNKNOWN


def parse(message: bytes, limits: Limits = DEFAULT) -> Command:
    """The command in a message of any dialect. Raises BadCommand, and nothing else.

    The reason it gives names the dialect, the place and what was expected.
    """
    if len(message) > limits.message_bytes:
        raise BadCommand(f"a message of {len(message)} bytes, where at most {limits.message_bytes} are allowed")
    read = _DIALECTS.get(dialect(message))
    if read is None:
        raise BadCommand(
            f"{len(message)} bytes in no known dialect: neither JSON nor a FlatBuffer that says fc00 or rf5k"
            f" at bytes 4 to 8, but {message[4:8]!r}"
        )
    return read(message, limits)
