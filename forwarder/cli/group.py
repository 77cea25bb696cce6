"""The list of commands. What a command needs is imported when it is called, so that help comes at once."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from .. import __version__


class LazyGroup(click.Group):
    """Commands by name: the module that has them, the object there, and what it does, in one line."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, tuple[str, str, str]], examples: str, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._lazy = lazy
        self.examples = examples.strip("\n")

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return None
        module, name, _ = self._lazy[cmd_name]
        return getattr(import_module(module), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in self._lazy.items()])
        format_examples(formatter, self.examples)


def examples_of(command: click.Command) -> str:
    """Command lines to copy; empty where it has none."""
    return getattr(command, "examples", "")


def format_examples(formatter: click.HelpFormatter, examples: str) -> None:
    """Lines to copy, which are not wrapped."""
    with formatter.section("Examples"):
        formatter.write("".join(f"{'':{formatter.current_indent}}{line}\n" for line in examples.split("\n")))


@click.group(
    cls=LazyGroup,
    examples="""
forwarder demo --seconds 10
forwarder run --profile production
forwarder check --profile production --pv IN:LARMOR:CS:SB:TEMP1
forwarder streams list --instrument LARMOR --profile production
forwarder watch LARMOR_sampleEnv --profile production
""",
    context_settings={"help_option_names": ["-h", "--help"]},
    lazy={
        "run": ("forwarder.cli.run", "run", "Forward PV updates to Kafka until told to stop."),
        "blocks": ("forwarder.cli.blocks", "blocks", "Tell a forwarder what to forward of an instrument."),
        "demo": ("forwarder.cli.demo", "demo", "Show the whole chain at work on this machine alone."),
        "streams": ("forwarder.cli.streams", "streams", "See and change what a running forwarder forwards."),
        "topics": ("forwarder.cli.topics", "topics", "Check and make the topics of an instrument, or of the service."),
        "watch": ("forwarder.cli.watch", "watch", "Show the messages of topics, decoded."),
        "record": ("forwarder.cli.record", "record", "Write what an instrument sends to a NeXus file."),
        "check": ("forwarder.cli.check", "check", "Look whether all that a forwarder needs is there."),
        "completion": ("forwarder.cli.completion", "completion", "Print what lets a shell complete these commands."),
    },
)
@click.version_option(__version__, "--version", message="%(prog)s %(version)s")
def forwarder() -> None:
    """Carries EPICS PV updates into Apache Kafka.

    Flags without a command are those of `run`: the command lines of earlier forwarders work as they are.
    """
