"""The language of the table: what a cell, and what a row, says."""

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from forwarder.model import Transport

Scalar: TypeAlias = int | float | str

_BIG = 2**53 + 1
"""A whole number that no double holds."""
_WORD = re.compile(r"(?:'[^']*'|[^\s'])+")
_SERVED = re.compile(
    r"(?P<form>table|image|union|group):|\w+:(?P<array>a?)(?P<code>\S+)"
    r"|(?P<word>\w+)(?:\[(?P<size>\d+)\])?(?: (?P<field>\.\w+\$))?"
)
_CELL = re.compile(
    r"(?P<code>[fiu]\d|[st])"
    r"(?: (?P<one>[^][ ]+)|(?: (?P<shape>\d+(?:x\d+)*))?\[(?P<many>[^]]*)\](?:@\[(?P<times>[^]]*)\])?)"
)


@dataclass(frozen=True)
class Reading:
    """A value as a message holds it; two of them are equal when a reader could not tell them apart."""

    code: str
    """Type of the elements, as numpy has it; `s` for texts, `t` for times in nanoseconds."""
    values: Scalar | tuple[Scalar, ...]
    """A tuple for an array."""
    shape: tuple[int, ...] | None = None
    """Of an image."""
    times: tuple[int, ...] | None = None
    """Of each sample, where samples have times of their own."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reading) and self._comparable == other._comparable

    @property
    def _comparable(self) -> tuple[Any, ...]:
        values = self.values if isinstance(self.values, tuple) else [self.values]
        # NaN is not equal to itself.
        plain = [str(each) if isinstance(each, float) and math.isnan(each) else each for each in values]
        return (self.code, isinstance(self.values, tuple), plain, self.shape, self.times)

    def after(self, time_ns: int) -> "Reading":
        """The same with times counted from a moment made times since the Unix epoch."""
        assert isinstance(self.values, tuple)
        return Reading("t", tuple(time_ns + each for each in self.values if isinstance(each, int)))


def reading(cell: str) -> Reading:
    """The value that a cell expects; ValueError for what is no value."""
    match = _CELL.fullmatch(cell)
    if match is None:
        raise ValueError(f"no cell of the table looks like {cell!r}")
    code = match["code"]
    if match["one"]:
        (value,) = elements(match["one"], code)
        return Reading(code, value)
    return Reading(
        code,
        elements(match["many"], code),
        tuple(map(int, match["shape"].split("x"))) if match["shape"] else None,
        elements(match["times"], "i8") if match["times"] is not None else None,  # pyright: ignore[reportArgumentType]
    )


def elements(text: str, code: str = "s") -> tuple[Any, ...]:
    """The elements that are listed; a text among numbers stands for its characters, one number each."""
    names: dict[str, Any] = {"__builtins__": {}, "nan": math.nan, "inf": math.inf, "big": _BIG, "X": "x"}
    if code[0] in "iu":
        names |= {"min": int(np.iinfo(code).min), "max": int(np.iinfo(code).max)}
    found: list[Any] = []
    for word in _WORD.findall(text):
        element = eval(word, names)
        if code != "s" and isinstance(element, str | bytes):
            raw = element.encode() if isinstance(element, str) else element
            found += np.frombuffer(raw, code if code in ("i1", "u1") else "u1").tolist()
        else:
            found.append(element)
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Row:
    """One PV: how it is served, and the cells of its line."""

    transport: Transport
    name: str
    served: str
    holds: str
    cells: dict[str, str]
    """By schema."""
    also: tuple[str, ...]
    """What is not as with most PVs."""

    def __str__(self) -> str:
        return f"{self.transport.name}-{self.name}"

    @property
    def pv(self) -> str:
        """Its name for EPICS."""
        field = re.search(r" (\.\S+)", self.served)
        return f"{self.transport.name}:{self.name}{field[1] if field else ''}"

    @property
    def in_p4p(self) -> bool:
        """Whether p4p's server has it, and not the IOC."""
        return ":" in self.served

    @property
    def type_word(self) -> tuple[str, bool]:
        """The word in `served` that says the type, and whether the PV is an array."""
        match = _SERVED.match(self.served)
        assert match is not None, self.served
        word = match["form"] or match["code"] or match["field"] or match["word"]
        return word, match["array"] == "a" or int(match["size"] or 1) > 1

    @cached_property
    def alarm(self) -> tuple[str, str]:
        """Status and severity by their names in f142."""
        status, severity = next((each.split("/") for each in self.also if "/" in each), ("NO_ALARM", "NO_ALARM"))
        return status, severity

    @cached_property
    def units(self) -> str | None:
        """None where there are none."""
        return next((each for each in self.also if "/" not in each and each not in ("1990", "receipt")), None)


def rows(table: str, schemas: tuple[str, ...]) -> list[Row]:
    """The lines of a table: columns are two spaces or more apart, and `CA:` or `PVA:` begins a section."""
    found: list[Row] = []
    transport = Transport.CA
    for line in table.splitlines():
        title = re.match(r"(CA|PVA)\b", line)
        if title:
            transport = Transport[title[1]]
        elif line.strip() and not line.startswith("#"):
            name, served, holds, *rest = re.split(r"  +", line.strip())
            cells, also = rest[: len(schemas)], " ".join(rest[len(schemas) :]).split()
            assert len(cells) == len(schemas), f"{name}: {len(schemas)} cells are needed, there are {cells}"
            cells_of = dict(zip(schemas, cells, strict=True))
            found.append(Row(transport, name, served, "" if holds == "." else holds, cells_of, tuple(also)))
    return found
