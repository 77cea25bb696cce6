"""A real MariaDB in a folder of its own, with the table that tells which PVs are archived."""

import getpass
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import pymysql

from forwarder.demo.child import Child
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import Server, spawn
from tests.support.waiting import wait_until

USER, PASSWORD = "iocdb", "a password"
_INSTALLED_WITHIN_S = 60.0
_READY_WITHIN_S = 30.0


class MariaDb(Server):
    """Keeps its address and its data over `stop` and `start`; both are gone after `with`."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
        data = self._folder / "data"
        subprocess.run(
            [
                *("mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--user={getpass.getuser()}"),
                *("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"),
            ],
            check=True,
            timeout=_INSTALLED_WITHIN_S,
            capture_output=True,
        )

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def _socket(self) -> Path:
        return self._folder / "socket"

    def _launch(self) -> Child:
        command = [
            *(shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults"),
            *(f"--datadir={self._folder / 'data'}", f"--socket={self._socket}", f"--pid-file={self._folder / 'pid'}"),
            *(f"--bind-address={LOOPBACK}", f"--port={self.port}", "--skip-name-resolve"),
            *("--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0", f"--user={getpass.getuser()}"),
        ]
        return spawn("mariadb", command)

    def _wait_until_ready(self, child: Child) -> None:
        # To ask it would leave a socket open for each time that it does not answer yet.
        wait_until(
            lambda: child.exit_code is not None or "ready for connections" in child.log(),
            _READY_WITHIN_S,
            what="MariaDB is ready for connections",
        )
        if child.exit_code is not None:
            raise TimeoutError(f"MariaDB ended with exit code {child.exit_code}")

    def execute(self, *statements: str) -> None:
        """As its administrator."""
        connection = pymysql.connect(unix_socket=str(self._socket), user="root", autocommit=True)
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def make_table(self) -> None:
        """As on an instrument, with an account that may only read it."""
        self.execute(
            "CREATE DATABASE iocdb",
            "CREATE TABLE iocdb.pvinfo (pvname VARCHAR(100), infoname VARCHAR(80), value VARCHAR(200))",
            f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT SELECT ON iocdb.pvinfo TO '{USER}'@'%'",
        )

    def archives(self, rows: Iterable[tuple[str, str]]) -> None:
        """These are flagged now, among others that say something else of PVs."""
        values = ", ".join(f"('{name}', 'archive', '{value}')" for name, value in rows)
        self.execute(
            "DELETE FROM iocdb.pvinfo",
            "INSERT INTO iocdb.pvinfo VALUES ('IN:X:NOT', 'INTEREST', 'VAL')" + (f", {values}" if values else ""),
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        shutil.rmtree(self._folder)
