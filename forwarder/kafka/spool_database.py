"""The file of the spool: rows of an SQLite database. It is opened when it is needed, and a damaged one is replaced."""

import contextlib
import logging
import os
import platform
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeAlias, TypeVar

from forwarder.errors import ForwarderError
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
_SPARE_PAGES = 256
"""So many free pages, 8 MiB, are kept for the next rows when all others are given back."""
_MANY_SPARE_PAGES = 2048
"""With fewer free pages, 64 MiB, nothing is moved to give them back while there are rows."""
_SALVAGE_S = 10.0
"""Rows are saved from a damaged file for so long; what is written meanwhile waits in memory."""
_PAUSE_S = 100e-6
"""Any real sleep hands the interpreter's lock over; sleep(0) takes it back before the other thread is awake."""
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_LAYOUT = 1
_TABLE = (
    "CREATE TABLE IF NOT EXISTS rows"
    " (identifier INTEGER PRIMARY KEY, broker TEXT NOT NULL, topic TEXT NOT NULL, count INTEGER NOT NULL, data BLOB)"
)
_T = TypeVar("_T")

PackedRow: TypeAlias = tuple[int, str, str, int, bytearray]
"""Identifier, broker, topic, count, bytes."""
StoredBytes: TypeAlias = tuple[int, str, str, int, bytes]
"""The same as it is read."""


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


class Database:
    """The file. It is opened when it is needed, and a damaged one is replaced."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "spool.db"
        self._directory = directory
        self._owner = directory / "spool.owner"
        self._lock: sqlite3.Connection | None = None
        self._connection: sqlite3.Connection | None = None
        self._sizes = (0, 0)
        """Bytes of the file and of its log when they were last worked on: they never shrink by themselves."""

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

    def change(self, rows: list[PackedRow], deleted: list[int]) -> None:
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
        return None if row is None else spool_format.unpack(row[-1], _label(row), pause)

    def prove(self) -> None:
        """Write and read something, to see whether that works."""

        def prove(connection: sqlite3.Connection) -> None:
            self._keep_reserve(connection, 0)
            connection.execute(f"PRAGMA user_version = {_LAYOUT}")
            connection.execute("SELECT identifier FROM rows LIMIT 1").fetchall()

        self._mending(prove)

    def give_back(self) -> bool:
        """Shrink the file by some of its free pages; whether it should be called again."""

        def give_back(connection: sqlite3.Connection) -> bool:
            self._sizes = (0, 0)
            return _give_back(connection)

        return self._mending(give_back)

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
        was_open = self._connection is not None
        try:
            result = work(self._connected())
            self._note_sizes()
            return result
        except (sqlite3.Error, OSError) as error:
            if _code(error) != sqlite3.SQLITE_FULL:
                self._disconnect()
            if was_open and not self.path.exists():
                # Perhaps a moment ago, and SQLite has other words for it.
                raise FileNotFoundError(f"{self.path} was removed") from error
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
            self._sizes = (0, 0)
        else:
            self._note_sizes()
        return self._connection

    def _note_sizes(self) -> None:
        """Raise if somebody has cut a file: SQLite would go on behind the gap, where nobody finds it again."""
        size, log_size = self._sizes_now()
        if size < self._sizes[0] or log_size < min(self._sizes[1], _WAL_MAX_BYTES):
            raise _Cut("it has become smaller by itself")
        self._sizes = size, log_size

    def _sizes_now(self) -> tuple[int, int]:
        log_path = self.path.with_name(f"{self.path.name}-wal")
        return self.path.stat().st_size, log_path.stat().st_size if log_path.exists() else 0

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
        _, log_bytes = self._sizes_now()
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


class _Cut(sqlite3.DatabaseError):
    """Somebody else has cut the file or its log."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


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


def _insert(connection: sqlite3.Connection, rows: Iterable[PackedRow | StoredBytes]) -> None:
    for row in rows:
        connection.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)", row)
        # SQLite's copy of the bytes was made with the interpreter locked.
        pause()


def _row(connection: sqlite3.Connection, identifier: int) -> StoredBytes | None:
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


def _readable_rows(damaged: Path, deadline: float) -> Iterator[StoredBytes]:
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


def _in_groups(rows: Iterable[StoredBytes]) -> Iterator[list[StoredBytes]]:
    """As many together as one transaction takes."""
    group: list[StoredBytes] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row[-1])
        if size >= _TOGETHER_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _label(row: StoredBytes) -> bytes:
    return spool_format.label(*row[:4])


def pause() -> None:
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
