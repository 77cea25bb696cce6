"""`forwarder run`. Its flags are those of the table of settings."""

import logging
import os
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import click

from .. import __version__
from ..settings.load import Reading, read
from ..settings.names import MEANINGLESS
from ..settings.table import SETTINGS, Kind, Setting

log = logging.getLogger("forwarder")

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class _Run(click.Command):
    """Help in the groups of the table, with each setting's variables and default."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group, settings in groupby(SETTINGS, key=lambda setting: setting.group):
            with formatter.section(group):
                formatter.write_dl([_help(setting) for setting in settings])
        with formatter.section("Other"):
            formatter.write_dl(
                [
                    ("--show-settings", "Print every setting with its value and where it came from, and stop."),
                    ("--version", "Print the version and stop."),
                    ("-h, --help", "Print this and stop."),
                ]
            )
        formatter.write_paragraph()
        formatter.write_text(
            r"ADDRESS is [PROTOCOL+MECHANISM\user@]host[:port][,host[:port]][/topic], or //host[:port][/topic]; for a "
            "topic also its name alone, which is in the cluster of --output-broker. The port is 9092 if not given."
        )
        formatter.write_paragraph()
        formatter.write_text(
            "A flag counts before a variable, that before the file, the profile, and the default. "
            "Every variable [X] is also read as FORWARDER_X, which counts before it."
        )


def _help(setting: Setting[Any]) -> tuple[str, str]:
    flag = f"-{setting.short}, --{setting.name}" if setting.short else f"--{setting.name}"
    # The form of an address is long and the same for all of them: it stands once, below.
    allowed = "" if setting.metavar == "ADDRESS" else f" Allowed: {setting.allowed}."
    default = f" Default: {setting.default}." if setting.default and setting.kind is not Kind.SWITCH else ""
    variables = ", ".join(setting.variables[1:] or setting.variables)
    return (
        flag if setting.kind is Kind.SWITCH else f"{flag} {setting.metavar}",
        f"{setting.help}{allowed}{default} [{variables}]",
    )


def _options() -> Iterator[click.Option]:
    for setting in SETTINGS:
        for name in (setting.name, *setting.aliases):
            declared = [f"--{name}", _parameter(name)]
            if setting.short and name == setting.name:
                declared.append(f"-{setting.short}")
            if setting.kind is Kind.SWITCH:
                yield click.Option(declared, is_flag=True, default=False)
            else:
                yield click.Option(declared, multiple=True, nargs=2 if setting.kind is Kind.PAIRS else 1, type=str)
    for name in MEANINGLESS:
        yield click.Option([f"--{name}", _parameter(name)], multiple=True, type=str)
    yield click.Option(["--show-settings"], is_flag=True)


def _parameter(name: str) -> str:
    return name.replace("-", "_")


def _command_line(given: dict[str, Any]) -> dict[str, list[str]]:
    """What was given, as the settings want it: texts by the flag's name."""
    flags: dict[str, list[str]] = {}
    for parameter, value in given.items():
        if value is True:
            flags[parameter.replace("_", "-")] = ["yes"]
        elif value:
            pairs = isinstance(value[0], tuple)
            flags[parameter.replace("_", "-")] = [text for pair in value for text in pair] if pairs else list(value)
    return flags


def _print(reading: Reading) -> None:
    width = max(len(shown.name) for shown in reading.shown)
    for shown in reading.shown:
        click.echo(f"{shown.name:{width}} = {shown.value}  ({shown.source})")
    for warning in reading.warnings:
        click.echo(f"warning: {warning}", err=True)


def _run(show_settings: bool, **given: Any) -> int:
    """Forward PV updates to Kafka until told to stop."""
    reading = read(_command_line(given), os.environ)
    if show_settings:
        _print(reading)
        return 0
    from ..observe import logs
    from ..observe.hangup import on_hangup
    from .read_again import ReadAgain

    settings = reading.settings
    with (
        logs.set_up(settings.log, {"service_id": settings.service_id, "profile": settings.profile}) as running,
        on_hangup(ReadAgain(reading, lambda: read(_command_line(given), os.environ), running)),
    ):
        for warning in reading.warnings:
            log.warning("%s", warning)
        from ..service import main

        return main(settings)


run = click.version_option(__version__, "--version", prog_name="forwarder", message="%(prog)s %(version)s")(
    _Run("run", callback=_run, params=list(_options()), help=_run.__doc__, context_settings=_CONTEXT)
)
