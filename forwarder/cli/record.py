"""`forwarder record`: the command line of it. What is shown is in the file beside this one."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..settings import table as t
from .options import command, connection
from .terminal import Terminal

if TYPE_CHECKING:
    from ..settings.load import Reading


@command(
    "record",
    connection(t.OUTPUT_BROKER),
    """
forwarder record LARMOR larmor.nxs --output-broker broker:9092
forwarder record LARMOR run.nxs --profile production --from run-start --until run-stop
forwarder record LARMOR minute.nxs --output-broker broker:9092 --until 60
forwarder record LARMOR morning.nxs --output-broker broker:9092 --from time:2026-11-25T09:00 --until end --force
""",
    click.Argument(["name"], metavar="INSTRUMENT"),
    click.Argument(["path"], metavar="FILE.nxs", type=click.Path(dir_okay=False, path_type=Path)),
    click.Option(
        ["--from", "begin"],
        default="now",
        metavar="PLACE",
        help="run-start (of the newest run), now, beginning, or time:ISO (UTC where it does not say). Default: now.",
    ),
    click.Option(
        ["--until"],
        metavar="PLACE",
        help="run-stop, end (of the topics by now), or so many seconds. Default: Ctrl-C.",
    ),
    click.Option(
        ["--look-back"],
        type=float,
        default=3600.0,
        metavar="SECONDS",
        help="How long before its start PVs are looked for that do not change within it; 0: not at all. Default: 3600.",
    ),
    click.Option(["--force"], is_flag=True, help="Overwrite the file if it is there."),
)
def record(
    reading: "Reading",
    terminal: Terminal,
    name: str,
    path: Path,
    begin: str,
    until: str | None,
    look_back: float,
    force: bool,
) -> int:
    """Write what an instrument sends to a NeXus file: sample environment, run log, events, runs.

    It is read from the topics INST_sampleEnv, INST_runLog, INST_events and INST_runInfo in the cluster of
    --output-broker. Until it is whole the file is FILE.nxs.part; however it ends, by Ctrl-C too, what had come is in
    FILE.nxs. So are the last value, units and alarm of each PV before the start, with their own times. What has no
    place in the file is counted and named. Needs h5py, which comes with the extra nexus.
    """
    try:
        from .record_shown import record
    except ModuleNotFoundError as error:
        if error.name != "h5py":
            raise
        raise click.ClickException(
            "h5py is missing; install it with: pip install 'epics-kafka-forwarder[nexus]'"
        ) from None
    return record(reading, terminal, name, path, (begin, until, look_back), force=force)
