"""A real EPICS 7 IOC that serves Channel Access and pvAccess."""

import itertools
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from forwarder.demo.child import Child
from tests.support.epics import EpicsServer
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import spawn, without_real_time
from tests.support.waiting import wait_until

Writable: TypeAlias = str | int | float | Sequence[int] | Sequence[float] | Sequence[str]

_OBEYS_WITHIN_S = 10.0
_CORE = "__import__('epicscorelibs.ioc').ioc.dbCore"
_FIRST_RECORD = re.compile(r'^\s*record\s*\(\s*"?\w+"?\s*,\s*"?([^")\s]+)"?\s*\)', re.MULTILINE)


class EpicsIoc(EpicsServer):
    """Serves the records of a database, given as the text of a .db file.

    Its macros must be expanded. On `start` all records have the values of the database again.
    """

    def __init__(
        self, database: str, *, within: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        """`within` is a command that runs another one; `environment` wins over what is set here."""
        record = _FIRST_RECORD.search(database)
        if record is None:
            raise ValueError("the database has no record")
        super().__init__(record[1])
        self.pva_port = free_port()
        """TCP port of pvAccess."""
        self.pva_broadcast_port = free_port()
        """UDP port that answers pvAccess searches."""
        self._folder = Path(tempfile.mkdtemp(prefix="ioc-"))
        self._database = self._folder / "records.db"
        self._database.write_text(database)
        self._orders = itertools.count()
        self._within = within
        self._more_environment = environment or {}

    @property
    def pva_address(self) -> str:
        """An entry for EPICS_PVA_ADDR_LIST."""
        return f"{LOOPBACK}:{self.pva_broadcast_port}"

    @property
    def pva_name_server(self) -> str:
        """An entry for EPICS_PVA_NAME_SERVERS."""
        return f"{LOOPBACK}:{self.pva_port}"

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {
            "EPICS_PVAS_INTF_ADDR_LIST": LOOPBACK,
            "EPICS_PVAS_SERVER_PORT": str(self.pva_port),
            "EPICS_PVAS_BROADCAST_PORT": str(self.pva_broadcast_port),
            "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
            "EPICS_PVA_BROADCAST_PORT": str(self.pva_broadcast_port),
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
            "EPICS_PVA_ADDR_LIST": LOOPBACK,
            **self._more_environment,
        }

    def _launch(self) -> Child:
        command = without_real_time([sys.executable, "-m", "pvxslibs.ioc", "-d", str(self._database)])
        return spawn("ioc", [*self._within, *command], environment=self._environment())

    def serve(self, database: str) -> None:
        """Serve these records from the next start on; the first must have the name of the first one before."""
        self._database.write_text(database)

    def put(self, pv: str, value: Writable) -> None:
        """Write to a field and process its record. Returns when the IOC has done so."""
        text = value if isinstance(value, str) else json.dumps(value)
        self._carry_out(f"{_CORE}.dbpf({pv.encode()!r}, {text.encode()!r})")

    def shell(self, command: str) -> None:
        """Have the IOC's own shell carry out a command, and wait until it has."""
        self._carry_out(f"ioc({command!r})")

    def _carry_out(self, call: str) -> None:
        """The process reads Python from its standard input, where `ioc` runs one line of the IOC's shell."""
        done = f"carried out {next(self._orders)}:"
        self.child.say(f"print({done!r}, {call})")
        reply = re.compile(re.escape(done) + r" (-?\d+)\n")
        wait_until(lambda: reply.search(self.child.log()), _OBEYS_WITHIN_S, what=f"the IOC carries out {call}")
        (status,) = reply.findall(self.child.log())
        if status != "0":
            raise RuntimeError(f"the IOC refused {call}:\n{self.child.log_tail(5)}")

    def close(self) -> None:
        """Stop it and remove its database."""
        if self._child is not None:
            self.stop()
        shutil.rmtree(self._folder)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
