"""The thread of the spool: it turns what it is asked for into transactions, and survives whatever they meet."""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from forwarder.faults import RepeatingFault
from forwarder.model import Message

from . import spool_format
from .spool_database import Database, PackedRow, pause
from .spool_format import DamagedRow

log = logging.getLogger(__name__)

_TOGETHER_BYTES = 8 * 1024 * 1024
"""A transaction takes no more rows when they have so many bytes."""
_DELETED_TOGETHER = 64
"""Rows that one transaction deletes at most; the next write waits for it."""
_REST_S = 0.2
"""Space is given back when there was nothing else to do for so long."""
_RETRY_S = 2.0
"""How often it is tried whether the disk works again."""
_WHAT = _WRITTEN, _READ, _DELETED = "written", "read", "deleted from"
"""What may be impossible, in words for `problem`."""


@dataclass(frozen=True, slots=True)
class Write:
    identifier: int
    broker: str
    topic: str
    messages: list[Message]
    done: Callable[[bool], None]
    attempt: int
    """Grows when the caller is told of a failure: what was handed over before that fails with it."""


@dataclass(frozen=True, slots=True)
class Read:
    identifier: int
    got: Callable[[list[Message] | None], None]


@dataclass(frozen=True, slots=True)
class Delete:
    identifiers: list[int]


@dataclass(frozen=True, slots=True)
class Stop:
    closed: Callable[[object], None]


Job: TypeAlias = Write | Read | Delete | Stop


@dataclass(frozen=True, slots=True)
class Refused:
    """The result of a write that failed."""

    attempt: int


class Worker:
    """What the thread does. Nothing ends it but `Stop`."""

    def __init__(self, database: "Database", post: Callable[[Callable[[Any], None], object], None]) -> None:
        """`post` hands a callback and its argument to the event loop."""
        self.jobs: SimpleQueue[Job] = SimpleQueue()
        self.problem = ""
        self.damaged_rows = 0
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

    def run(self, opened: Callable[[object], None]) -> None:
        """Open, and do what comes until told to stop. `opened` is told the rows, or why it can't be opened."""
        try:
            rows = self._database.open()
        except Exception as error:  # noqa: BLE001 - it is raised in the event loop
            self._database.close()
            self._post(opened, error)
            return
        self._post(opened, rows)
        while True:
            job = self._next(self._patience())
            match job:
                case None:
                    self._use_the_rest()
                case Read():
                    self._read(job)
                case Write() | Delete():
                    self._change(job)
                case Stop():
                    break
        while self._to_delete and _DELETED not in self._problems:
            self._commit([], [])
        self._database.close()
        self._post(job.closed, None)

    def _next(self, patience_s: float | None) -> Job | None:
        if self._ahead:
            return self._ahead.popleft()
        try:
            return self.jobs.get(timeout=patience_s)
        except Empty:
            return None

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
                self._post(job.done, Refused(job.attempt))
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
                self._failed_attempt = write.attempt
                self._post(write.done, Refused(write.attempt))
            return
        for identifier in deleted:
            del self._to_delete[identifier]
        self._freed = self._freed or bool(deleted)
        if deleted:
            self._works(_DELETED)
        if writes:
            self._works(_WRITTEN)
        for write in writes:
            self._post(write.done, True)

    def _read(self, job: Read) -> None:
        messages = None
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
        self._post(job.got, messages)

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
