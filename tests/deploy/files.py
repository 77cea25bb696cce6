"""The files under deploy/, and what the forwarder makes of a command line that is in one of them."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from forwarder.settings.load import load
from forwarder.stopping import GRACE_S

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"
INSTANCES = ("production", "development")
LONGEST_STOP_S = load({}, {}).stop_timeout_s + GRACE_S
"""After which a forwarder that was told to stop is gone, with the settings as they are shipped."""

_ANSWER_WITHIN_S = 30.0


def shown_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Each setting's value with these arguments and, of variables that are settings, these alone.

    Fails if the forwarder refuses one or warns of one.
    """
    command = [sys.executable, "-m", "forwarder", *arguments, "--show-settings"]
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=_ANSWER_WITHIN_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), f"{command} says: {done.stderr}"
    lines = (line.rpartition("  (")[0] for line in done.stdout.splitlines())
    return {name.strip(): value for name, _, value in (line.partition(" = ") for line in lines)}
