"""What a request may ask for: declared once, checked here, and described in OpenAPI from the same table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

_SHOWN = 50


class BadParameter(ValueError):
    """A request asks for something that is not understood; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class Text:
    """Any text up to a length, or one of a few."""

    name: str
    description: str
    default: str | None = None
    """None: it must be given."""
    allowed: Sequence[str] = ()
    longest: int = 1100

    def parse(self, text: str) -> str:
        if self.allowed and text not in self.allowed:
            raise BadParameter(f"{self.name}: {_quoted(text)} is not one of {', '.join(map(_or_empty, self.allowed))}")
        if len(text) > self.longest:
            raise BadParameter(f"{self.name}: {len(text)} characters; at most {self.longest} are allowed")
        return text

    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string"}
        schema |= {"enum": list(self.allowed)} if self.allowed else {"maxLength": self.longest}
        return schema if self.default is None else schema | {"default": self.default}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds."""

    name: str
    description: str
    default: int
    least: int
    most: int

    def parse(self, text: str) -> int:
        # Not `int`: that takes spaces, underscores and the digits of every script, and very many of them.
        is_number = text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 20
        if not is_number or not self.least <= int(text) <= self.most:
            raise BadParameter(f"{self.name}: {_quoted(text)} is not a whole number from {self.least} to {self.most}")
        return int(text)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most, "default": self.default}


Parameter = Text | Whole


def parse(parameters: Sequence[Parameter], request: web.Request) -> dict[str, Any]:
    """The value of each parameter, by name. Raises BadParameter for what is missing, unknown, twice or not allowed."""
    by_name: Mapping[str, Parameter] = {parameter.name: parameter for parameter in parameters}
    given: dict[str, Any] = {}
    for name, text in request.query.items():
        if name not in by_name:
            allowed = ", ".join(by_name) or "none"
            raise BadParameter(f"{_quoted(name)} is not a parameter here; allowed: {allowed}")
        if name in given:
            raise BadParameter(f"{name}: it is given twice")
        given[name] = by_name[name].parse(text)
    for parameter in parameters:
        if parameter.name not in given:
            if parameter.default is None:
                raise BadParameter(f"{parameter.name}: it has to be given")
            given[parameter.name] = parameter.default
    return given


def described(parameters: Sequence[Parameter]) -> list[dict[str, Any]]:
    """The parameters in OpenAPI's words."""
    return [
        {
            "name": parameter.name,
            "in": "query",
            "required": parameter.default is None,
            "description": parameter.description,
            "schema": parameter.schema(),
        }
        for parameter in parameters
    ]


def _quoted(text: str) -> str:
    return '"' + text[:_SHOWN].encode("unicode_escape").decode() + ("…" if len(text) > _SHOWN else "") + '"'


def _or_empty(text: str) -> str:
    return text or "nothing"
