"""The block server of an instrument, in a process of its own."""

import json
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from types import TracebackType

from forwarder.demo.child import Child
from tests.support.epics import EpicsServer
from tests.support.processes import spawn
from tests.support.waiting import wait_until


def packed(names: Iterable[str]) -> bytes:
    """As the real one writes them."""
    return zlib.compress(json.dumps(list(names)).encode()).hex().encode()


class BlockServer(EpicsServer):
    """Serves PREFIXCS:BLOCKSERVER:BLOCKNAMES; what it says is kept over a restart."""

    def __init__(self, prefix: str, names: Iterable[str] = ()) -> None:
        self.pv = f"{prefix}CS:BLOCKSERVER:BLOCKNAMES"
        super().__init__(self.pv)
        self._folder = Path(tempfile.mkdtemp(prefix="block-server-"))
        self._numbers = count()
        self._place = self._written(packed(names))

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {"EPICS_CAS_BEACON_ADDR_LIST": ""}

    def _launch(self) -> Child:
        command = [sys.executable, "-m", "tests.support.block_server_ioc", self.pv, str(self._place)]
        return spawn("block server", command, environment=self._environment())

    def says(self, names: Iterable[str]) -> None:
        """There are these blocks now. Returns when clients were told."""
        self.says_raw(packed(names))

    def says_raw(self, value: bytes) -> None:
        """Any characters instead."""
        self._place = self._written(value)
        if self.runs:
            line = f"serves {self._place}"
            self.child.say(str(self._place))
            wait_until(lambda: line in self.child.log(), what=line)

    def _written(self, value: bytes) -> Path:
        place = self._folder / str(next(self._numbers))
        place.write_bytes(value)
        return place

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        shutil.rmtree(self._folder)
