"""What fc00 and rf5k have in common: one change, and the streams it is about.

A genuine writer's messages are what is asked for here, and no more: ADD and REMOVE without streams ask for nothing,
and REMOVEALL with streams contradicts itself, so all three are taken for damage. Of the numbers that damage could
change unseen, this leaves ADD, REMOVE and REPLACE taking each other's place, and one transport another's.

A REPLACE without streams is a wish to forward nothing: that is how writers say it that have no streams left, the ESS
forwarder's stored state among them. It can't come from a longer REPLACE that was cut or damaged, because verify.py
believes it only of a message that has no bytes left over for a stream.
"""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, TypeVar

from forwarder.errors import BadCommand
from forwarder.model import Add, Command, Pattern, Remove, RemoveAll, Replace, Stream, Transport

from .limits import Limits
from .names import check_channel, check_schema, check_wildcards, split_topic
from .verify import ListOf, Scalar, Table, Text, read


class Change(Enum):
    """The numbers of `UpdateType` in schemas/fc00.fbs."""

    ADD = 0
    REMOVE = 1
    REMOVEALL = 2
    REPLACE = 3


class StreamRow(NamedTuple):
    """A `Stream` table as it is in the message. Builders write a missing string as absent or as empty."""

    channel: str | None
    schema: str | None
    topic: str | None
    protocol: int
    periodic: int = 0


class UpdateRow(NamedTuple):
    """The root table as it is in the message."""

    change: int
    streams: tuple[StreamRow, ...] | None


STREAM_FIELDS = (Text("channel"), Text("schema"), Text("topic"), Scalar("protocol", "H"))
"""Those of rf5k; fc00 has one more."""


def update_table(stream: Table[StreamRow]) -> Table[UpdateRow]:
    return Table((Scalar("config_change", "H"), ListOf("streams", "stream", stream)), UpdateRow)


def parse(message: bytes, dialect: str, root: Table[UpdateRow], changes: frozenset[Change], limits: Limits) -> Command:
    """The command in a message of either dialect; raises BadCommand."""
    update = read(message, dialect.encode(), root, longest_list=limits.streams)
    try:
        change = Change(update.change)
    except ValueError:
        change = None
    if change not in changes:
        known = ", ".join(f"{each.value} {each.name}" for each in Change if each in changes)
        raise BadCommand(f"{dialect}: config_change is {update.change}, not one of {known}")
    try:
        return _command(change, update.streams or (), limits)
    except BadCommand as error:
        raise BadCommand(f"{dialect} {change.name}: {error}") from None


def _command(change: Change, rows: tuple[StreamRow, ...], limits: Limits) -> Command:
    match change:
        case Change.ADD:
            return Add(_some(_each(rows, _stream, limits)))
        case Change.REPLACE:
            return Replace(_each(rows, _stream, limits))
        case Change.REMOVE:
            patterns = _some(_each(rows, _pattern, limits))
            check_wildcards(patterns, limits.wildcard_patterns)
            return Remove(patterns)
        case Change.REMOVEALL:
            if rows:
                raise BadCommand(f"carries {len(rows)} streams, but is about all there are")
            return RemoveAll()


Item = TypeVar("Item")


def _some(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if not items:
        raise BadCommand("carries no streams, where at least one is needed")
    return items


def _each(rows: tuple[StreamRow, ...], read_row: Callable[[StreamRow, int], Item], limits: Limits) -> tuple[Item, ...]:
    items: list[Item] = []
    for number, row in enumerate(rows, 1):
        try:
            items.append(read_row(row, limits.channel_length))
        except BadCommand as error:
            raise BadCommand(f"stream {number} of {len(rows)}: {error}") from None
    return tuple(items)


def _stream(row: StreamRow, longest_channel: int) -> Stream:
    channel = check_channel(row.channel or "", longest_channel)
    schema = check_schema(row.schema or "")
    broker, topic = split_topic(row.topic or "")
    return Stream(channel, _transport(row.protocol), schema, topic, broker, row.periodic != 0)


def _pattern(row: StreamRow, longest_channel: int) -> Pattern:
    if not (row.channel or row.schema or row.topic):
        raise BadCommand("none of channel, schema and topic is given; REMOVEALL is what removes everything")
    # A REMOVE is for any transport, but a number that is none at all is no writer's.
    _transport(row.protocol)
    channel = check_channel(row.channel, longest_channel) if row.channel else None
    schema = check_schema(row.schema) if row.schema else None
    broker, topic = split_topic(row.topic, pattern=True) if row.topic else (None, None)
    return Pattern(channel, schema, topic, broker or None)


_TRANSPORTS = {transport.value: transport for transport in Transport}


def _transport(protocol: int) -> Transport:
    try:
        return _TRANSPORTS[protocol]
    except KeyError:
        known = ", ".join(f"{transport.value} {transport.name}" for transport in Transport)
        raise BadCommand(f"protocol is {protocol}, not one of {known}") from None
