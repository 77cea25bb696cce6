"""Messages that wait on disk: rows of an SQLite database that one thread reads and writes.

`Spool` is what the event loop sees: every call returns at once, and the results come back in the order of the calls.
`Worker` (spool_worker.py) runs in the thread and turns calls into transactions. `Database` (spool_database.py) is the
file. What the thread does in Python it does in pieces with pauses between, because the event loop waits for the
interpreter's lock meanwhile.

The thread is watched: one that hangs with the disk is handed nothing more, and one that dies is followed by another.
Whatever it was asked for, each callback is called once.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from queue import Empty
from typing import Any

from forwarder.faults import RepeatingFault
from forwarder.forever import Ended
from forwarder.model import Message
from forwarder.pulse import Pulse

from .spool_database import Database, SpoolInUse, SpoolUnavailable, StoredRow
from .spool_jobs import Delete, Job, Open, Read, Refused, Stop, Write
from .spool_worker import Worker

__all__ = ["Spool", "SpoolInUse", "SpoolUnavailable", "StoredRow"]

log = logging.getLogger(__name__)

_LOOK_S = 0.5
"""How often it is looked whether the thread gets on."""
HANGS_S = 5.0
"""How long one job may take before nothing more is handed over; some, like saving a damaged file, do take longer."""


class Spool:
    """The rows of one directory. All methods and callbacks belong to the event loop; nothing waits for the disk."""

    def __init__(
        self,
        directory: Path,
        found: Callable[[list[StoredRow]], None] | None = None,
        database: Callable[[Path], Database] = Database,
    ) -> None:
        """`found` is called with the rows of earlier runs when these could not be read at once."""
        self.pulse = Pulse()
        self._directory = directory
        self._found = found
        self._make_database = database
        self._worker: Worker | None = None
        self._first: asyncio.Future[list[StoredRow]] | None = None
        """Who waits for the first outcome of opening it."""
        self._ends = False
        """Whether the thread is told to end."""
        self._attempt = 1
        self._refused_at_end = False
        self._unanswered: dict[int, Job] = {}
        """By identity, in the order of the calls."""
        self._results: deque[tuple[Job, object]] = deque()
        self._awake = False
        self._in_doubt: list[int] = []
        """Rows to be deleted by the next thread, those that were being written when one died among them."""
        self._silent = ""
        """Why the thread does not answer; empty while it does."""
        self._hangs = RepeatingFault(log, f"the spool in {directory} hangs", time.monotonic, logging.ERROR)

    @property
    def problem(self) -> str:
        """Why the last operation has failed, for people; empty when all is well."""
        return self._silent or (self._worker.problem if self._worker else "")

    @property
    def answers(self) -> bool:
        """False while the thread hangs with the disk."""
        return not self._silent

    @property
    def damaged_rows(self) -> int:
        """Rows whose bytes were not what was written; damage to the file as a whole is not in it."""
        return self._worker.damaged_rows if self._worker else 0

    async def open(self, timeout_s: float = HANGS_S) -> list[StoredRow]:
        """The rows of earlier runs, oldest first.

        Raises SpoolInUse; and SpoolUnavailable when the disk does not work, or not in time. Then it is tried again
        until it works, and `found` is told.
        """
        first = self._first = asyncio.get_running_loop().create_future()
        try:
            worker = self._start(Open(gives_up=True))
        except RuntimeError as error:
            raise SpoolUnavailable(f"the spool in {self._directory} gets no thread: {error}") from error
        try:
            async with asyncio.timeout(timeout_s):
                return await first
        except TimeoutError:
            worker.opening.gives_up = False
            self._hang(worker, f"it could not be opened within {timeout_s:g} s")
            raise SpoolUnavailable(self._silent) from None
        except SpoolInUse:
            self._worker = None
            raise
        except asyncio.CancelledError:
            self._ends = True
            worker.jobs.put(Stop(_ignore))
            raise

    async def run(self) -> None:
        """Watch the thread until cancelled. Raises Ended when it has died; called again, it starts another one."""
        while not self._ends:
            worker = self._worker
            if worker is None or not worker.is_alive():
                worker = self._start_again(worker)
            await self.pulse.sleep(_LOOK_S)
            if not self._ends:
                self._look(worker)
        await self.pulse.rest()

    def write(
        self, identifier: int, broker: str, topic: str, messages: list[Message], done: Callable[[bool], None]
    ) -> None:
        """Store messages, which nobody may change until `done` says whether they are on disk.

        When they could not be written, neither is anything that was handed over until then.
        """
        if not self._ask(Write(identifier, broker, topic, messages, done, self._attempt)):
            asyncio.get_running_loop().call_soon(done, False)

    def read(self, identifier: int, got: Callable[[list[Message] | None], None], failed: Callable[[], None]) -> None:
        """Call `got` with the messages of a row, None when it is damaged or gone, or `failed` when it can't be read."""
        if not self._ask(Read(identifier, got, failed)):
            asyncio.get_running_loop().call_soon(failed)

    def delete(self, identifiers: Iterable[int]) -> None:
        """Forget rows; when the disk doesn't work, that is tried again until it does."""
        if self._ends:
            return
        if self._worker is None:
            self._in_doubt += identifiers
        else:
            self._worker.jobs.put(Delete(list(identifiers)))

    async def close(self, timeout_s: float) -> bool:
        """Finish and end the thread; whether everything that was handed over is on disk.

        When the time is over the thread goes on as long as the process lives.
        """
        worker = self._worker
        if worker is None or self._ends:
            return True
        self._ends = True
        closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ask_for(worker, Stop(partial(_settle, closed)))
        try:
            async with asyncio.timeout(timeout_s):
                while worker.is_alive() and not closed.done():
                    await asyncio.wait([closed], timeout=_LOOK_S)
        except TimeoutError:
            return False
        # The last results of a thread that has just ended may not have come yet.
        self._deliver()
        return closed.done() and not self._refused_at_end

    def _ask(self, job: Job) -> bool:
        """Hand a job over; False if the thread does not take it now."""
        if self._worker is None or self._ends or self._silent:
            return False
        self._ask_for(self._worker, job)
        return True

    def _ask_for(self, worker: Worker, job: Job) -> None:
        self._unanswered[id(job)] = job
        worker.jobs.put(job)

    def _start(self, opening: Open) -> Worker:
        post = partial(self._post, asyncio.get_running_loop())
        worker = Worker(self._make_database(self._directory), post, opening)
        worker.start()
        self._worker = worker
        return worker

    def _start_again(self, dead: Worker | None) -> Worker:
        if dead is not None:
            # Taken over first: there may be no thread to be had now.
            self._in_doubt += dead.undeleted()
            self._worker = None
        worker = self._start(Open(gives_up=False))
        # Rows of which nobody knows whether they are on disk must not come back after a restart.
        worker.jobs.put(Delete(self._in_doubt[:]))
        self._in_doubt.clear()
        self._silent = ""
        return worker

    def _look(self, worker: Worker) -> None:
        """See whether the thread lives and gets on."""
        if not worker.is_alive():
            self._silent = f"the thread of the spool in {self._directory} has died: {worker.died!r}"
            self._deliver()
            for job in list(self._unanswered.values()):
                if isinstance(job, Write):
                    self._in_doubt.append(job.identifier)
                self._refuse(job)
            raise Ended(self._silent) from worker.died
        since = worker.working_since
        if since is not None and time.monotonic() - since > HANGS_S:
            if not self._silent:
                self._hang(worker, f"it has not answered for {HANGS_S:g} s")
        elif self._silent:
            self._silent = ""
            self._hangs.over()

    def _hang(self, worker: Worker, why: str) -> None:
        """Take back what the thread has not begun with, so that it stays in memory where it can be sent."""
        self._silent = f"the spool in {self._directory} hangs: {why}"
        self._hangs.occurred(why)
        worker.refuse_until(self._attempt)
        self._attempt += 1
        kept: list[Job] = []
        with contextlib.suppress(Empty):
            while True:
                job = worker.jobs.get_nowait()
                if isinstance(job, (Write, Read)):
                    self._refuse(job)
                else:
                    kept.append(job)
        for job in kept:
            worker.jobs.put(job)

    def _post(self, loop: asyncio.AbstractEventLoop, job: Job, result: object) -> None:
        """Called in the thread."""
        self._results.append((job, result))
        # Appended before the flag is read, which is cleared before the first is taken: no result is left lying.
        if not self._awake:
            self._awake = True
            with contextlib.suppress(RuntimeError):  # the loop has closed, and nobody waits for it any more
                loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._awake = False
        while self._results:
            job, result = self._results.popleft()
            if isinstance(result, Refused):
                self._refuse(job)
            elif isinstance(job, Open):
                self._opened(result)
            elif self._unanswered.pop(id(job), None) is not None:
                _call(job.tell, result)

    def _opened(self, outcome: object) -> None:
        first, self._first = self._first, None
        if first is not None and not first.done():
            _settle(first, outcome)
            if not isinstance(outcome, Exception):
                self._found = None
        elif self._found is not None and isinstance(outcome, list):
            found, self._found = self._found, None
            found(outcome)

    def _refuse(self, job: Job) -> None:
        if self._unanswered.pop(id(job), None) is None:
            return
        self._refused_at_end |= self._ends
        if isinstance(job, Write):
            self._attempt = max(self._attempt, job.attempt + 1)
            _call(job.tell, False)
        elif isinstance(job, Read):
            _call(job.failed)


def _call(callback: Callable[..., object], *result: object) -> None:
    try:
        callback(*result)
    except Exception:
        log.exception("what was told about the spool has not been understood")


def _settle(future: "asyncio.Future[Any]", outcome: object) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _ignore(_: object) -> None:
    pass
