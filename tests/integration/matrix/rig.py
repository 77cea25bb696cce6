"""Serves every PV of the table, and forwards it in every schema by the real clients, all but Kafka itself."""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from p4p import Type, Value
from p4p.nt import NTEnum, NTNDArray, NTScalar, NTTable

from forwarder.epics.interface import Client
from forwarder.model import Message, Stream, Transport
from forwarder.outbox import Outbox
from forwarder.pipeline import Clocks, Pipeline, Route
from forwarder.repeats import Repeats
from tests.support.ca_client import channel_access, until
from tests.support.ioc import EpicsIoc
from tests.support.pva import ALARM, NEW_YEAR_S, TIME, pv_access, serving

from .cells import Row, elements, reading
from .judges import Said, by_ess, by_flatc

SERVICE_ID = "matrix"
P4P_TIME_NS = NEW_YEAR_S * 10**9 + 123_456_789
_VALUES_WITHIN_S = 15.0
_UNITS_WITHIN_S = 2.0
_UNITS = "mm"
_NO_UNITS = ("STRING", "ENUM")

# The first record has the time, the second tells it, and all others of the table take it over.
_CLOCK = """
record(ai, "M:CLOCK") { field(PINI, "YES") }
record(stringin, "M:TIME") {
    field(DTYP, "Soft Timestamp") field(INP, "@%s.%09f") field(TSEL, "M:CLOCK.TIME") field(PINI, "YES") field(PHAS, "1")
}
"""
_FIELDS = {
    "ai": {"EGU": _UNITS, "HIGH": "0", "LOLO": "0"},
    "longin": {"EGU": _UNITS},
    "int64in": {"EGU": _UNITS},
    "stringin": {},
    "mbbi": {"ZRST": "a", "ONST": "b", "TWST": "c"},
    "lsi": {"SIZV": "100"},
}
# fmt: off
_CODES = {
    "longin": "i4", "int64in": "i8", "mbbi": "i4", "ai": "f8",
    "STRING": "s", "CHAR": "i1", "UCHAR": "u1", "SHORT": "i2", "USHORT": "u2", "LONG": "i4", "ULONG": "u4",
    "INT64": "i8", "UINT64": "u8", "FLOAT": "f4", "DOUBLE": "f8", "ENUM": "u2",
}
# fmt: on
"""Types of what records and elements of waveforms hold; all others are texts."""
_P4P_CODES = {"?": "u1", "h": "i2", "l": "i8", "L": "u8", "d": "f8"}


@dataclass(frozen=True)
class Told:
    """One message, with what each of the judges reads in it."""

    schema: str
    key: bytes
    kafka_ms: int
    by_flatc: Said
    by_ess: Said | None


@dataclass(frozen=True)
class Refusal:
    """What a stream says of what it could not send."""

    text: str
    """Empty where nothing was refused."""
    updates: int


@dataclass(frozen=True)
class Outcome:
    """What became of one PV."""

    messages: dict[str, list[Told]]
    """By the schema that the stream asked for."""
    refusals: dict[str, Refusal]
    """By that schema."""
    updates: int
    errors: int
    """Updates that could not be read."""


@dataclass(frozen=True)
class Results:
    outcomes: dict[Row, Outcome]
    began_ns: int
    ended_ns: int
    ioc_time_ns: int
    """That of all records that were processed."""
    counts: dict[Transport, dict[str, int]]
    """Of the clients."""


def results_of(rows: Sequence[Row], schemas: Sequence[str]) -> Results:
    """Run everything once, until each PV has had its first update."""
    ours = [row for row in rows if not row.in_p4p]
    theirs = {row.pv: p4p_value(row) for row in rows if row.in_p4p}
    with EpicsIoc(_CLOCK + "".join(map(record, ours))) as ioc, serving(theirs) as server:
        return asyncio.run(_forward(rows, schemas, ioc, server.address))


async def _forward(rows: Sequence[Row], schemas: Sequence[str], ioc: EpicsIoc, p4p_address: str) -> Results:
    began_ns = time.time_ns()
    outbox = Outbox(10**9)
    pipeline = Pipeline(outbox, Repeats(0.0), Clocks(time.time_ns, time.monotonic), SERVICE_ID)
    async with AsyncExitStack() as stack:
        clients: dict[Transport, Client] = {
            Transport.CA: await stack.enter_async_context(channel_access(ioc.ca_address)),
            Transport.PVA: await stack.enter_async_context(pv_access(ioc.pva_address, p4p_address)),
        }
        routes = {row: _open(pipeline, row, schemas) for row in rows}
        for row, route in routes.items():
            clients[row.transport].subscribe(route)
        await until(
            lambda: all(route.received or route.errors for route in routes.values()),
            _VALUES_WITHIN_S,
            what="every PV has had its first update",
        )
        lanes = {(row, schema): outbox.lane("", _topic(row, schema)).incoming for row in rows for schema in schemas}
        # Where they do not come, the PV's own test tells.
        with suppress(TimeoutError):
            await until(lambda: all(map(_has_units, (lanes[row, "f144"] for row in rows))), _UNITS_WITHIN_S)
        counts = {transport: dict(client.counts()) for transport, client in clients.items()}
    seen = by_flatc(value for lane in lanes.values() for _, value, _ in lane)
    told = {
        at: [Told(value[4:8].decode(), key, ms, seen[value], by_ess(value)) for key, value, ms in lane]
        for at, lane in lanes.items()
    }
    outcomes = {
        row: Outcome(
            {schema: told[row, schema] for schema in schemas},
            {
                output.stream.schema: Refusal(output.refused, output.refused_updates(route.received))
                for output in route.outputs
            },
            route.received,
            route.errors,
        )
        for row, route in routes.items()
    }
    return Results(outcomes, began_ns, time.time_ns(), _time_of(ioc), counts)


def _open(pipeline: Pipeline, row: Row, schemas: Sequence[str]) -> Route:
    streams = [Stream(row.pv, row.transport, schema, _topic(row, schema)) for schema in schemas]
    for stream in streams:
        pipeline.open(stream)
    return pipeline.route(streams[0])


def _has_units(lane: list[Message]) -> bool:
    return any(value[4:8] == b"un00" for _, value, _ in lane)


def _topic(row: Row, schema: str) -> str:
    return f"{row}-{schema}"


def _time_of(ioc: EpicsIoc) -> int:
    ioc.shell("dbgf M:TIME")
    (seconds, nanoseconds) = re.findall(r'DBF_STRING: +"(\d+)\.(\d{9})"', ioc.child.log())[0]
    return int(seconds) * 10**9 + int(nanoseconds)


def record(row: Row) -> str:
    """What the IOC needs to serve a PV."""
    kind, *more = row.served.split()
    waveform = re.fullmatch(r"(\w+)\[(\d+)\]", kind)
    fields = {"PINI": "YES", "PHAS": "2", "TSEL": "M:CLOCK.TIME"}
    if waveform:
        element, size = waveform.groups()
        values = elements(row.holds, _CODES[element])
        fields |= {"FTVL": element, "NELM": size} | ({} if element in _NO_UNITS else {"EGU": _UNITS})
        # What is not quoted is JSON.
        constant = f" field(INP, [{', '.join(map(_quoted, values))}])" if values else ""
    else:
        (value,) = elements(row.holds, _CODES.get(kind, "s") if ".DESC$" not in more else "s")
        fields |= _FIELDS[kind]
        constant = f" field(INP, {{const: {_quoted(value)}}})" if kind == "lsi" else ""
        if ".DESC$" in more:
            fields |= {"DESC": value, "VAL": "0"}
        elif kind != "lsi":
            fields["VAL"] = value
    fields |= dict(each.split("=") for each in more if "=" in each)
    name = row.pv.partition(".")[0]
    text = " ".join(f"field({field}, {_quoted(value, always=True)})" for field, value in fields.items())
    return f'record({"waveform" if waveform else kind}, "{name}") {{ {text}{constant} }}\n'


def _quoted(value: Any, *, always: bool = False) -> str:
    if isinstance(value, bytes):
        return '"' + "".join(chr(each) if each < 128 else f"\\x{each:02x}" for each in value) + '"'
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return f'"{value}"' if always else json.dumps(value)


def p4p_value(row: Row) -> Value:
    """The value with which p4p's server opens a PV."""
    form, _, what = row.served.partition(":")
    value = _of_table(row.holds, what) if form == "table" else None
    if form == "image":
        value = _of_image(row.holds, what)
    elif form in ("union", "group"):
        inside = ("U" if form == "union" else "S", None, [("number", "d"), ("text", "s")])
        value = Value(Type([("value", inside), ("alarm", ALARM), ("timeStamp", TIME)]))
    elif what == "enum":
        value = NTEnum().wrap({"index": elements(row.holds, "i4")[0], "choices": ["a", "b"]})
    elif value is None:
        value = _of_scalar(row.holds, form, what)
    if form not in ("unset", "bare", "alarm"):
        value["timeStamp"] = {"secondsPastEpoch": NEW_YEAR_S, "nanoseconds": P4P_TIME_NS % 10**9}
    return value


def _of_scalar(holds: str, form: str, code: str) -> Value:
    structures = {
        "bare": Type([("value", code)]),
        "alarm": Type([("value", code), ("alarm", ALARM)]),
        "time": Type([("value", code), ("timeStamp", TIME)]),
    }
    structure = structures.get(form) or NTScalar(code, display=True).type
    array, element = code[:-1] == "a", code[-1]
    values = elements(holds, _P4P_CODES.get(element, "s"))
    content: dict[str, Any] = {"value": np.array(values, element) if array else values[0]}
    if structure.has("display"):
        content["display"] = {"units": _UNITS if element != "s" else ""}
    if form == "alarm":
        content["alarm"] = {"severity": 1, "status": 1, "message": "HIGH"}
    return Value(structure, content)


def _of_table(holds: str, what: str) -> Value:
    values, _, times = holds.partition("@")
    column = reading(values)
    assert isinstance(column.values, tuple)
    code, label = ("i8", "when") if what == "when" else (what, "timestamp")
    second = np.array(elements(times.strip("[]"), code), code)
    first = list(column.values) if column.code == "s" else np.array(column.values, column.code)
    letters = [np.dtype(each).char.replace("q", "l").replace("Q", "L") for each in (column.code, code) if each != "s"]
    if column.code == "s":
        letters.insert(0, "s")
    table = NTTable(list(zip(("value", label), letters, strict=True)))
    return Value(table.type, {"labels": ["value", label], "value": {"value": first, label: second}})


def _of_image(holds: str, codec: str) -> Value:
    pixels = reading(holds)
    assert pixels.shape is not None
    image = NTNDArray().wrap(np.array(pixels.values, pixels.code))
    image["dimension"] = [{"size": size} for size in reversed(pixels.shape)]
    image["codec.name"] = codec
    return image
