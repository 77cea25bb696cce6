"""The whole path on one machine, for people to look at: a soft IOC, the forwarder, a broker and a consumer.

Nothing but this package is needed, and nothing is left behind. The parts that start and end processes also serve the
tests, so importing this package must not ask for what only the demo needs.
"""

import click


def main(seconds: float | None) -> int:
    """Run for so long, or until Ctrl-C. Gives the exit code: 0 if every update arrived."""
    try:
        from forwarder.demo.run import run
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("forwarder"):
            raise
        click.echo(f"demo: {missing}; it comes with: pip install 'epics-kafka-forwarder[demo]'", err=True)
        return 1
    return run(seconds)
