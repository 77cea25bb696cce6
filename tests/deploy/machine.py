"""A machine to install on: this one's files in a layer that is thrown away, and a systemd of its own, in a container.

It shares the network, so that what runs there reaches this machine's loopback. Needs root.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

from forwarder.demo.child import Child
from tests.deploy.files import REPOSITORY
from tests.support.processes import spawn
from tests.support.waiting import wait_until

_BOOTED_WITHIN_S = 60.0
_STOPPED_WITHIN_S = 60.0
_DONE_WITHIN_S = 240.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The mounts are in a namespace of their own, and gone with the last process in it.
_BOOT = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
# Nothing that this machine may start at its boot.
rm -rf etc/systemd/system/*.wants etc/systemd/system/forwarder* etc/machine-id
: >etc/machine-id
exec systemd-nspawn --quiet --directory="$1/root" --register=no --keep-unit --boot --console=pipe \
  --bind-ro="$2" --bind-ro="$3" --bind-ro="$4:/mnt"
"""


class Machine:
    """Runs from `with` until its end, with the folder `files` at /mnt."""

    def __init__(self, files: Path) -> None:
        self._files = files
        self._folder = Path(mkdtemp(prefix="machine-"))
        self._child: Child | None = None
        self._init = 0

    def run(self, *command: str) -> str:
        """Run something in the machine; what it prints on stdout. Raises AssertionError if it fails."""
        done = self.try_to_run(*command)
        if done.returncode != 0:
            journal = self.try_to_run("journalctl", "--boot", "--no-pager", "--lines=60").stdout
            said = f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            raise AssertionError(f"{said}\nThe machine's journal ends:\n{journal}")
        return done.stdout

    def try_to_run(self, *command: str) -> subprocess.CompletedProcess[str]:
        inside = ["nsenter", f"--target={self._init}", "--all", "--wdns=/", "--", *command]
        # The system's own programs, whatever this process was started with.
        variables = {**os.environ, "PATH": _PATH}
        return subprocess.run(
            inside, env=variables, capture_output=True, text=True, timeout=_DONE_WITHIN_S, check=False
        )

    def show(self, unit: str, *properties: str) -> list[str]:
        """The values of a unit's properties, in this order."""
        return [self.run("systemctl", "show", "--value", f"--property={name}", unit).strip() for name in properties]

    def __enter__(self) -> Self:
        binds = [str(REPOSITORY), sys.base_prefix, str(self._files)]
        boot: Sequence[str] = ["unshare", "--mount", "bash", "-c", _BOOT, "boot", str(self._folder), *binds]
        self._child = spawn("machine", boot)
        try:
            self._init = wait_until(self._find_init, _BOOTED_WITHIN_S, what="systemd is there")
            wait_until(self._is_up, _BOOTED_WITHIN_S, what="the machine is up")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._child is not None
        # Its own way to be told to power off; the kill that may follow takes all in its namespaces along.
        with suppress(TimeoutError):
            self._child.terminate(_STOPPED_WITHIN_S)
        if self._init:
            with suppress(ProcessLookupError):
                os.kill(self._init, signal.SIGKILL)
        shutil.rmtree(self._folder)

    def _find_init(self) -> int:
        assert self._child is not None
        assert self._child.exit_code is None, self._child.log()
        for pid in Path(f"/proc/{self._child.pid}/task/{self._child.pid}/children").read_text().split():
            # One that has ended in the meantime was another.
            with suppress(FileNotFoundError, ProcessLookupError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                    return int(pid)
        return 0

    def _is_up(self) -> bool:
        return self.try_to_run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")
