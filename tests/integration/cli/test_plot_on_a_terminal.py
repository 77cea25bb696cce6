"""`forwarder watch --plot` on a real terminal, of a PV that moves."""

import re
import sys

from tests.integration.cli.rig import Site
from tests.support.terminal import TerminalCommand
from tests.support.waiting import wait_until

WAIT_S = 30.0


def test_it_is_drawn_resized_and_ended(site: Site) -> None:
    assert site.command("streams", "add", "CLI:MOVES", "--topic", "CLI_sampleEnv").code == 0
    line = [sys.executable, "-m", "forwarder", "watch", "CLI_sampleEnv", "--pv", "CLI:MOVES", "--plot"]
    with TerminalCommand([*line, "--output-broker", site.broker.address]) as terminal:
        first = wait_until(lambda: plotted(terminal), WAIT_S, what="it is drawn")
        assert not terminal.shows_cursor
        assert widest(terminal) == 100
        wait_until(lambda: plotted(terminal) > first + 5, WAIT_S, what="it goes on")

        for columns, lines in ((140, 40), (60, 20)):
            terminal.resize(columns, lines)
            wait_until(lambda: widest(terminal) == columns, WAIT_S, what=f"it is {columns} wide")  # noqa: B023
            before = plotted(terminal)
            wait_until(lambda: plotted(terminal) > before + 5, WAIT_S, what="it goes on")  # noqa: B023
            assert sum("└" in line for line in terminal.screen) == 1, "nothing is left of the drawing before"

        terminal.type("\x03")
        wait_until(lambda: terminal.exit_code is not None, WAIT_S, what="Ctrl-C ends it")
        assert terminal.exit_code == 0
        assert terminal.shows_cursor
        assert terminal.is_as_before
        assert sum("└" in line for line in terminal.screen) == 1, "the last drawing stays"
        assert re.search(r"^\d+ messages$", "\n".join(terminal.screen), re.MULTILINE)


def plotted(terminal: TerminalCommand) -> int:
    """How many readings the drawing says it has; 0 while there is none with a curve in it."""
    screen = terminal.screen
    found = re.search(r"CLI:MOVES = \S+  \((\d+) readings\)", "\n".join(screen))
    has_curve = any("\u2801" <= character <= "\u28ff" for line in screen for character in line)
    return int(found[1]) if found and has_curve else 0


def widest(terminal: TerminalCommand) -> int:
    """Columns of the drawing: its axis goes all the way."""
    return max((len(line) for line in terminal.screen if "└" in line), default=0)
