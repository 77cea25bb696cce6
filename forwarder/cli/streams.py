"""`forwarder streams`: the command line of it. What is sent and shown is in the files beside this one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

from ..errors import BadCommand
from .group import LazyGroup
from .options import INSTRUMENT, OF_A_FORWARDER, command, one_of
from .terminal import Terminal

if TYPE_CHECKING:
    from ..model import Pattern, Stream
    from ..settings.load import Reading

_SCHEMA, _PROTOCOL = "f144", "ca"


def _schemas() -> list[str]:
    from ..encode import SCHEMAS

    return sorted(SCHEMAS)


_SCHEMAS = one_of(_schemas)

_PATTERNS = click.Argument(["patterns"], metavar="[PATTERN]...", nargs=-1)
_MATCHING = (
    click.Option(["--schema"], metavar="NAME", help="Only streams in this schema.", shell_complete=_SCHEMAS),
    click.Option(["--topic"], metavar="TOPIC", help="Only streams to this topic; wildcards ? and *."),
)
_WANTED = (
    click.Argument(["pvs"], metavar="[PV]...", nargs=-1),
    click.Option(
        ["-f", "--file"],
        type=click.File(encoding="utf-8"),
        help="More streams, - for stdin: lines of PV [SCHEMA [TOPIC [PROTOCOL [PERIODIC]]]], CSV with the same "
        'columns, or the C++ forwarder\'s JSON ({"streams": [...]}).',
    ),
    click.Option(
        ["--format", "form"],
        type=click.Choice(["auto", "lines", "csv", "json"]),
        default="auto",
        help="What is in the file; auto: as it looks.",
    ),
    click.Option(
        ["--schema"],
        metavar="NAME",
        default=_SCHEMA,
        shell_complete=_SCHEMAS,
        help=f"Where none is said. Default: {_SCHEMA}.",
    ),
    click.Option(["--topic"], metavar="TOPIC", default="", help="Where none is said."),
    click.Option(
        ["--protocol"],
        type=click.Choice(["ca", "pva", "fake"]),
        default=_PROTOCOL,
        help=f"Where none is said. Default: {_PROTOCOL}.",
    ),
    click.Option(["--periodic"], is_flag=True, help="Repeat the last value, where nothing else is said."),
    click.Option(["--missing-topics"], is_flag=True, help="Allow topics that do not exist yet."),
)
_YES = click.Option(["-y", "--yes"], is_flag=True, help="Do not ask before streams are closed.")
_ORDER = (
    click.Option(
        ["--dialect"],
        type=click.Choice(["fc00", "json"]),
        default="fc00",
        help="What the forwarder understands; json for the C++ one. Default: fc00.",
    ),
    click.Option(
        ["--timeout"],
        type=click.FloatRange(min=0),
        default=15.0,
        metavar="S",
        help="Seconds to wait for the forwarder's confirmation; 0: only send. Default: 15.",
    ),
)


@click.group(
    cls=LazyGroup,
    examples="""
forwarder streams list --instrument LARMOR --profile production
forwarder streams add IN:LARMOR:CS:SB:TEMP1 --topic LARMOR_sampleEnv --instrument LARMOR --profile production
forwarder streams remove 'IN:LARMOR:*' --instrument LARMOR --profile production
""",
    context_settings={"help_option_names": ["-h", "--help"]},
    lazy={
        "list": ("forwarder.cli.streams", "list_", "Show what is forwarded."),
        "add": ("forwarder.cli.streams", "add", "Forward these too."),
        "remove": ("forwarder.cli.streams", "remove", "Stop forwarding those that match."),
        "replace": ("forwarder.cli.streams", "replace", "Forward exactly these."),
        "clear": ("forwarder.cli.streams", "clear", "Stop forwarding everything."),
    },
)
def streams() -> None:
    """See and change what a running forwarder forwards.

    Commands go through its config topic, as any other program's do, and are confirmed by its status topic: exit code 0
    is only given when it says that it is so. 3: it did not say so in time; 4: it refused.
    """


@command(
    "list",
    OF_A_FORWARDER,
    """
forwarder streams list --instrument LARMOR --profile production
forwarder streams list 'IN:LARMOR:CS:*' --instrument LARMOR --format csv > blocks.csv
forwarder streams list --config-topic b:9092/INST_forwarderConfig --status-topic b:9092/INST_forwarderStatus
""",
    _PATTERNS,
    *_MATCHING,
    click.Option(
        ["--format", "form"],
        type=click.Choice(["table", "csv", "json"]),
        default="table",
        help="csv and json are what add and replace take. Default: table.",
    ),
    INSTRUMENT,
)
def list_(
    reading: "Reading", terminal: Terminal, patterns: Sequence[str], schema: str | None, topic: str | None, form: str
) -> int:
    """Show what is forwarded: all, or what matches one of the PATTERNs of PV names, with wildcards ? and *.

    From the newest status, or, where that leaves a long list out, from the storage topic.
    """
    from .streams_shown import show

    return show(reading, terminal, _patterns(patterns, schema, topic) or None, form)


@command(
    "add",
    OF_A_FORWARDER,
    """
forwarder streams add IN:LARMOR:CS:SB:TEMP1 --topic LARMOR_sampleEnv --instrument LARMOR --profile production
forwarder streams add --file pvs.txt --schema f142 --topic LARMOR_sampleEnv --instrument LARMOR
forwarder streams list --instrument LARMOR --format csv | forwarder streams add --file - --instrument NEW
forwarder streams add SIM:TEMP --protocol pva --topic T --config-topic b/old_config --dialect json --timeout 0
""",
    *_WANTED,
    INSTRUMENT,
    *_ORDER,
)
def add(
    reading: "Reading", terminal: Terminal, dialect: str, timeout: float, missing_topics: bool, **given: Any
) -> int:
    """Forward these PVs too; what is forwarded already is not touched."""
    from ..model import Add
    from .streams_ordered import order

    return order(reading, terminal, Add(tuple(_wanted(**given))), dialect, timeout, missing_topics=missing_topics)


@command(
    "replace",
    OF_A_FORWARDER,
    """
forwarder streams replace --file all.csv --instrument LARMOR --profile production
forwarder streams replace --file old-forwarder.json --instrument LARMOR --yes
""",
    *_WANTED,
    _YES,
    INSTRUMENT,
    *_ORDER,
)
def replace(
    reading: "Reading", terminal: Terminal, dialect: str, timeout: float, missing_topics: bool, yes: bool, **given: Any
) -> int:
    """Forward exactly these PVs; those that are forwarded already do not miss a value."""
    from ..model import Replace
    from .streams_ordered import order

    wanted = Replace(tuple(_wanted(**given)))
    return order(reading, terminal, wanted, dialect, timeout, missing_topics=missing_topics, sure=yes)


@command(
    "remove",
    OF_A_FORWARDER,
    """
forwarder streams remove IN:LARMOR:CS:SB:TEMP1 --instrument LARMOR --profile production
forwarder streams remove 'IN:LARMOR:*' --schema f142 --instrument LARMOR --yes
""",
    _PATTERNS,
    click.Option(["-f", "--file"], type=click.File(encoding="utf-8"), help="More PVs, one a line; - for stdin."),
    *_MATCHING,
    _YES,
    INSTRUMENT,
    *_ORDER,
)
def remove(
    reading: "Reading", terminal: Terminal, patterns: Sequence[str], file: TextIO | None, schema: str | None,
    topic: str | None, dialect: str, timeout: float, yes: bool,
) -> int:  # fmt: skip
    """Stop forwarding every stream that matches: PATTERNs of PV names, with wildcards ? and *, a schema, a topic."""
    from ..model import Remove
    from ..tools.listing import names
    from .streams_ordered import order

    found = _patterns([*patterns, *(names(file.read()) if file else ())], schema, topic)
    if not found:
        raise click.UsageError("nothing says what to remove: a PV, --file, --schema or --topic; all: streams clear")
    return order(reading, terminal, Remove(tuple(found)), dialect, timeout, sure=yes)


@command(
    "clear",
    OF_A_FORWARDER,
    """
forwarder streams clear --instrument LARMOR --profile production
forwarder streams clear --instrument LARMOR --yes
""",
    _YES,
    INSTRUMENT,
    *_ORDER,
)
def clear(reading: "Reading", terminal: Terminal, dialect: str, timeout: float, yes: bool) -> int:
    """Stop forwarding everything."""
    from ..model import RemoveAll
    from .streams_ordered import order

    return order(reading, terminal, RemoveAll(), dialect, timeout, sure=yes)


def _wanted(
    pvs: Sequence[str], file: TextIO | None, form: str, schema: str, topic: str, protocol: str, periodic: bool
) -> "list[Stream]":
    from ..tools.listing import Defaults, Form, parse, stream

    defaults = Defaults(schema, topic, protocol, periodic)
    wanted: list[Stream] = []
    for pv in pvs:
        with _of(pv):
            wanted.append(stream({"channel": pv}, defaults))
    if file is not None:
        # Standard input may be nothing with a name.
        with _of(getattr(file, "name", "<stdin>")):
            wanted += parse(file.read(), Form(form), defaults)
    if not wanted:
        raise click.UsageError("no streams are given: a PV, or --file with some in it")
    return wanted


@contextmanager
def _of(what: str) -> Iterator[None]:
    """What is wrong is said with the PV or file that it is wrong in."""
    try:
        yield
    except BadCommand as error:
        raise BadCommand(f"{what}: {error}") from None
    except UnicodeDecodeError:
        raise BadCommand(f"{what}: it is not UTF-8") from None


def _patterns(channels: Sequence[str], schema: str | None, topic: str | None) -> "list[Pattern]":
    from ..commands.names import split_topic
    from ..model import Pattern

    broker, name = split_topic(topic, pattern=True) if topic else (None, None)
    if not (channels or schema or topic):
        return []
    return [Pattern(channel, schema, name, broker or None) for channel in (channels or (None,))]
