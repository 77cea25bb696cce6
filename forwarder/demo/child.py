"""Child processes that never outlive their parent, whatever becomes of it."""

import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

# Runs between fork and the command proper. A `preexec_fn` would do the same in one process less, but Python code
# between fork and exec can deadlock as soon as the parent has threads, and Python warns about it.
_LAUNCHER = f"""
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent died first")
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Child:
    """One child process in a session of its own; what it prints is kept and can be read at any time."""

    def __init__(self, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
        """Starts it. `environment` is added to this process's own."""
        self.name = name
        # In memory, so there is nothing to clean up even after a SIGKILL of the parent.
        self._log = os.memfd_create(name)
        weakref.finalize(self, os.close, self._log)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            # A Ctrl-C in the terminal must reach the parent only: it decides who stops first.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._process.poll()

    def log(self) -> str:
        """All that it has printed so far."""
        return os.pread(self._log, os.fstat(self._log).st_size, 0).decode(errors="replace")

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join(self.log().splitlines()[-lines:])

    def say(self, line: str) -> None:
        """Write one line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it alone; does nothing once it has ended."""
        self._process.send_signal(number)

    def send_to_all(self, number: signal.Signals) -> None:
        """Send a signal to it and whatever it has started itself."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def wait(self, deadline_s: float) -> int:
        """Its exit code; raises TimeoutError if it still runs after so long."""
        try:
            return self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"{self.name} still runs after {deadline_s:g} s; its log ends:\n{self.log_tail()}"
            ) from None

    def terminate(self, deadline_s: float = 10.0) -> int:
        """SIGTERM, then SIGKILL after the deadline. Gives its exit code; harmless once it has ended."""
        if self.exit_code is None:
            self.send(signal.SIGTERM)
            self.send(signal.SIGCONT)
            with suppress(TimeoutError):
                self.wait(deadline_s)
        return self.kill()

    def kill(self) -> int:
        """SIGKILL for it and whatever it has started itself. Gives its exit code; harmless once it has ended."""
        self.send_to_all(signal.SIGKILL)
        code = self._process.wait()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.terminate()
