"""A forwarder whose event loop is watched: `python -m tests.support.watched_forwarder FILE run ...`.

At its end FILE has, as JSON, when each look at the loop was due by the system's monotonic clock and by how much it was
late, in seconds, and what work of the spool was done in the thread of the loop.
"""

import asyncio
import json
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from forwarder.cli import main
from forwarder.kafka import spool_format
from forwarder.service import Service

_LOOK_S = 0.001


class _Watch:
    def __init__(self) -> None:
        self.looks: list[tuple[float, float]] = []
        self.in_the_loop: set[str] = set()

    async def run(self) -> None:
        while True:
            due = time.monotonic() + _LOOK_S
            await asyncio.sleep(_LOOK_S)
            self.looks.append((due, time.monotonic() - due))

    def save(self, file: Path) -> None:
        file.write_text(json.dumps({"looks": self.looks, "in the loop": sorted(self.in_the_loop)}))

    def note(self, name: str) -> None:
        """Something is done in this thread."""
        if threading.current_thread() is threading.main_thread():
            self.in_the_loop.add(name)

    def noting(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **kwargs: Any) -> Any:
            self.note(name)
            return function(*args, **kwargs)

        return noted


def _watch_to(file: Path) -> None:
    watch = _Watch()
    run = Service.run

    async def run_watched(self: Service) -> int:
        watching = asyncio.create_task(watch.run())
        try:
            return await run(self)
        finally:
            watching.cancel()
            watch.save(file)

    class Connection(sqlite3.Connection):
        def execute(self, *args: Any) -> sqlite3.Cursor:
            watch.note("sqlite3")
            return super().execute(*args)

    Service.run = run_watched
    for name in ("pack", "unpack", "check"):
        setattr(spool_format, name, watch.noting(name, getattr(spool_format, name)))
    sqlite3.connect = partial(sqlite3.connect, factory=Connection)


if __name__ == "__main__":
    _watch_to(Path(sys.argv.pop(1)))
    main()
