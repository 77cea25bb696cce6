"""`forwarder topics`."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from ..settings import table as t
from . import exits
from .group import LazyGroup
from .options import command, connection
from .terminal import BAD, DOUBTFUL, FAINT, GOOD, Cell, Column, Styled, Terminal

if TYPE_CHECKING:
    from ..kafka.cluster import Cluster
    from ..settings.load import Reading
    from ..tools.instrument import Wanted
    from ..tools.topics import Comparison

T = TypeVar("T")

_SETTINGS = (
    *connection(t.OUTPUT_BROKER),
    *(setting for setting in t.SETTINGS if setting.group == "Topics of an instrument"),
)
_EXAMPLES = """
forwarder topics check LARMOR --profile production
forwarder topics create LARMOR ZOOM --profile production --dry-run
forwarder topics create NEWINST --output-broker broker:9092 --topic-event-partitions 8
forwarder topics check LARMOR --show
"""

_INSTRUMENTS = click.Argument(["instruments"], metavar="INSTRUMENT...", nargs=-1, required=True)
_SHOW = click.Option(["--show"], is_flag=True, help="Print what the topics are to be like, and ask no broker.")
_JSON = click.Option(["--json", "as_json"], is_flag=True, help="Print JSON, one object a topic.")


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    lazy={
        "check": (
            "forwarder.cli.topics",
            "check",
            "Say how the topics of instruments differ from what they are to be.",
        ),
        "create": ("forwarder.cli.topics", "create", "Make topics that are missing."),
    },
)
def topics() -> None:
    """Check and make the topics of an instrument.

    They are INST_sampleEnv, INST_runLog, INST_runInfo, INST_events, INST_rawEvents, INST_monitorHistograms,
    INST_detSpecMap, INST_areaDetector, INST_alarms, INST_forwarderConfig, INST_forwarderStatus and
    INST_forwarderStorage. How many partitions and copies they have, and how long messages are kept, are settings with
    values for each profile.
    """


@command("check", _SETTINGS, _EXAMPLES, _INSTRUMENTS, _SHOW, _JSON)
def check(reading: "Reading", terminal: Terminal, instruments: Sequence[str], show: bool, as_json: bool) -> int:
    """Say how the topics of instruments differ from what they are to be.

    The exit code is 5 if one is missing or differs. Nothing is changed.
    """
    wanted = _wanted(reading, instruments)
    if show:
        return _show(terminal, wanted, as_json)
    comparison = _run(reading, terminal, lambda cluster: _compare(cluster, wanted, instruments))
    if as_json:
        _print_json(comparison)
    else:
        _print(terminal, comparison)
    return exits.DIFFERENT if comparison.missing or comparison.different else exits.DONE


@command(
    "create",
    _SETTINGS,
    _EXAMPLES,
    _INSTRUMENTS,
    click.Option(["--dry-run"], is_flag=True, help="Only say what would be made."),
    _SHOW,
    _JSON,
)
def create(
    reading: "Reading", terminal: Terminal, instruments: Sequence[str], show: bool, as_json: bool, dry_run: bool
) -> int:
    """Make the topics of instruments that are missing.

    Those that are there are left as they are, whatever they are like; how they differ is said. It may be called again
    and again. With --dry-run the cluster checks everything and makes nothing.
    """
    wanted = _wanted(reading, instruments)
    if show:
        return _show(terminal, wanted, as_json)

    async def work(cluster: "Cluster") -> "tuple[Comparison, dict[str, str], Comparison]":
        from ..tools.topics import make

        before = await _compare(cluster, wanted, instruments)
        failed = await make(cluster, before, only_try=dry_run)
        return before, failed, before if dry_run else await _compare(cluster, wanted, instruments)

    before, failed, after = _run(reading, terminal, work)
    if as_json:
        _print_json(after)
    else:
        _print(
            terminal,
            after,
            made="would be made" if dry_run else "made",
            new={w.name for w in before.missing} - {*failed},
        )
    for name, reason in failed.items():
        terminal.note(f"{name} {'could' if dry_run else 'was'} not be made: {reason}", BAD)
    return exits.FAILED if failed else exits.DONE


def _wanted(reading: "Reading", instruments: Sequence[str]) -> "list[Wanted]":
    from ..tools.instrument import topics_of

    return [
        topic for instrument in dict.fromkeys(instruments) for topic in topics_of(instrument, reading.settings.topics)
    ]


def _run(reading: "Reading", terminal: Terminal, work: "Callable[[Cluster], Awaitable[T]]") -> T:
    from ..tools.remote import connect

    async def main() -> T:
        cluster = connect(reading.settings.output)
        try:
            return await work(cluster)
        finally:
            await cluster.close()

    with terminal.waiting(f"asking {', '.join(reading.settings.output.brokers)}"):
        return asyncio.run(main())


async def _compare(cluster: "Cluster", wanted: "Sequence[Wanted]", instruments: Sequence[str]) -> "Comparison":
    from ..tools.topics import compare

    return await compare(cluster, wanted, instruments)


def _show(terminal: Terminal, wanted: "Sequence[Wanted]", as_json: bool) -> int:
    if as_json:
        for topic in wanted:
            click.echo(json.dumps(_described(topic)))
        return exits.DONE
    terminal.table(
        (Column("topic"), Column("partitions", True), Column("copies", True), Column("kept")),
        [
            (each.name, f"{'>= ' if each.may_have_more else ''}{each.partitions}", str(each.replication), each.kept)
            for each in wanted
        ],
    )
    terminal.note("copies: not more than there are brokers", FAINT)
    return exits.DONE


def _print(terminal: Terminal, comparison: "Comparison", made: str = "", new: set[str] | None = None) -> None:
    rows: list[Sequence[Cell]] = []
    for each in comparison.found:
        facts = each.facts
        if each.wanted.name in (new or ()):
            said = Styled(made, GOOD)
        elif each.missing:
            said = Styled("missing", BAD)
        elif each.differences:
            said = Styled("; ".join(each.differences), DOUBTFUL)
        else:
            said = Styled("as it should be", GOOD)
        there = not facts.error
        rows.append(
            (
                each.wanted.name,
                str(len(facts.partitions)) if there else "-",
                str(facts.replication) if there else "-",
                said,
            )
        )
    terminal.table((Column("topic"), Column("partitions", True), Column("copies", True), Column("state")), rows)
    if comparison.others:
        terminal.note(f"not of the set: {', '.join(comparison.others)}", FAINT)
    count = len(comparison.found)
    wrong = len(comparison.missing) + len(comparison.different)
    if not wrong:
        terminal.note(f"all {count} topics are as they should be", GOOD)
    else:
        parts = [(len(comparison.missing), "missing"), (len(comparison.different), "different")]
        terminal.note(f"of {count} topics {' and '.join(f'{n} {word}' for n, word in parts if n)}", DOUBTFUL)


def _print_json(comparison: "Comparison") -> None:
    for each in comparison.found:
        state = "missing" if each.missing else "different" if each.differences else "ok"
        click.echo(json.dumps({**_described(each.wanted), "state": state, "differences": list(each.differences)}))


def _described(topic: "Wanted") -> dict[str, object]:
    return {
        "topic": topic.name,
        "partitions": topic.partitions,
        "may_have_more_partitions": topic.may_have_more,
        "replication": topic.replication,
        "cleanup_policy": topic.policy,
        "retention_ms": topic.retention_ms,
    }
