"""What `forwarder topics` asks and shows."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import click

from ..kafka.admin import Made
from ..kafka.cluster import Cluster
from ..remote.connection import connected
from ..settings.load import Reading
from ..settings.types import ClusterSettings
from ..tools.instrument import Wanted, topics_of, topics_of_service
from ..tools.topics import Comparison, Found, compare, make
from . import exits
from .terminal import BAD, DOUBTFUL, FAINT, GOOD, Cell, Column, Styled, Terminal, count_of

T = TypeVar("T")

_NUMBERS = (Column("partitions", True), Column("copies", True))


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose topics are meant."""

    instruments: Sequence[str]
    service: bool
    """Whether those too that the service itself talks through."""

    def wanted(self, reading: Reading) -> dict[ClusterSettings, list[Wanted]]:
        """What is to be in each cluster. Raises BadSetting for a name that no instrument has, UsageError for nobody."""
        if not self.instruments and not self.service:
            raise click.UsageError("nothing says whose topics: an INSTRUMENT, or --service for those of the service")
        settings = reading.settings
        wanted: dict[ClusterSettings, list[Wanted]] = {}
        for instrument in dict.fromkeys(self.instruments):
            wanted.setdefault(settings.output, []).extend(topics_of(instrument, settings.topics))
        for cluster, topics in topics_of_service(settings).items() if self.service else ():
            of_cluster = wanted.setdefault(cluster, [])
            there = {topic.name for topic in of_cluster}
            of_cluster += (topic for topic in topics if topic.name not in there)
        return wanted


@dataclass(frozen=True, slots=True)
class _Looked:
    """What there is in one cluster, and what was made there."""

    comparison: Comparison
    made: Made = field(default_factory=Made)

    def is_new(self, found: Found) -> bool:
        return found.wanted.name in self.made.names


def show_wanted(reading: Reading, terminal: Terminal, asked: Asked, as_json: bool) -> int:
    """Print what the topics are to be like; the exit code."""
    wanted = asked.wanted(reading)
    if as_json:
        for cluster, topics in wanted.items():
            for topic in topics:
                click.echo(json.dumps(_described(topic, ",".join(cluster.brokers))))
        return exits.DONE
    rows = [
        (
            *((",".join(cluster.brokers),) if len(wanted) > 1 else ()),
            each.name,
            f"{'>= ' if each.may_have_more else ''}{each.partitions}",
            str(each.replication),
            each.kept,
        )
        for cluster, topics in wanted.items()
        for each in topics
    ]
    terminal.table((*_first(wanted), *_NUMBERS, Column("kept")), rows)
    terminal.note("copies: not more than there are brokers", FAINT)
    return exits.DONE


def check(reading: Reading, terminal: Terminal, asked: Asked, as_json: bool) -> int:
    """Print how the topics differ from that; the exit code."""

    async def work(cluster: Cluster, wanted: Sequence[Wanted], instruments: Sequence[str]) -> _Looked:
        return _Looked(await compare(cluster, wanted, instruments))

    looked = _run(reading, terminal, asked, work)
    _print(terminal, looked, as_json)
    differ = any(each.comparison.missing or each.comparison.different for each in looked)
    return exits.DIFFERENT if differ else exits.DONE


def create(reading: Reading, terminal: Terminal, asked: Asked, dry_run: bool, as_json: bool) -> int:
    """Make those that are missing, and print what came of it; the exit code."""

    async def work(cluster: Cluster, wanted: Sequence[Wanted], instruments: Sequence[str]) -> _Looked:
        before = await compare(cluster, wanted, instruments)
        made = await make(cluster, before, only_try=dry_run)
        return _Looked(before if dry_run else await compare(cluster, wanted, instruments), made)

    looked = _run(reading, terminal, asked, work)
    _print(terminal, looked, as_json, "would be made" if dry_run else "made")
    failed = [reason for each in looked for reason in each.made.failed.items()]
    for name, reason in failed:
        terminal.note(f"{name} {'could' if dry_run else 'was'} not {'be ' if dry_run else ''}made: {reason}", BAD)
    return exits.FAILED if failed else exits.DONE


def _run(
    reading: Reading,
    terminal: Terminal,
    asked: Asked,
    work: Callable[[Cluster, Sequence[Wanted], Sequence[str]], Awaitable[T]],
) -> list[T]:
    """Do this with each cluster, with what is wanted there and the instruments whose topics are there."""
    output = reading.settings.output

    async def one(settings: ClusterSettings, wanted: Sequence[Wanted]) -> T:
        async with connected(settings) as cluster:
            return await work(cluster, wanted, asked.instruments if settings == output else ())

    found: list[T] = []
    for settings, wanted in asked.wanted(reading).items():
        with terminal.waiting(f"asking {', '.join(settings.brokers)}"):
            found.append(asyncio.run(one(settings, wanted)))
    return found


def _print(terminal: Terminal, looked: Sequence[_Looked], as_json: bool, made: str = "") -> None:
    everything = [(each, found) for each in looked for found in each.comparison.found]
    if as_json:
        for each, found in everything:
            described = _described(found.wanted, each.comparison.cluster)
            state = made if each.is_new(found) else _state(found)
            click.echo(json.dumps({**described, "state": state, "differences": list(found.differences)}))
        return
    rows: list[Sequence[Cell]] = []
    for each, found in everything:
        facts = found.facts
        numbers = ("-", "-") if facts.error else (str(len(facts.partitions)), str(facts.replication))
        cluster = (each.comparison.cluster,) if len(looked) > 1 else ()
        said = Styled(made, GOOD) if each.is_new(found) else _said(found)
        rows.append((*cluster, found.wanted.name, *numbers, said))
    terminal.table((*_first(looked), *_NUMBERS, Column("state")), rows)
    if others := [name for each in looked for name in each.comparison.others]:
        terminal.note(f"not of the set: {', '.join(others)}", FAINT)
    new = sum(each.is_new(found) for each, found in everything)
    missing = sum(found.missing and not each.is_new(found) for each, found in everything)
    different = sum(bool(found.differences) for _, found in everything)
    _print_counts(terminal, len(everything), new, made, missing, different)


def _first(clusters: Collection[object]) -> tuple[Column, ...]:
    """The cluster is told where there are several."""
    return (Column("cluster"), Column("topic")) if len(clusters) > 1 else (Column("topic"),)


def _print_counts(terminal: Terminal, topics: int, new: int, made: str, missing: int, different: int) -> None:
    parts = [(new, made), (missing, "missing"), (different, "different")]
    said = ", ".join(f"{count} {word}" for count, word in parts if count)
    style = DOUBTFUL if missing or different else GOOD
    terminal.note(f"{count_of(topics, 'topic')}: {said or 'as they should be'}", style)


def _state(found: Found) -> str:
    return "missing" if found.missing else "different" if found.differences else "ok"


def _said(found: Found) -> Styled:
    if found.missing:
        return Styled("missing", BAD)
    if found.differences:
        return Styled("; ".join(found.differences), DOUBTFUL)
    return Styled("as it should be", GOOD)


def _described(topic: Wanted, cluster: str) -> dict[str, object]:
    return {
        "cluster": cluster,
        "topic": topic.name,
        "partitions": topic.partitions,
        "may_have_more_partitions": topic.may_have_more,
        "replication": topic.replication,
        "cleanup_policy": topic.policy,
        "retention_ms": topic.retention_ms,
    }
