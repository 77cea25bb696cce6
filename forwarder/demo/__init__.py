"""The whole path on one machine, for people to look at: a soft IOC, the forwarder, a broker and a consumer.

Nothing but this package is needed, and nothing is left behind. The parts that start and end processes also serve the
tests, so importing this package is quick.
"""


def main(seconds: float | None) -> int:
    """Run for so long, or until Ctrl-C. Gives the exit code: 0 if every update arrived."""
    from forwarder.demo.run import run

    return run(seconds)
