"""Commands that serve until told to stop: their flags are those of a table of settings."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import click

from .. import __version__
from ..settings.load import Loaded
from ..settings.setting import Table
from ..settings.types import LogSettings
from .group import format_examples
from .options import ADDRESS_HELP, CONTEXT, command_line, flags, format_flags, meaningless_flags

log = logging.getLogger("forwarder")

_SHOW_SETTINGS = "Print every setting with its value and where it came from, and stop."


class _Settings(Protocol):
    """What all of them have."""

    @property
    def profile(self) -> str: ...
    @property
    def log(self) -> LogSettings: ...


S = TypeVar("S", bound=_Settings)


class Serving(click.Command):
    """Help in the groups of the table, with each setting's variables and default."""

    def __init__(self, *arguments: Any, table: Table, examples: str, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.examples = examples.strip("\n")
        self.table = table

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        format_examples(formatter, self.examples)
        format_flags(formatter, self.table.settings)
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


def serving(
    name: str,
    table: Table,
    help: str,
    read: Callable[[Mapping[str, Sequence[str]], Mapping[str, str]], Loaded[S]],
    identity: Callable[[S], str],
    main: Callable[[S], int],
    examples: str,
) -> click.Command:
    """The command: `read` its settings, log as they say under its `identity`, and do `main`."""

    def callback(show_settings: bool, **given: Any) -> int:
        reading = read(command_line(given), os.environ)
        if show_settings:
            _print(reading)
            return 0
        from ..observe import logs
        from ..observe.hangup import on_hangup
        from .read_again import ReadAgain

        settings = reading.settings
        with (
            logs.set_up(settings.log, {"service_id": identity(settings), "profile": settings.profile}) as running,
            on_hangup(ReadAgain(reading, lambda: read(command_line(given), os.environ), running)),
        ):
            for warning in reading.warnings:
                log.warning("%s", warning)
            return main(settings)

    command = Serving(
        name,
        callback=callback,
        params=list(_options(table)),
        help=help,
        context_settings=CONTEXT,
        table=table,
        examples=examples,
    )
    version = click.version_option(__version__, "--version", prog_name="forwarder", message="%(prog)s %(version)s")
    return version(command)


def _options(table: Table) -> Iterator[click.Option]:
    yield from flags(table.settings)
    yield from meaningless_flags()
    yield click.Option(["--show-settings"], is_flag=True, help=_SHOW_SETTINGS)


def _print(reading: Loaded[Any]) -> None:
    width = max(len(shown.name) for shown in reading.shown)
    for shown in reading.shown:
        click.echo(f"{shown.name:{width}} = {shown.value}  ({shown.source})")
    for warning in reading.warnings:
        click.echo(f"warning: {warning}", err=True)
