"""Messages that wait on disk: rows of an SQLite database that one thread reads and writes.

`Spool` is what the event loop sees: every call returns at once, and the results come back in the order of the calls.
`_Worker` runs in the thread and turns calls into transactions. `_Database` is the file. What the thread does in Python
it does in pieces with pauses between, because the event loop waits for the interpreter's lock meanwhile.
"""

import asyncio
import contextlib
import logging
import os
import platform
import shutil
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count, islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

from forwarder.errors import ForwarderError
from forwarder.faults import RepeatingFault
from forwarder.model import Message

from . import spool_format
from .spool_format import DamagedRow

log = logging.getLogger(__name__)

_MIB = 1024 * 1024
_PAGE_BYTES = 32 * 1024
"""Rows are large: with SQLite's 4 KiB, giving space back takes 60 times as long, it searches lists of free pages."""
_WAL_PAGES = 512
"""The write-ahead log is copied to the database when it has so many pages, 16 MiB."""
_WAL_MAX_BYTES = 32 * _MIB
"""To this size the log is cut when it has grown beyond, for a large row."""
_CACHE_BYTES = 8 * _MIB
_AMPLE_BYTES = 128 * _MIB
"""With so much free disk space nothing need be known about the write-ahead log."""
_RESERVE_BYTES = 8 * _MIB
"""Disk space that writing leaves free: deleting writes to the log, too, and must be possible when the disk is full."""
_TOGETHER_BYTES = 8 * _MIB
"""A transaction takes no more rows when they have so many bytes."""
_DELETED_TOGETHER = 64
"""Rows that one transaction deletes at most; the next write waits for it."""
_SPARE_PAGES = 256
"""So many free pages, 8 MiB, are kept for the next rows when all others are given back."""
_MANY_SPARE_PAGES = 2048
"""With fewer free pages, 64 MiB, nothing is moved to give them back while there are rows."""
_REST_S = 0.2
"""Space is given back when there was nothing else to do for so long."""
_RETRY_S = 2.0
"""How often it is tried whether the disk works again."""
_SALVAGE_S = 10.0
"""Rows are saved from a damaged file for so long; what is written meanwhile waits in memory."""
_PAUSE_S = 100e-6
"""Any real sleep hands the interpreter's lock over; sleep(0) takes it back before the other thread is awake."""
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_WHAT = _WRITTEN, _READ, _DELETED = "written", "read", "deleted from"
"""What may be impossible, in words for `problem`."""
_LAYOUT = 1
_TABLE = (
    "CREATE TABLE IF NOT EXISTS rows"
    " (identifier INTEGER PRIMARY KEY, broker TEXT NOT NULL, topic TEXT NOT NULL, count INTEGER NOT NULL, data BLOB)"
)

_T = TypeVar("_T")


class SpoolInUse(ForwarderError):
    """Another process has the directory; the message names both."""

    retry = True


class SpoolUnavailable(ForwarderError):
    """The directory can't be used: it is not writable, or the disk is full."""

    retry = True


@dataclass(frozen=True, slots=True)
class StoredRow:
    """Messages of one topic, in order, on disk."""

    identifier: int
    """Grows from row to row."""
    broker: str
    """Name of the cluster in the outbox; empty for the default one."""
    topic: str
    count: int
    """Messages in it."""
    size: int
    """Bytes on disk."""


@dataclass(frozen=True, slots=True)
class _Write:
    identifier: int
    broker: str
    topic: str
    messages: list[Message]
    done: Callable[[bool], None]
    attempt: int
    """Grows when the caller is told of a failure: what was handed over before that fails with it."""


@dataclass(frozen=True, slots=True)
class _Read:
    identifier: int
    got: Callable[[list[Message] | None], None]


@dataclass(frozen=True, slots=True)
class _Delete:
    identifiers: list[int]


@dataclass(frozen=True, slots=True)
class _Stop:
    closed: Callable[[object], None]


_Job: TypeAlias = _Write | _Read | _Delete | _Stop
_PackedRow: TypeAlias = tuple[int, str, str, int, bytearray]
"""Identifier, broker, topic, count, bytes."""
_StoredBytes: TypeAlias = tuple[int, str, str, int, bytes]
"""The same as it is read."""


class Spool:
    """The rows of one directory. All methods and callbacks belong to the event loop; nothing waits for the disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._worker: _Worker | None = None
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
        worker = self._worker = _Worker(_Database(self._directory), partial(self._post, loop))
        threading.Thread(target=worker.run, args=(partial(_settle, opened),), name="spool", daemon=True).start()
        try:
            rows = await opened
        except asyncio.CancelledError:
            worker.jobs.put(_Stop(_ignore))
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
            self._worker.jobs.put(_Write(identifier, broker, topic, messages, done, self._attempt))
        else:
            asyncio.get_running_loop().call_soon(done, False)

    def read(self, identifier: int, got: Callable[[list[Message] | None], None]) -> None:
        """The messages of a row. None: it is damaged or gone, or, when there is a `problem`, can't be read now."""
        if self._worker and self._accepts:
            self._worker.jobs.put(_Read(identifier, got))
        else:
            asyncio.get_running_loop().call_soon(got, None)

    def delete(self, identifiers: Iterable[int]) -> None:
        """Forget rows; when the disk doesn't work, that is tried again until it does."""
        if self._worker and self._accepts:
            self._worker.jobs.put(_Delete(list(identifiers)))

    async def close(self, timeout_s: float) -> bool:
        """Finish and end the thread; whether everything that was handed over is on disk.

        When the time is over the thread goes on as long as the process lives.
        """
        if not self._worker or not self._accepts:
            return True
        self._accepts = False
        closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._worker.jobs.put(_Stop(partial(_settle, closed)))
        try:
            async with asyncio.timeout(timeout_s):
                await closed
        except TimeoutError:
            return False
        return not self._refused_at_end

    def _post(self, loop: asyncio.AbstractEventLoop, callback: Callable[[Any], None], result: object) -> None:
        """Called in the thread."""
        if isinstance(result, _Refused):
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

    def _refuse(self, done: Callable[[bool], None], refused: "_Refused") -> None:
        self._attempt = max(self._attempt, refused.attempt + 1)
        self._refused_at_end |= not self._accepts
        done(False)


@dataclass(frozen=True, slots=True)
class _Refused:
    """The result of a write that failed."""

    attempt: int


class _Worker:
    """What the thread does. Nothing ends it but `_Stop`."""

    def __init__(self, database: "_Database", post: Callable[[Callable[[Any], None], object], None]) -> None:
        """`post` hands a callback and its argument to the event loop."""
        self.jobs: SimpleQueue[_Job] = SimpleQueue()
        self.problem = ""
        self.damaged_rows = 0
        self._database = database
        self._post = post
        self._ahead: deque[_Job] = deque()
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
                case _Read():
                    self._read(job)
                case _Write() | _Delete():
                    self._change(job)
                case _Stop():
                    break
        while self._to_delete and _DELETED not in self._problems:
            self._commit([], [])
        self._database.close()
        self._post(job.closed, None)

    def _next(self, patience_s: float | None) -> _Job | None:
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

    def _change(self, job: _Job) -> None:
        """This write or delete, and those that follow it in the queue, in one transaction."""
        writes: list[_Write] = []
        rows: list[_PackedRow] = []
        size = 0
        error: Exception | None = None
        while True:
            if isinstance(job, _Delete):
                self._to_delete.update(dict.fromkeys(job.identifiers))
            elif not isinstance(job, _Write):
                self._ahead.append(job)
                break
            elif job.attempt <= self._failed_attempt:
                self._post(job.done, _Refused(job.attempt))
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

    def _commit(self, writes: list[_Write], rows: list[_PackedRow], error: Exception | None = None) -> None:
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
                self._post(write.done, _Refused(write.attempt))
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

    def _read(self, job: _Read) -> None:
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


class _Database:
    """The file. It is opened when it is needed, and a damaged one is replaced."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "spool.db"
        self._directory = directory
        self._owner = directory / "spool.owner"
        self._lock: sqlite3.Connection | None = None
        self._connection: sqlite3.Connection | None = None

    def open(self) -> list[StoredRow]:
        """Lock the directory and list the rows. Raises ForwarderError."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            return self._mending(self._rows)
        except (sqlite3.Error, OSError) as error:
            if _code(error) == sqlite3.SQLITE_BUSY:
                raise SpoolInUse(f"the spool {self.path} is in use by a program that looks into it") from error
            raise SpoolUnavailable(f"the spool in {self._directory} can't be used: {error}") from error

    def close(self) -> None:
        """Close the file and let others have the directory."""
        self._disconnect()
        if self._lock is not None:
            with contextlib.suppress(OSError):
                self._owner.unlink()
            self._lock.close()
            self._lock = None

    def change(self, rows: list[_PackedRow], deleted: list[int]) -> None:
        """Store and delete, all or nothing; it is on disk when this returns."""

        def change(connection: sqlite3.Connection) -> None:
            if rows:
                self._keep_reserve(connection, sum(len(row[-1]) for row in rows))
            with _transaction(connection):
                _insert(connection, rows)
                connection.executemany("DELETE FROM rows WHERE identifier = ?", [(each,) for each in deleted])

        self._mending(change)

    def read(self, identifier: int) -> list[Message] | None:
        """The messages of a row; None when there is no such row. Raises DamagedRow."""
        try:
            row = self._mending(partial(_row, identifier=identifier))
        except (sqlite3.Error, OSError):
            # What has failed is closed by now; perhaps a new connection helps.
            row = self._mending(partial(_row, identifier=identifier))
        return None if row is None else spool_format.unpack(row[-1], _label(row), _pause)

    def prove(self) -> None:
        """Write and read something, to see whether that works."""

        def prove(connection: sqlite3.Connection) -> None:
            self._keep_reserve(connection, 0)
            connection.execute(f"PRAGMA user_version = {_LAYOUT}")
            connection.execute("SELECT identifier FROM rows LIMIT 1").fetchall()

        self._mending(prove)

    def give_back(self) -> bool:
        """Shrink the file by some of its free pages; whether it should be called again."""
        return self._mending(_give_back)

    def _rows(self, connection: sqlite3.Connection) -> list[StoredRow]:
        # The size is told by the head of a row: its bytes are not read for that.
        query = "SELECT identifier, broker, topic, count, length(data) FROM rows ORDER BY identifier"
        return [
            StoredRow(identifier, str(broker), str(topic), count if isinstance(count, int) else 0, size or 0)
            for identifier, broker, topic, count, size in connection.execute(query)
        ]

    def _mending(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do work on the database; when that finds it damaged, do it on a new one."""
        try:
            return self._try(work)
        except sqlite3.Error as error:
            if _code(error) not in _DAMAGE and not isinstance(error, _OtherLayout):
                raise
            self._replace(error)
            return self._try(work)

    def _try(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return work(self._connected())
        except (sqlite3.Error, OSError) as error:
            if _code(error) != sqlite3.SQLITE_FULL:
                self._disconnect()
            raise

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            connection = _connect(self.path)
            try:
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        elif not self.path.exists():
            raise FileNotFoundError(f"{self.path} was removed")
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _replace(self, reason: sqlite3.Error) -> None:
        """Move the damaged file aside and save what can be read from it."""
        self._disconnect()
        damaged = _free_name(f"{self.path}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        for part in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self.path}{part}", f"{damaged}{part}")
        log.error("the spool %s is damaged (%s): it is kept as %s, and a new one is begun", self.path, reason, damaged)
        saved = 0
        try:
            for some in _in_groups(_readable_rows(damaged, time.monotonic() + _SALVAGE_S)):
                connection = self._connected()
                self._keep_reserve(connection, sum(len(row[-1]) for row in some))
                with _transaction(connection):
                    _insert(connection, some)
                saved += len(some)
        except (sqlite3.Error, OSError) as error:
            log.error("no more can be saved from %s: %s", damaged, error)
        log.warning("%d intact rows were saved from %s", saved, damaged)

    def _keep_reserve(self, connection: sqlite3.Connection, size: int) -> None:
        """Raise unless the disk has room for so many bytes, in the log and in the file, and for deleting them."""
        free = shutil.disk_usage(self._directory).free
        if free >= _AMPLE_BYTES:
            return
        # What is in the log needs its room in the file some day; a log that can't be copied blocks deleting.
        connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        free = shutil.disk_usage(self._directory).free
        log_bytes = self.path.with_name(f"{self.path.name}-wal").stat().st_size
        spare_bytes = _number(connection, "PRAGMA freelist_count") * _PAGE_BYTES
        if free < max(size - log_bytes, 0) + max(size - spare_bytes, 0) + _RESERVE_BYTES:
            reserve = _RESERVE_BYTES // _MIB
            raise _DiskFull(f"the disk is full: {free // _MIB} MiB are free, and {reserve} are kept for deleting")

    def _take_lock(self) -> None:
        # A file of its own: the lock is held while the database is replaced. SQLite's locks die with the process, on
        # every system, and they also hold within a process.
        lock = _connect(self._directory / "spool.lock")
        try:
            lock.execute("PRAGMA journal_mode = MEMORY")
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            lock.close()
            if _code(error) == sqlite3.SQLITE_BUSY:
                raise SpoolInUse(f"the spool in {self._directory} is in use by {self._holder()}") from error
            raise
        self._lock = lock
        with contextlib.suppress(OSError):
            now = datetime.now(UTC)
            self._owner.write_text(f"process {os.getpid()} on {platform.node()} since {now:%Y-%m-%d %H:%M:%S} UTC")

    def _holder(self) -> str:
        try:
            return self._owner.read_text(errors="replace")[:200] or "another process"
        except OSError:
            return "another process"


class _DiskFull(sqlite3.OperationalError):
    """Only the reserve is left."""

    sqlite_errorcode = sqlite3.SQLITE_FULL


class _OtherLayout(sqlite3.DatabaseError):
    """The tables are those of another version of this program."""


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Settings, in the order that SQLite wants, and the tables of a new file."""
    for setting in (
        # Before the first access: then there is no shared memory, which network file systems don't have.
        "locking_mode = EXCLUSIVE",
        f"page_size = {_PAGE_BYTES}",
        "auto_vacuum = INCREMENTAL",
        "journal_mode = WAL",
        "synchronous = FULL",
        f"wal_autocheckpoint = {_WAL_PAGES}",
        f"journal_size_limit = {_WAL_MAX_BYTES}",
        f"cache_size = -{_CACHE_BYTES // 1024}",
        "temp_store = MEMORY",
        "secure_delete = OFF",
        "cell_size_check = ON",
    ):
        connection.execute(f"PRAGMA {setting}").fetchall()
    layout = _number(connection, "PRAGMA user_version")
    if layout not in (0, _LAYOUT):
        raise _OtherLayout(f"it has layout {layout}, and this version knows {_LAYOUT}")
    if layout == 0:
        with _transaction(connection):
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA user_version = {_LAYOUT}")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # Some errors have rolled back already.
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def _insert(connection: sqlite3.Connection, rows: Iterable[_PackedRow | _StoredBytes]) -> None:
    for row in rows:
        connection.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)", row)
        # SQLite's copy of the bytes was made with the interpreter locked.
        _pause()


def _row(connection: sqlite3.Connection, identifier: int) -> _StoredBytes | None:
    query = "SELECT identifier, broker, topic, count, ifnull(CAST(data AS BLOB), x'') FROM rows WHERE identifier = ?"
    return connection.execute(query, (identifier,)).fetchone()


def _give_back(connection: sqlite3.Connection) -> bool:
    free = _number(connection, "PRAGMA freelist_count")
    if connection.execute("SELECT 1 FROM rows LIMIT 1").fetchone() is None:
        if free > _SPARE_PAGES:
            # Of an empty database this writes three pages, whatever its size was.
            connection.execute("VACUUM")
    elif free > max(_MANY_SPARE_PAGES, _number(connection, "PRAGMA page_count") // 2):
        # `execute` would do one page and stop.
        connection.executescript(f"PRAGMA incremental_vacuum({_SPARE_PAGES})")
        return True
    # Only this cuts the file.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return False


def _readable_rows(damaged: Path, deadline: float) -> Iterator[_StoredBytes]:
    """The rows of a damaged file that are intact, oldest first."""
    with contextlib.closing(_connect(damaged)) as connection:
        identifiers: set[int] = set()
        for direction in ("ASC", "DESC"):
            # What lies behind a damaged page is found from the other end.
            with contextlib.suppress(sqlite3.Error):
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                # Only with this, SQLite looks into a file that is shorter than it should be.
                connection.execute("PRAGMA writable_schema = ON")
                for (identifier,) in connection.execute(f"SELECT identifier FROM rows ORDER BY identifier {direction}"):
                    identifiers.add(identifier)
        for done, identifier in enumerate(sorted(identifiers)):
            if time.monotonic() > deadline:
                log.error("saving from %s takes too long: %d rows are left there", damaged, len(identifiers) - done)
                return
            try:
                row = _row(connection, identifier)
                if row is None:
                    continue
                spool_format.check(row[-1], _label(row))
            except (sqlite3.Error, DamagedRow):
                continue
            yield row


def _in_groups(rows: Iterable[_StoredBytes]) -> Iterator[list[_StoredBytes]]:
    """As many together as one transaction takes."""
    group: list[_StoredBytes] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row[-1])
        if size >= _TOGETHER_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _packed(job: _Write) -> _PackedRow:
    count = len(job.messages)
    label = spool_format.label(job.identifier, job.broker, job.topic, count)
    return job.identifier, job.broker, job.topic, count, spool_format.pack(job.messages, label, _pause)


def _label(row: _StoredBytes) -> bytes:
    return spool_format.label(*row[:4])


def _pause() -> None:
    time.sleep(_PAUSE_S)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return connection.execute(pragma).fetchone()[0]


def _code(error: Exception) -> int:
    """SQLite's primary error code; 0 when it is not SQLite's error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _free_name(wanted: str) -> Path:
    path = Path(wanted)
    for more in count(2):
        if not path.exists():
            break
        path = Path(f"{wanted}-{more}")
    return path


def _settle(future: "asyncio.Future[Any]", outcome: object) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _ignore(_: object) -> None:
    pass
