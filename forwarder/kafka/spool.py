"""Messages that wait on disk: rows of an SQLite database that one thread reads and writes.

`Spool` is what the event loop sees: every call returns at once, and the results come back in the order of the calls.
`Worker` (spool_worker.py) runs in the thread and turns calls into transactions. `Database` (spool_database.py) is the
file. What the thread does in Python it does in pieces with pauses between, because the event loop waits for the
interpreter's lock meanwhile.
"""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from forwarder.model import Message

from .spool_database import Database, SpoolInUse, SpoolUnavailable, StoredRow
from .spool_worker import Delete, Read, Refused, Stop, Worker, Write

__all__ = ["Spool", "SpoolInUse", "SpoolUnavailable", "StoredRow"]

log = logging.getLogger(__name__)


class Spool:
    """The rows of one directory. All methods and callbacks belong to the event loop; nothing waits for the disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._worker: Worker | None = None
        self._accepts = False
        self._attempt = 1
        self._refused_at_end = False
        self._results: deque[tuple[Callable[[Any], None], object]] = deque()
        self._awake = False

    @property
    def problem(self) -> str:
        """Why the last operation has failed, for people; empty when all is well."""
        return self._worker.problem if self._worker else ""

    @property
    def damaged_rows(self) -> int:
        """Rows whose bytes were not what was written; damage to the file as a whole is not in it."""
        return self._worker.damaged_rows if self._worker else 0

    async def open(self) -> list[StoredRow]:
        """The rows of earlier runs, oldest first. Raises SpoolInUse or SpoolUnavailable."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[list[StoredRow]] = loop.create_future()
        worker = self._worker = Worker(Database(self._directory), partial(self._post, loop))
        threading.Thread(target=worker.run, args=(partial(_settle, opened),), name="spool", daemon=True).start()
        try:
            rows = await opened
        except asyncio.CancelledError:
            worker.jobs.put(Stop(_ignore))
            raise
        except Exception:
            self._worker = None
            raise
        self._accepts = True
        return rows

    def write(
        self, identifier: int, broker: str, topic: str, messages: list[Message], done: Callable[[bool], None]
    ) -> None:
        """Store messages, which nobody may change until `done` says whether they are on disk.

        When they could not be written, neither is anything that was handed over until then.
        """
        if self._worker and self._accepts:
            self._worker.jobs.put(Write(identifier, broker, topic, messages, done, self._attempt))
        else:
            asyncio.get_running_loop().call_soon(done, False)

    def read(self, identifier: int, got: Callable[[list[Message] | None], None]) -> None:
        """The messages of a row. None: it is damaged or gone, or, when there is a `problem`, can't be read now."""
        if self._worker and self._accepts:
            self._worker.jobs.put(Read(identifier, got))
        else:
            asyncio.get_running_loop().call_soon(got, None)

    def delete(self, identifiers: Iterable[int]) -> None:
        """Forget rows; when the disk doesn't work, that is tried again until it does."""
        if self._worker and self._accepts:
            self._worker.jobs.put(Delete(list(identifiers)))

    async def close(self, timeout_s: float) -> bool:
        """Finish and end the thread; whether everything that was handed over is on disk.

        When the time is over the thread goes on as long as the process lives.
        """
        if not self._worker or not self._accepts:
            return True
        self._accepts = False
        closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._worker.jobs.put(Stop(partial(_settle, closed)))
        try:
            async with asyncio.timeout(timeout_s):
                await closed
        except TimeoutError:
            return False
        return not self._refused_at_end

    def _post(self, loop: asyncio.AbstractEventLoop, callback: Callable[[Any], None], result: object) -> None:
        """Called in the thread."""
        if isinstance(result, Refused):
            callback = partial(self._refuse, callback)
        self._results.append((callback, result))
        # Appended before the flag is read, which is cleared before the first is taken: no result is left lying.
        if not self._awake:
            self._awake = True
            with contextlib.suppress(RuntimeError):  # the loop has closed, and nobody waits for it any more
                loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._awake = False
        while self._results:
            callback, result = self._results.popleft()
            try:
                callback(result)
            except Exception:
                log.exception("what was told about the spool has not been understood")

    def _refuse(self, done: Callable[[bool], None], refused: "Refused") -> None:
        self._attempt = max(self._attempt, refused.attempt + 1)
        self._refused_at_end |= not self._accepts
        done(False)


def _settle(future: "asyncio.Future[Any]", outcome: object) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _ignore(_: object) -> None:
    pass
