"""`forwarder demo`."""

import click


@click.command()
@click.option("--seconds", type=click.FloatRange(min=0), help="Stop by itself after this time.")
def demo(seconds: float | None) -> int:
    """Show the whole chain at work on this machine alone: made-up PVs, a broker in memory, and what arrives."""
    from forwarder.demo import main

    return main(seconds)
