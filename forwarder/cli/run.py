"""`forwarder run`. Its flags are those of the table of settings."""

import logging
import os
from collections.abc import Iterator
from typing import Any

import click

from .. import __version__
from ..settings.load import Reading, read
from ..settings.table import SETTINGS
from .options import ADDRESS_HELP, CONTEXT, command_line, flags, format_flags, meaningless_flags

log = logging.getLogger("forwarder")

_SHOW_SETTINGS = "Print every setting with its value and where it came from, and stop."


class _Run(click.Command):
    """Help in the groups of the table, with each setting's variables and default."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        format_flags(formatter, SETTINGS)
        with formatter.section("Other"):
            formatter.write_dl(
                [
                    ("--show-settings", _SHOW_SETTINGS),
                    ("--version", "Print the version and stop."),
                    ("-h, --help", "Print this and stop."),
                ]
            )
        formatter.write_paragraph()
        formatter.write_text(ADDRESS_HELP)
        formatter.write_paragraph()
        formatter.write_text(
            "A flag counts before a variable, that before the file, the profile, and the default. "
            "Every variable [X] is also read as FORWARDER_X, which counts before it."
        )


def _options() -> Iterator[click.Option]:
    yield from flags(SETTINGS)
    yield from meaningless_flags()
    yield click.Option(["--show-settings"], is_flag=True, help=_SHOW_SETTINGS)


def _print(reading: Reading) -> None:
    width = max(len(shown.name) for shown in reading.shown)
    for shown in reading.shown:
        click.echo(f"{shown.name:{width}} = {shown.value}  ({shown.source})")
    for warning in reading.warnings:
        click.echo(f"warning: {warning}", err=True)


def _run(show_settings: bool, **given: Any) -> int:
    """Forward PV updates to Kafka until told to stop."""
    reading = read(command_line(given), os.environ)
    if show_settings:
        _print(reading)
        return 0
    from ..observe import logs
    from ..observe.hangup import on_hangup
    from .read_again import ReadAgain

    settings = reading.settings
    with (
        logs.set_up(settings.log, {"service_id": settings.service_id, "profile": settings.profile}) as running,
        on_hangup(ReadAgain(reading, lambda: read(command_line(given), os.environ), running)),
    ):
        for warning in reading.warnings:
            log.warning("%s", warning)
        from ..service import main

        return main(settings)


run = click.version_option(__version__, "--version", prog_name="forwarder", message="%(prog)s %(version)s")(
    _Run("run", callback=_run, params=list(_options()), help=_run.__doc__, context_settings=CONTEXT)
)
