"""The list of commands. What a command needs is imported when it is called, so that help comes at once."""

from importlib import import_module

import click

from .. import __version__

_COMMANDS = {
    "run": ("forwarder.cli.run", "Forward PV updates to Kafka until told to stop."),
    "demo": ("forwarder.cli.demo", "Show the whole chain at work on this machine alone."),
}
"""Module with a click command of the same name, and what it does."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="%(prog)s %(version)s")
def forwarder() -> None:
    """Carries EPICS PV updates into Apache Kafka.

    Flags without a command are those of `run`: the command lines of earlier forwarders work as they are.
    """
