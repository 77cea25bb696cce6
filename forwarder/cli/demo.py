"""`forwarder demo`."""

import click


@click.command()
@click.option("--seconds", type=click.FloatRange(min=0), help="Stop by itself after this time.")
def demo(seconds: float | None) -> int:
    """Show the whole chain at work on this machine alone: made-up PVs, a broker in memory, and what arrives."""
    try:
        from forwarder.demo import main
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("forwarder"):
            raise
        raise click.ClickException(
            f"demo: {error.name} is missing; install it with: pip install 'epics-kafka-forwarder[demo]'"
        ) from None
    return main(seconds)
