"""The thread of the spool: it turns what it is asked for into transactions, and survives whatever they meet."""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from queue import Empty, SimpleQueue

from forwarder.faults import RepeatingFault

from . import spool_format
from .spool_database import Database, PackedRow, SpoolInUse, pause
from .spool_format import DamagedRow
from .spool_jobs import Delete, Job, Open, Read, Refused, Stop, Write

log = logging.getLogger(__name__)

_TOGETHER_BYTES = 8 * 1024 * 1024
"""A transaction takes no more rows when they have so many bytes."""
_DELETED_TOGETHER = 64
"""Rows that one transaction deletes at most; the next write waits for it."""
_REST_S = 0.2
"""Space is given back when there was nothing else to do for so long."""
_RETRY_S = 2.0
"""How often it is tried whether the disk works again."""
_WHAT = _OPENED, _WRITTEN, _READ, _DELETED = "opened", "written", "read", "deleted from"
"""What may be impossible, in words for `problem`."""


class Worker:
    """The thread, and what it does. Nothing should end it but `Stop`."""

    def __init__(self, database: "Database", post: Callable[[Job, object], None], opening: Open) -> None:
        """`post` hands a job and its result to the event loop."""
        self.jobs: SimpleQueue[Job] = SimpleQueue()
        self.opening = opening
        self.problem = ""
        self.damaged_rows = 0
        self.working_since: float | None = None
        """When it began with what it does, by the monotonic clock; None while there is nothing to do."""
        self.died: BaseException | None = None
        """What ended it that should not have."""
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._database = database
        self._post = post
        self._ahead: deque[Job] = deque()
        """Taken from `jobs` and not yet looked at."""
        self._failed_attempt = 0
        self._to_delete: dict[int, None] = {}
        """Identifiers, in order."""
        self._freed = True
        """Whether there may be space to give back."""
        self._problems: dict[str, str] = {}
        self._faults = {
            what: RepeatingFault(log, f"the spool {database.path} can't be {what}", time.monotonic, logging.ERROR)
            for what in _WHAT
        }

    def start(self) -> None:
        """Open the database, and do what comes until told to stop. Raises RuntimeError when there is no thread."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it still does what comes."""
        return self._thread.is_alive()

    def refuse_until(self, attempt: int) -> None:
        """Write nothing more that was handed over with this attempt or an earlier one."""
        self._failed_attempt = max(self._failed_attempt, attempt)

    def undeleted(self) -> Iterator[int]:
        """What a thread that has died was to delete, and has not."""
        yield from self._to_delete
        while (job := self._next(0)) is not None:
            if isinstance(job, Delete):
                yield from job.identifiers

    def _run(self) -> None:
        try:
            if self._open():
                self._work()
        except BaseException as error:  # noqa: BLE001 - whoever looks after the thread finds it
            self.died = error
        finally:
            with contextlib.suppress(Exception):
                self._database.close()

    def _open(self) -> bool:
        """Whether the database is open: it is tried until it is, or until told to stop."""
        while True:
            self.working_since = time.monotonic()
            try:
                rows = self._database.open()
            except Exception as error:  # noqa: BLE001 - it is told, and the thread lives on
                self._database.close()
                in_use = isinstance(error, SpoolInUse)
                if in_use and self.opening.gives_up:
                    self._post(self.opening, error)
                    return False
                self.opening.gives_up = False
                self._fails(_OPENED, error)
                self._post(self.opening, error)
            else:
                self._works(_OPENED)
                self._post(self.opening, rows)
                return True
            if not self._refuse_for(_RETRY_S):
                return False

    def _refuse_for(self, seconds: float) -> bool:
        """Do nothing of what comes for a while; False when told to stop."""
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            match job := self._next(left_s):
                case Write():
                    self._refuse(job)
                case Read():
                    self._post(job, Refused())
                case Delete():
                    self._to_delete.update(dict.fromkeys(job.identifiers))
                case Stop():
                    self._post(job, None)
                    return False
                case _:
                    pass
        return True

    def _work(self) -> None:
        while True:
            job = self._next(self._patience())
            match job:
                case Read():
                    self._read(job)
                case Write() | Delete():
                    self._change(job)
                case Stop():
                    break
                case _:
                    self._use_the_rest()
        while self._to_delete and _DELETED not in self._problems:
            self._commit([], [])
        self._database.close()
        self._post(job, None)

    def _next(self, patience_s: float | None) -> Job | None:
        self.working_since = None
        job = self._ahead.popleft() if self._ahead else None
        if job is None:
            with contextlib.suppress(Empty):
                job = self.jobs.get(timeout=patience_s)
        self.working_since = time.monotonic()
        return job

    def _patience(self) -> float | None:
        """Seconds until there is something to do without being told."""
        if self._to_delete and _DELETED not in self._problems:
            return 0
        if self._problems:
            return _RETRY_S
        return _REST_S if self._freed else None

    def _use_the_rest(self) -> None:
        try:
            if self._to_delete:
                self._commit([], [])
            elif self._freed:
                self._freed = self._database.give_back()
            else:
                self._database.prove()
                self._works(*_WHAT)
        except Exception as error:  # noqa: BLE001 - the thread lives on
            self._fails(_WRITTEN, error)

    def _change(self, job: Job) -> None:
        """This write or delete, and those that follow it in the queue, in one transaction."""
        writes: list[Write] = []
        rows: list[PackedRow] = []
        size = 0
        error: Exception | None = None
        while True:
            if isinstance(job, Delete):
                self._to_delete.update(dict.fromkeys(job.identifiers))
            elif not isinstance(job, Write):
                self._ahead.append(job)
                break
            elif job.attempt <= self._failed_attempt:
                self._refuse(job)
            else:
                writes.append(job)
                self._to_delete.pop(job.identifier, None)
                try:
                    rows.append(_packed(job))
                except Exception as reason:  # noqa: BLE001 - it is told, and the thread lives on
                    error = reason
                    break
                size += len(rows[-1][-1])
            if size >= _TOGETHER_BYTES:
                break
            following = self._next(0)
            if following is None:
                break
            job = following
        self._commit(writes, rows, error)

    def _commit(self, writes: list[Write], rows: list[PackedRow], error: Exception | None = None) -> None:
        """Store rows and delete some of those that are to be; or refuse them all, for an earlier error or a new one."""
        deleted = list(islice(self._to_delete, _DELETED_TOGETHER))
        try:
            if error is not None:
                raise error
            if writes or deleted:
                self._database.change(rows, deleted)
        except Exception as reason:  # noqa: BLE001 - it is told, and the thread lives on
            self._fails(_WRITTEN if writes else _DELETED, reason)
            for write in writes:
                # When the end of a transaction fails, the row may be there all the same.
                self._to_delete[write.identifier] = None
                self._refuse(write)
            return
        for identifier in deleted:
            del self._to_delete[identifier]
        self._freed = self._freed or bool(deleted)
        if deleted:
            self._works(_DELETED)
        if writes:
            self._works(_WRITTEN)
        for write in writes:
            self._post(write, True)

    def _refuse(self, write: Write) -> None:
        self.refuse_until(write.attempt)
        self._post(write, Refused())

    def _read(self, job: Read) -> None:
        messages: object = None
        try:
            if job.identifier not in self._to_delete:
                messages = self._database.read(job.identifier)
            self._works(_READ)
        except DamagedRow as reason:
            self.damaged_rows += 1
            if self.damaged_rows == 1:
                text = "row %d of the spool %s is damaged: %s; any more are only counted"
                log.error(text, job.identifier, self._database.path, reason)
        except Exception as reason:  # noqa: BLE001 - it is told, and the thread lives on
            self._fails(_READ, reason)
            messages = Refused()
        self._post(job, messages)

    def _fails(self, what: str, reason: Exception) -> None:
        self._faults[what].occurred(reason)
        self._problems[what] = f"the spool {self._database.path} can't be {what}: {reason}"
        self.problem = "; ".join(self._problems.values())

    def _works(self, *what: str) -> None:
        for each in what:
            if self._problems.pop(each, None) is not None:
                self._faults[each].over()
                self.problem = "; ".join(self._problems.values())


def _packed(job: Write) -> PackedRow:
    count = len(job.messages)
    label = spool_format.label(job.identifier, job.broker, job.topic, count)
    return job.identifier, job.broker, job.topic, count, spool_format.pack(job.messages, label, pause)
