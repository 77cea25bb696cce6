"""`forwarder watch`: the command line of it. What is shown is in the file beside this one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ..settings import table as t
from .options import command, connection, one_of
from .terminal import Terminal

if TYPE_CHECKING:
    from ..settings.load import Reading


def _schemas() -> list[str]:
    """All that a message may be shown as being in."""
    from ..decode.schemas import SCHEMAS
    from ..tools.sighting import TOMBSTONE

    return sorted({*SCHEMAS, TOMBSTONE, "?"})


@command(
    "watch",
    connection(t.CONFIG_TOPIC, t.OUTPUT_BROKER),
    """
forwarder watch LARMOR_sampleEnv --output-broker broker:9092
forwarder watch LARMOR_sampleEnv LARMOR_runLog --pv 'IN:LARMOR:CS:SB:*' --schema f144 --from -20
forwarder watch LARMOR_sampleEnv --from time:2026-11-25T09:30 --until end --json | jq .value
forwarder watch LARMOR_sampleEnv --pv IN:LARMOR:CS:SB:TEMP1 --plot
forwarder watch broker:9092/LARMOR_events --from beginning --until end --quiet
""",
    click.Argument(["topics"], metavar="TOPIC...", nargs=-1, required=True),
    click.Option(["--pv", "pvs"], multiple=True, metavar="PATTERN", help="Only these PVs, with wildcards ? and *."),
    click.Option(
        ["--schema", "schemas"],
        multiple=True,
        metavar="NAME",
        help="Only messages in this schema.",
        shell_complete=one_of(_schemas),
    ),
    click.Option(
        ["--from", "begin"],
        default="end",
        metavar="PLACE",
        help="beginning, end, offset:N, time:ISO (UTC where it does not say), or -N for the last N messages of each "
        "topic. Default: end.",
    ),
    click.Option(["--until"], type=click.Choice(["end"]), help="Stop at what is the end of the topics by now."),
    click.Option(["-n", "--count"], type=click.IntRange(min=1), metavar="N", help="Stop after so many messages."),
    click.Option(["--json", "as_json"], is_flag=True, help="Print JSON, one object a message, with all its fields."),
    click.Option(["--plot"], is_flag=True, help="Draw numbers over time instead; with --pv, at most 6 PVs."),
    click.Option(["-q", "--quiet"], is_flag=True, help="Print the summary only."),
)
def watch(reading: "Reading", terminal: Terminal, topics: Sequence[str], begin: str, **given: Any) -> int:
    """Show the messages of topics, decoded, as they come: time, schema, PV, value and alarm.

    TOPIC is a name, in the cluster of --output-broker, or an ADDRESS. Ctrl-C ends it with a summary; what can't be
    decoded is one line that says why. Times are UTC.
    """
    from ..tools.following import start
    from .watch_options import Options
    from .watch_shown import show

    try:
        where = start(begin)
    except ValueError as error:
        raise click.BadParameter(f"{begin}: {error}", param_hint="--from") from None
    if given["plot"] and not given["pvs"]:
        raise click.UsageError("--plot draws chosen PVs; say which with --pv")
    if unknown := [name for name in given["schemas"] if name not in _schemas()]:
        raise click.BadParameter(f"{unknown[0]}: there are {', '.join(_schemas())}", param_hint="--schema")
    found = [reading.topic(topic) for topic in topics]
    return show(terminal, found, where, Options(until_end=given.pop("until") is not None, **given))
