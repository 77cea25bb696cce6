"""`forwarder demo`."""

import click

from .group import format_examples


class _Demo(click.Command):
    examples = "forwarder demo\nforwarder demo --seconds 10"

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        format_examples(formatter, self.examples)


@click.command(cls=_Demo)
@click.option("--seconds", type=click.FloatRange(min=0), metavar="S", help="Stop by itself after so many seconds.")
def demo(seconds: float | None) -> int:
    """Show the whole chain at work on this machine alone: made-up PVs, a broker in memory, and what arrives."""
    from forwarder.demo import main

    return main(seconds)
