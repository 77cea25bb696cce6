"""Settings from a file: TOML, `key=value` lines as both existing forwarders read them, or the old JSON.

Which of them a file is shows in its text. Sections and tables only group: `[kafka]` changes no name below it.
"""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ..errors import BadSetting
from .names import plain

_INI_LINE = re.compile(r"(?P<key>-{0,2}[A-Za-z][\w.-]*)\s*(?:[=:\s]\s*(?P<value>.*))?$")
"""Both `=`, `:` and a mere space lead to the value, and a lone key is a switch, as configargparse has it."""
_INI_COMMENT = re.compile(r"\s[#;].*$")
_QUOTED = re.compile(r"""(["'])(?P<text>.*?)\1\s*(?:[#;].*)?$""")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing a file sets."""

    key: str
    texts: tuple[str, ...] = field(repr=False)
    source: str


def read(path: Path) -> list[Entry]:
    """All a file sets, in its order. Raises BadSetting that names the file and the line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadSetting(f"config-file: {path} cannot be read: {reason}") from None
    return parse(text, path.name, str(path))


def parse(text: str, name: str, path: str) -> list[Entry]:
    """As `read`, from the file's text. Only a `name` in .ini or .toml says more about the form than the text."""
    if text.lstrip().startswith("{"):
        return list(_json(text, name, path))
    if name.endswith(".ini"):
        return list(_ini(text, name))
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        if name.endswith(".toml"):
            raise BadSetting(f"config-file: {name} is not TOML: {error}") from None
        return list(_ini(text, name))
    return list(_flat(table, name, text))


def _flat(table: Mapping[str, Any], name: str, text: str) -> Iterator[Entry]:
    for key, value in table.items():
        source = f"{name}{_line_of(key, text)}"
        if isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            if plain(key) == "kafka-config":
                yield Entry("kafka-config", tuple(_pairs(inner)), source)
            else:
                yield from _flat(inner, name, text)
        elif isinstance(value, list):
            yield Entry(plain(key), tuple(_scalar(key, one, source) for one in cast("list[Any]", value)), source)
        else:
            yield Entry(plain(key), (_scalar(key, value, source),), source)


def _pairs(table: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Names and values in turn. TOML reads `linger.ms = 5` as a table in a table."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _pairs(cast("dict[str, Any]", value), f"{prefix}{key}.")
        else:
            yield from (f"{prefix}{key}", str(value).lower() if isinstance(value, bool) else str(value))


def _scalar(key: str, value: object, source: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    raise BadSetting(f"{plain(key)}: the value in {source} is not a text, a number, true or false, or a list of these")


def _ini(text: str, name: str) -> Iterator[Entry]:
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line[0] in "#;" or line.startswith("---") or (line[0] == "[" and line[-1] == "]"):
            continue
        source = f"{name} line {number}"
        found = _INI_LINE.match(line)
        if not found:
            raise BadSetting(f"config-file: {source} is not key=value")
        value = found["value"]
        yield Entry(plain(found["key"]), ("yes",) if value is None else tuple(_ini_values(value)), source)


def _ini_values(text: str) -> list[str]:
    if quoted := _QUOTED.match(text):
        return [quoted["text"]]
    text = _INI_COMMENT.sub("", text).strip()
    if text.startswith("[") and text.endswith("]") and not re.match(r"\[[0-9A-Fa-f:]*:[0-9A-Fa-f:]*\]$", text):
        return [one.strip().strip("\"'") for one in text[1:-1].split(",") if one.strip()]
    return [text]


def _json(text: str, name: str, path: str) -> Iterator[Entry]:
    """What the C++ forwarder took before it had an ini file: settings and streams in one."""
    try:
        table = cast("dict[str, Any]", json.loads(text))
    except ValueError as error:
        raise BadSetting(f"config-file: {name} is not JSON: {error}") from None
    if table.pop("streams", None) is not None:
        yield Entry("streams-json", (path,), name)
    yield from _flat(table, name, text)


def words(texts: tuple[str, ...]) -> list[str]:
    """The words of `-S a 1 b 2`, given at once or one text each. Raises ValueError without showing any of them."""
    if len(texts) > 1:
        return list(texts)
    try:
        return shlex.split(texts[0]) if texts else []
    except ValueError:
        raise ValueError("has a quotation mark that does not end") from None


def _line_of(key: str, text: str) -> str:
    """tomllib does not say where a key was; a place that is only likely still helps a reader."""
    found = re.search(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*[=.:]|^\s*\[{re.escape(key)}\]", text, re.MULTILINE)
    return f" line {text.count(chr(10), 0, found.end()) + 1}" if found else ""
