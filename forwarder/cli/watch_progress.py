"""How far `forwarder watch` has come, where no answers stand in the way: in a bar if there is an end."""

import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from ..tools.following import Following
from ..tools.sighting import Tally
from .terminal import Terminal, count_of
from .watch_options import Options

_LONG_S = 1.0
"""What ends sooner needs no bar."""


class Progress:
    """Shown from `with` on, as it is each time that `show` is called."""

    def __init__(self, terminal: Terminal, following: Following, tally: Tally, options: Options) -> None:
        self._terminal = terminal
        self._following = following
        self._tally = tally
        self._options = options
        self._shown = ExitStack()
        self._has_end = options.until_end or options.count is not None
        # A bar among lines that come would be torn by each of them.
        self._is_seen = options.quiet or not terminal.is_read_live

    def __enter__(self) -> Self:
        self._begin = time.monotonic()
        if self._has_end:
            self._bar = self._shown.enter_context(self._terminal.progress("reading", "messages"))
        elif self._options.quiet:
            self._say = self._shown.enter_context(self._terminal.waiting("reading"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._shown.close()

    def show(self) -> None:
        if not self._has_end:
            if self._options.quiet:
                self._say(count_of(self._tally.messages, "message"))
        elif self._is_seen and time.monotonic() - self._begin > _LONG_S and (ends := self._ends()):
            self._bar(*max(ends, key=lambda end: end[0] / end[1]))

    def _ends(self) -> list[tuple[int, int]]:
        """Done, and of how many, for each end that it may come to first."""
        ends: list[tuple[int, int]] = []
        if self._options.count is not None:
            ends.append((self._tally.messages, self._options.count))
        if self._options.until_end and self._following.known:
            ends.append((self._following.read, self._following.known))
        return ends
