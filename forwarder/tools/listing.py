"""Lists of streams as people write them: PV names, lines, CSV, or the C++ forwarder's JSON; and back."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ..commands import legacy_json
from ..commands.limits import Limits
from ..commands.names import check_channel, check_schema, split_topic, topic_of
from ..errors import BadCommand
from ..model import Stream, Transport

COLUMNS = ("channel", "schema", "topic", "protocol", "periodic")
"""Of CSV, and of a line with more than a name; those on the right may be left out."""

_SAME_COLUMN = {"pv": "channel", "name": "channel", "provider": "protocol", "transport": "protocol"}
_TRANSPORTS = {transport.name.lower(): transport for transport in Transport}
_YES, _NO = ("1", "yes", "true", "on"), ("0", "no", "false", "off", "")


class Form(Enum):
    """How a list is written."""

    AUTO = "auto"
    """JSON begins with `{`, CSV has a comma in its first line."""
    LINES = "lines"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for a stream whose own line does not say it; empty: it has to be said there."""

    schema: str = ""
    topic: str = ""
    protocol: str = ""
    periodic: bool = False


def parse(text: str, form: Form, defaults: Defaults) -> list[Stream]:
    """The streams of a list. Raises BadCommand that names the line and what was expected."""
    text = text.removeprefix("\ufeff")
    if form is Form.AUTO:
        form = _form(text)
    if form is Form.JSON:
        return [replace(one, periodic=defaults.periodic) for one in legacy_json.parse_streams_file(text)]
    streams: list[Stream] = []
    rows = _csv(text) if form is Form.CSV else _lines(text)
    for number, row in rows:
        try:
            streams.append(stream(row, defaults))
        except BadCommand as error:
            raise BadCommand(f"line {number}: {error}") from None
    return streams


def stream(row: Mapping[str, str], defaults: Defaults) -> Stream:
    """One stream by its columns. Raises BadCommand."""
    if not (named := row.get("topic") or defaults.topic):
        raise BadCommand("no topic is given: --topic, or one with the PV in a file")
    broker, topic = split_topic(named)
    protocol = (row.get("protocol") or defaults.protocol).lower()
    if protocol not in _TRANSPORTS:
        raise BadCommand(f"the protocol {protocol!a} is not one of {', '.join(_TRANSPORTS)}")
    return Stream(
        check_channel(row.get("channel", ""), Limits().channel_length),
        _TRANSPORTS[protocol],
        check_schema(row.get("schema") or defaults.schema),
        topic,
        broker,
        _yes_or_no(row["periodic"]) if row.get("periodic") else defaults.periodic,
    )


def names(text: str) -> list[str]:
    """The names of PVs, or patterns of them, that a text begins its lines with."""
    return [line.split()[0].rstrip(",") for _, line in _said(text.removeprefix("\ufeff"))]


def write_csv(streams: Iterable[Stream], *, with_periodic: bool = True) -> str:
    """With a line of names on top; what `parse` takes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = len(COLUMNS) if with_periodic else COLUMNS.index("periodic")
    writer.writerow(COLUMNS[:columns])
    for each in streams:
        periodic = "yes" if each.periodic else "no"
        cells = (each.channel, each.schema, topic_of(each), each.transport.name.lower(), periodic)
        writer.writerow(cells[:columns])
    return out.getvalue()


def write_json(streams: Sequence[Stream]) -> str:
    """The C++ forwarder's file of streams, which is what its add command has in it; a channel a line."""
    converters: dict[tuple[str, Transport], list[dict[str, str]]] = {}
    for each in streams:
        converter = {"schema": each.schema, "topic": topic_of(each)}
        converters.setdefault((each.channel, each.transport), []).append(converter)
    lines = ",\n".join(
        "  " + json.dumps({"channel": channel, "channel_provider_type": transport.name.lower(), "converter": these})
        for (channel, transport), these in converters.items()
    )
    return f'{{"streams": [\n{lines}\n]}}\n' if converters else '{"streams": []}\n'


def _form(text: str) -> Form:
    if text.lstrip().startswith("{"):
        return Form.JSON
    first = next((line for _, line in _said(text)), "")
    return Form.CSV if "," in first else Form.LINES


def _said(text: str) -> Iterator[tuple[int, str]]:
    """Lines with something in them, and their numbers. A `#` begins a comment, but not within a name."""
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield number, line.split(" #")[0].rstrip()


def _lines(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in _said(text):
        yield number, _row(number, line.split(), COLUMNS)


def _csv(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    columns: Sequence[str] = COLUMNS
    for place, (number, line) in enumerate(_said(text)):
        cells = [cell.strip() for cell in next(csv.reader([line]))]
        names = [_SAME_COLUMN.get(cell.lower(), cell.lower()) for cell in cells]
        if place == 0 and "channel" in names:
            if unknown := [name for name in names if name not in COLUMNS]:
                raise BadCommand(f"line {number}: the column {unknown[0]!a} is not one of {', '.join(COLUMNS)}")
            columns = names
            continue
        yield number, _row(number, cells, columns)


def _row(number: int, cells: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    if len(cells) > len(columns):
        raise BadCommand(f"line {number}: {len(cells)} values, where there are {len(columns)}: {' '.join(columns)}")
    return dict(zip(columns, cells, strict=False))


def _yes_or_no(text: str) -> bool:
    if text.lower() not in (*_YES, *_NO):
        raise BadCommand(f"periodic is {text!a}, neither yes nor no")
    return text.lower() in _YES
