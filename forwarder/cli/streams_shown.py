"""What `forwarder streams list` shows."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import click

from ..commands.names import topic_of
from ..kafka.sender import NOT_KNOWN_YET
from ..model import Pattern, Remove, Stream
from ..remote.connection import Remote, Unknown
from ..remote.status import Status
from ..remote.verdict import preview
from ..settings.load import Reading
from ..tools.listing import write_csv, write_json
from . import exits
from .terminal import BAD, DOUBTFUL, FAINT, GOOD, Cell, Column, Styled, Terminal, count_of

COLUMNS = (Column("PV"), Column("schema"), Column("topic"), Column("protocol"))


def remote(reading: Reading, *, deaf: bool = False) -> Remote:
    """The forwarder that the settings mean.

    Ends the command where they do not say where its status is, unless it may be deaf to it.
    """
    settings = reading.settings
    config, *others = settings.config_topics
    if others:
        raise click.UsageError("there are several config topics; give the one that is meant with --config-topic")
    if settings.status_topic is None and not deaf:
        raise click.UsageError("no status topic is given: --status-topic, --instrument or --profile")
    service_id = settings.service_id if reading.names_instance else None
    return Remote(config, settings.status_topic, settings.storage_topic, service_id)


def show(reading: Reading, terminal: Terminal, patterns: Sequence[Pattern] | None, form: str) -> int:
    """Print the streams that match one of the patterns, or (None) all; the exit code."""

    with terminal.waiting("reading the status"):
        found = asyncio.run(_ask(reading, exact=form == "csv"))
    status, streams = found.status, found.streams
    shown = list(streams if patterns is None else preview(streams, Remove(tuple(patterns)))[1])
    if form == "csv":
        click.echo(write_csv(shown, with_periodic=not found.inexact), nl=False)
        if found.inexact:
            terminal.warn(f"which streams are periodic is not known: {found.inexact}")
    elif form == "json":
        click.echo(write_json(shown), nl=False)
    else:
        terminal.table(COLUMNS, rows(shown, status.knows_transports))
    describe(terminal, status)
    shown_of = f"{len(shown)} of " if patterns is not None else ""
    source = ", from the storage topic" if status.streams is None else ""
    terminal.note(f"{shown_of}{count_of(len(streams), 'stream')}{source}")
    return exits.DONE


def _meant(reading: Reading) -> str:
    settings = reading.settings
    if reading.names_instance:
        return f"a forwarder with the service id {settings.service_id}"
    return f"a forwarder that reads {settings.config_topics[0].topic}"


class _Found(NamedTuple):
    status: Status
    streams: tuple[Stream, ...]
    inexact: str
    """Why it is not known which of them are periodic; empty where it is, or was not asked for."""


async def _ask(reading: Reading, *, exact: bool) -> _Found:
    async with remote(reading) as forwarder:
        status = await forwarder.status()
        if status is None:
            where = reading.settings.status_topic
            assert where is not None
            raise Unknown(f"the status topic {where.topic} holds no status of {_meant(reading)}")
        if exact:
            try:
                return _Found(status, await forwarder.stored_streams(status), "")
            except Unknown as error:
                return _Found(status, await forwarder.streams(status), str(error))
        return _Found(status, await forwarder.streams(status), "")


def rows(streams: Iterable[Stream], knows_transports: bool = True) -> list[tuple[Cell, ...]]:
    """For a table with COLUMNS."""
    return [
        (each.channel, each.schema, topic_of(each), each.transport.name.lower() if knows_transports else "?")
        for each in streams
    ]


def describe(terminal: Terminal, status: Status) -> None:
    """Say which forwarder a status is of, how it is, and what it could not do."""
    now_ms = time.time_ns() // 1_000_000
    alive = status.is_alive(now_ms)
    where = f" on {status.host}" if status.host else ""
    state = Styled(status.state, GOOD) if alive else Styled(f"{status.state}, silent since then", BAD)
    terminal.note(
        f"{status.service_id or 'forwarder'}: {status.software}{where}, {state.text}; "
        f"last status {_ago(now_ms - status.time_ms)}",
        "" if alive else state.style,
    )
    statistics = status.facts.get("statistics", {})
    pvs = statistics.get("pvs", {})
    if pvs:
        terminal.note("PVs: " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(pvs.items())))
    for topic, reason in statistics.get("topics_in_trouble", {}).items():
        if reason != NOT_KNOWN_YET:
            terminal.warn(f"topic {topic}: {reason}")
    unsendable = status.facts.get("unsendable", {})
    for each in unsendable.get("streams", ()):
        terminal.warn(f"not sent: {each['channel']} as {each['schema']}: {each['reason']}")
    if status.last_refusal:
        terminal.note(f"last refusal: {status.last_refusal}", DOUBTFUL)
    if waiting := [name for name, state in (status.config_topics or {}).items() if state != "reading"]:
        terminal.note(f"does not read {', '.join(waiting)} yet", FAINT)


def _ago(ms: int) -> str:
    s = ms / 1000
    if s < 0:
        return f"{-s:.0f} s in the future: one of two clocks is wrong" if s < -1 else "just now"
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if s >= 2 * length:
            return f"{s / length:.0f} {unit} ago"
    return f"{s:.0f} s ago"
