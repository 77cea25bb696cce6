"""`forwarder topics`: the command line of it. What is asked and shown is in the file beside this one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..settings import table as t
from .group import LazyGroup
from .options import command, connection
from .terminal import Terminal

if TYPE_CHECKING:
    from ..settings.load import Reading

_SETTINGS = (
    *connection(t.CONFIG_TOPIC, t.STATUS_TOPIC, t.STORAGE_TOPIC, t.OUTPUT_BROKER),
    *(setting for setting in t.SETTINGS if setting.group == "Topics of an instrument"),
)
_INSTRUMENTS = click.Argument(["instruments"], metavar="[INSTRUMENT]...", nargs=-1)
_SERVICE = click.Option(
    ["--service"],
    is_flag=True,
    help="The topics that the service itself talks through, as --config-topic, --status-topic and --storage-topic "
    "name them, each in its own cluster.",
)
_JSON = click.Option(["--json", "as_json"], is_flag=True, help="Print JSON, one object a topic.")


@click.group(
    cls=LazyGroup,
    examples="""
forwarder topics check LARMOR --profile production
forwarder topics create LARMOR --profile production --dry-run
forwarder topics create --service --profile production
""",
    context_settings={"help_option_names": ["-h", "--help"]},
    lazy={
        "check": ("forwarder.cli.topics", "check", "Say how topics differ from what they are to be."),
        "create": ("forwarder.cli.topics", "create", "Make topics that are missing."),
    },
)
def topics() -> None:
    """Check and make the topics of an instrument, or of the service itself.

    Those of an instrument are INST_sampleEnv, INST_runLog, INST_runInfo, INST_events, INST_rawEvents,
    INST_monitorHistograms, INST_detSpecMap, INST_areaDetector, INST_alarms, INST_forwarderConfig, INST_forwarderStatus
    and INST_forwarderStorage. Those of the service, which all instruments share, are the ones its settings name: in a
    profile forwarder_config, forwarder_status and forwarder_storage. How many partitions and copies they have, and how
    long messages are kept, are settings with values for each profile; of a storage topic the newest message of each key
    is kept.
    """


@command(
    "check",
    _SETTINGS,
    """
forwarder topics check LARMOR --profile production
forwarder topics check LARMOR ZOOM --output-broker broker:9092 --json
forwarder topics check LARMOR --profile production --show
forwarder topics check --service --profile production
""",
    _INSTRUMENTS,
    _SERVICE,
    click.Option(["--show"], is_flag=True, help="Print what the topics are to be like, and ask no broker."),
    _JSON,
)
def check(
    reading: "Reading", terminal: Terminal, instruments: Sequence[str], service: bool, show: bool, as_json: bool
) -> int:
    """Say how the topics of instruments, or of the service, differ from what they are to be.

    The exit code is 5 if one is missing or differs. Nothing is changed.
    """
    from .topics_shown import Asked, check, show_wanted

    asked = Asked(instruments, service)
    if show:
        return show_wanted(reading, terminal, asked, as_json)
    return check(reading, terminal, asked, as_json)


@command(
    "create",
    _SETTINGS,
    """
forwarder topics create LARMOR --profile production --dry-run
forwarder topics create LARMOR --profile production
forwarder topics create NEWINST --output-broker broker:9092 --topic-event-partitions 8
forwarder topics create --service --profile production --dry-run
""",
    _INSTRUMENTS,
    _SERVICE,
    click.Option(["--dry-run"], is_flag=True, help="Have the cluster check everything, and make nothing."),
    _JSON,
)
def create(
    reading: "Reading", terminal: Terminal, instruments: Sequence[str], service: bool, dry_run: bool, as_json: bool
) -> int:
    """Make the topics of instruments, or of the service, that are missing.

    Those that are there are left as they are, whatever they are like; how they differ is said. It may be called again
    and again: the exit code is 0 when all of them are there.
    """
    from .topics_shown import Asked, create

    return create(reading, terminal, Asked(instruments, service), dry_run, as_json)
