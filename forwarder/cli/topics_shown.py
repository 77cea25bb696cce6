"""What `forwarder topics` asks and shows."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

import click

from ..kafka.admin import Made
from ..kafka.cluster import Cluster
from ..settings.load import Reading
from ..tools.instrument import Wanted, topics_of
from ..tools.remote import connect
from ..tools.topics import Comparison, Found, compare, make
from . import exits
from .terminal import BAD, DOUBTFUL, FAINT, GOOD, Cell, Column, Styled, Terminal, count_of

T = TypeVar("T")

_NUMBERS = (Column("partitions", True), Column("copies", True))


def show_wanted(reading: Reading, terminal: Terminal, instruments: Sequence[str], as_json: bool) -> int:
    """Print what the topics are to be like; the exit code."""
    wanted = _wanted(reading, instruments)
    if as_json:
        for topic in wanted:
            click.echo(json.dumps(_described(topic)))
        return exits.DONE
    terminal.table(
        (Column("topic"), *_NUMBERS, Column("kept")),
        [
            (each.name, f"{'>= ' if each.may_have_more else ''}{each.partitions}", str(each.replication), each.kept)
            for each in wanted
        ],
    )
    terminal.note("copies: not more than there are brokers", FAINT)
    return exits.DONE


def check(reading: Reading, terminal: Terminal, instruments: Sequence[str], as_json: bool) -> int:
    """Print how the topics differ from that; the exit code."""
    wanted = _wanted(reading, instruments)
    comparison = _run(reading, terminal, lambda cluster: compare(cluster, wanted, instruments))
    _print(terminal, comparison, as_json)
    return exits.DIFFERENT if comparison.missing or comparison.different else exits.DONE


def create(reading: Reading, terminal: Terminal, instruments: Sequence[str], dry_run: bool, as_json: bool) -> int:
    """Make those that are missing, and print what came of it; the exit code."""
    wanted = _wanted(reading, instruments)

    async def work(cluster: Cluster) -> tuple[Made, Comparison]:
        before = await compare(cluster, wanted, instruments)
        made = await make(cluster, before, only_try=dry_run)
        return made, before if dry_run else await compare(cluster, wanted, instruments)

    made, comparison = _run(reading, terminal, work)
    _print(terminal, comparison, as_json, "would be made" if dry_run else "made", made.names)
    for name, reason in made.failed.items():
        terminal.note(f"{name} {'could' if dry_run else 'was'} not {'be ' if dry_run else ''}made: {reason}", BAD)
    return exits.FAILED if made.failed else exits.DONE


def _wanted(reading: Reading, instruments: Sequence[str]) -> list[Wanted]:
    settings = reading.settings.topics
    return [topic for instrument in dict.fromkeys(instruments) for topic in topics_of(instrument, settings)]


def _run(reading: Reading, terminal: Terminal, work: Callable[[Cluster], Awaitable[T]]) -> T:
    async def main() -> T:
        cluster = connect(reading.settings.output)
        try:
            return await work(cluster)
        finally:
            await cluster.close()

    with terminal.waiting(f"asking {', '.join(reading.settings.output.brokers)}"):
        return asyncio.run(main())


def _print(
    terminal: Terminal, comparison: Comparison, as_json: bool, made: str = "", new: Collection[str] = ()
) -> None:
    if as_json:
        for each in comparison.found:
            state = made if each.wanted.name in new else _state(each)
            click.echo(json.dumps({**_described(each.wanted), "state": state, "differences": list(each.differences)}))
        return
    rows: list[Sequence[Cell]] = []
    for each in comparison.found:
        facts = each.facts
        numbers = ("-", "-") if facts.error else (str(len(facts.partitions)), str(facts.replication))
        said = Styled(made, GOOD) if each.wanted.name in new else _said(each)
        rows.append((each.wanted.name, *numbers, said))
    terminal.table((Column("topic"), *_NUMBERS, Column("state")), rows)
    if comparison.others:
        terminal.note(f"not of the set: {', '.join(comparison.others)}", FAINT)
    _print_counts(terminal, comparison, made, new)


def _print_counts(terminal: Terminal, comparison: Comparison, made: str, new: Collection[str]) -> None:
    missing = sum(topic.name not in new for topic in comparison.missing)
    different = len(comparison.different)
    parts = [(len(new), made), (missing, "missing"), (different, "different")]
    said = ", ".join(f"{count} {word}" for count, word in parts if count)
    topics = count_of(len(comparison.found), "topic")
    terminal.note(f"{topics}: {said or 'as they should be'}", DOUBTFUL if missing or different else GOOD)


def _state(found: Found) -> str:
    return "missing" if found.missing else "different" if found.differences else "ok"


def _said(found: Found) -> Styled:
    if found.missing:
        return Styled("missing", BAD)
    if found.differences:
        return Styled("; ".join(found.differences), DOUBTFUL)
    return Styled("as it should be", GOOD)


def _described(topic: Wanted) -> dict[str, object]:
    return {
        "topic": topic.name,
        "partitions": topic.partitions,
        "may_have_more_partitions": topic.may_have_more,
        "replication": topic.replication,
        "cleanup_policy": topic.policy,
        "retention_ms": topic.retention_ms,
    }
