"""The command line as it is typed, in a process of its own."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

_ENDS_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a command has printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    def column(self, number: int) -> list[str]:
        """One column of a table, without its heading."""
        return [line.split()[number] for line in self.lines[1:]]


def command(*arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> Said:
    """Run `forwarder` with these arguments until it ends."""
    done = subprocess.run(
        [sys.executable, "-m", "forwarder", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_ENDS_WITHIN_S,
        env=None if environment is None else dict(environment),
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)
