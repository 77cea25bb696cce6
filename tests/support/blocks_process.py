"""`forwarder blocks` as an instrument runs it: a process, a command line, and what it shows over HTTP."""

import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from forwarder.demo.child import Child
from tests.support.http import Answer, ask
from tests.support.ports import free_port
from tests.support.processes import Server, spawn
from tests.support.scrape import Scrape
from tests.support.waiting import wait_until

_READY_WITHIN_S = 20.0


class BlocksProcess(Server):
    """Runs `python -m forwarder blocks`; it is ready when it answers over HTTP."""

    def __init__(
        self,
        prefix: str,
        instrument: str,
        *,
        config: str,
        status: str | None = None,
        storage: str | None = None,
        ca_addresses: Iterable[str] = (),
        flags: Sequence[str] = ("--no-archive",),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Topics are addresses, `host:port/topic`."""
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="blocks-"))
        self._port = free_port()
        self._command = [
            *(sys.executable, "-m", "forwarder", "blocks", "--prefix", prefix, "--instrument", instrument),
            *("--config-topic", config),
            *(() if status is None else ("--status-topic", status)),
            *(() if storage is None else ("--storage-topic", storage)),
            *("--state-directory", str(self._folder), "--http", str(self._port)),
            *flags,
        ]
        self._environment = {
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_CA_ADDR_LIST": " ".join(ca_addresses),
            **(environment or {}),
        }

    def _launch(self) -> Child:
        return spawn("forwarder blocks", self._command, environment=self._environment)

    def _wait_until_ready(self, child: Child) -> None:
        wait_until(lambda: child.exit_code is not None or self._answers(), _READY_WITHIN_S, what="/live answers")
        if child.exit_code is not None:
            raise TimeoutError(f"forwarder blocks ended with exit code {child.exit_code}")

    def _answers(self) -> bool:
        try:
            return self.asked("live").status == 200
        except OSError:
            return False

    def asked(self, what: str) -> Answer:
        return ask(f"http://127.0.0.1:{self._port}/{what}")

    @property
    def is_ready(self) -> bool:
        return self.asked("ready").status == 200

    @property
    def checks(self) -> dict[str, Any]:
        """What `/ready` says is wrong, by check."""
        return {name: said for name, said in self.asked("ready").json["checks"].items() if said != "ok"}

    @property
    def metrics(self) -> Scrape:
        return Scrape(self.asked("metrics").text)

    @property
    def state_file(self) -> Path:
        return self._folder / "announced.json"

    @property
    def log(self) -> str:
        """All that the process that was started last has printed."""
        return self.child.log()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        shutil.rmtree(self._folder)
