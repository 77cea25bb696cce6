"""A terminal for a command: a real one to the command, of which a test sees the screen."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Self

import pyte

_UNSET = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")


class TerminalCommand:
    """A command whose input, output and errors are a terminal, unless `stdout` says where its answers go."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 100,
        lines: int = 30,
        stdout: IO[bytes] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        self.raw = b""
        """All that has come."""
        self._set_size(columns, lines)
        self._before = termios.tcgetattr(slave)
        inherited = {name: value for name, value in os.environ.items() if name not in _UNSET}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=slave,
                stdout=stdout or slave,
                stderr=slave,
                start_new_session=True,
                # Else nobody would get SIGINT for Ctrl-C, and SIGWINCH.
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                env={**inherited, "TERM": "xterm-256color", **(environment or {})},
            )
        finally:
            os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        if error is not None:
            error.add_note("On the screen:\n" + "\n".join(self.screen))
        os.close(self._master)

    @property
    def screen(self) -> list[str]:
        """Its lines as they are now, without blanks at their ends."""
        self._read()
        return [line.rstrip() for line in self._screen.display]

    @property
    def shows_cursor(self) -> bool:
        self._read()
        return not self._screen.cursor.hidden

    @property
    def is_as_before(self) -> bool:
        """Whether it echoes and so on as it did when the command was started."""
        return termios.tcgetattr(self._master) == self._before

    @property
    def exit_code(self) -> int | None:
        self._read()
        return self._process.poll()

    def shows(self, text: str) -> bool:
        return any(text in line for line in self.screen)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        self._read()
        self._screen.resize(lines, columns)
        self._set_size(columns, lines)

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _read(self) -> None:
        while select.select([self._master], [], [], 0)[0]:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                # So a terminal ends on Linux when nobody has it any more.
                return
            self.raw += data
            self._stream.feed(data)
