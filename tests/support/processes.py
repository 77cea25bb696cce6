"""Servers that tests start, freeze, kill and start again."""

import os
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from forwarder.demo.child import Child
from tests.support.waiting import wait_until

_STOPPED = "TZX"
"""States of a thread that does nothing: stopped, or ended."""

started: list[Child] = []
"""All children since the list was last cleared; their logs are shown when a test fails."""


def spawn(name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Child:
    """Start a child that dies with this process at the latest."""
    child = Child(name, command, environment=environment)
    started.append(child)
    return child


def without_real_time(command: Sequence[str]) -> list[str]:
    """The command, so that EPICS's threads can't take real-time priority and starve all else on a small machine."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return list(command)
    return ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice", *command]


def children() -> set[int]:
    """The process ids of this process's children, those included that have ended and were not waited for."""
    me = str(os.getpid())
    return {int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if _parent(stat) == me}


def _parent(stat: Path) -> str | None:
    try:
        # The name in brackets may hold blanks and brackets itself; after the last one come state and parent.
        return stat.read_text().rpartition(")")[2].split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return None


def _is_stopped(pid: int) -> bool:
    """Whether every thread is."""
    try:
        stats = [stat.read_text() for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    except (FileNotFoundError, ProcessLookupError):
        # One has just ended.
        return False
    return all(stat.rpartition(")")[2].split()[0] in _STOPPED for stat in stats)


class Server:
    """A server in a process of its own. It runs from `start` (or `with`) until `stop` or `kill`, as often as wanted."""

    def __init__(self) -> None:
        self._child: Child | None = None

    def _launch(self) -> Child:
        """Start the process."""
        raise NotImplementedError

    def _wait_until_ready(self, child: Child) -> None:
        """Return as soon as it serves; raise TimeoutError if it doesn't."""
        raise NotImplementedError

    @property
    def runs(self) -> bool:
        return self._child is not None and self._child.exit_code is None

    @property
    def child(self) -> Child:
        """The process that was started last."""
        if self._child is None:
            raise RuntimeError(f"{type(self).__name__} was never started")
        return self._child

    @property
    def pid(self) -> int:
        return self.child.pid

    def start(self) -> None:
        """Returns when it serves, at the same address and with the same data as before."""
        if self.runs:
            raise RuntimeError(f"{self.child.name} runs already")
        self._child = self._launch()
        try:
            self._wait_until_ready(self._child)
        except BaseException as error:
            self._child.kill()
            error.add_note(f"The log of {self._child.name} ends:\n{self._child.log_tail()}")
            raise

    def stop(self) -> int:
        """Ask it to end, and make it end after a while. Gives its exit code."""
        return self.child.terminate()

    def kill(self) -> None:
        """End it without any warning, as a power cut would."""
        self.child.kill()

    def freeze(self) -> None:
        """Let it hang: its sockets stay open and nothing answers."""
        self.child.send_to_all(signal.SIGSTOP)
        # On a busy machine, a thread that runs just now may answer once more.
        wait_until(lambda: _is_stopped(self.pid), what=f"{self.child.name} hangs")

    def thaw(self) -> None:
        self.child.send_to_all(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


shared: set[Server] = set()
"""Those that outlive a test: each may break and start them again, under another process id."""


@contextmanager
def to_share(server: Server) -> Iterator[None]:
    """From now on, this is no server that a test has forgotten."""
    shared.add(server)
    try:
        yield
    finally:
        shared.discard(server)


def forgotten(before: set[int]) -> set[int]:
    """Children that were not there before, and that no other test is to have."""
    return children() - before - {server.pid for server in shared if server.runs}
