"""The forwarder as its users run it: a process, a command line, and what it says and sends."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from confluent_kafka import Producer
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, serialise_fc00
from streaming_data_types.status_x5f2 import deserialise_x5f2

from forwarder.demo.child import Child
from tests.support.consume import Record, Until, consume
from tests.support.processes import Server, spawn

_READY_WITHIN_S = 30.0
_STOPPED_WITHIN_S = 20.0
_SENT_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one forwarder. They must exist, or the broker must create them."""

    config: str
    status: str
    storage: str | None = None


class ForwarderProcess(Server):
    """Runs `python -m forwarder run`; it is ready when a status says that it runs."""

    def __init__(
        self,
        broker: str,
        topics: Topics,
        *,
        service_id: str = "test",
        ca_addresses: Iterable[str] = (),
        pva_addresses: Iterable[str] = (),
        flags: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
        module: str = "forwarder",
    ) -> None:
        """`flags` come last on the command line; `environment` wins over what is set here.

        `within` is a command that runs another one; `module` is run in the place of the forwarder's own.
        """
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="forwarder-"))
        self._broker = broker
        self._topics = topics
        self._command = [
            *within,
            *(sys.executable, "-m", module, "run"),
            *("--config-topic", f"{broker}/{topics.config}"),
            *("--status-topic", f"{broker}/{topics.status}"),
            *(() if topics.storage is None else ("--storage-topic", f"{broker}/{topics.storage}")),
            *("--output-broker", broker),
            *("--service-id", service_id),
            *("--state-directory", str(self._folder)),
            *flags,
        ]
        self._environment = {
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_CA_ADDR_LIST": " ".join(ca_addresses),
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
            "EPICS_PVA_ADDR_LIST": " ".join(pva_addresses),
            **(environment or {}),
        }

    def _launch(self) -> Child:
        return spawn("forwarder", self._command, environment=self._environment)

    def _wait_until_ready(self, child: Child) -> None:
        self._read_status(lambda records: _runs(records, child.pid) or child.exit_code is not None)
        if child.exit_code is not None:
            raise TimeoutError(f"the forwarder ended with exit code {child.exit_code} before it was running")

    def launch(self) -> None:
        """As `start`, without waiting for a sign of life: Kafka may be away."""
        if self.runs:
            raise RuntimeError("forwarder runs already")
        self._child = self._launch()

    def wait_until_ready(self) -> None:
        """Returns when the process that was launched last says that it obeys commands."""
        self._wait_until_ready(self.child)

    def statuses(self) -> list[dict[str, Any]]:
        """What the status messages of the process that was started last say, oldest first."""
        return _statuses(self._read_status(None), self.pid)

    def _read_status(self, until: Until) -> list[Record]:
        return consume(self._broker, self._topics.status, until, deadline_s=_READY_WITHIN_S)

    def order(self, change: int, streams: Sequence[StreamInfo] = ()) -> None:
        """Send an fc00 message to the config topic; returns when the broker has it."""
        # The library's annotation asks for the enum's module; it means one of its numbers.
        number: Any = change
        self.order_raw(serialise_fc00(number, list(streams)))

    def order_raw(self, message: bytes) -> None:
        """Send any bytes to the config topic; returns when the broker has them."""
        producer = Producer({"bootstrap.servers": self._broker})
        producer.produce(self._topics.config, message)
        if producer.flush(_SENT_WITHIN_S):
            raise TimeoutError(f"{self._broker} did not take a message for {self._topics.config}")

    @property
    def state_directory(self) -> Path:
        """Kept over a restart, and removed with this object's context."""
        return self._folder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        shutil.rmtree(self._folder)

    def stop(self) -> int:
        """SIGTERM, which lets it send what it holds. Gives its exit code, negative if it had to be killed."""
        return self.child.terminate(_STOPPED_WITHIN_S)

    @property
    def log(self) -> str:
        """All that the process that was started last has printed."""
        return self.child.log()


def _runs(records: Iterable[Record], pid: int) -> bool:
    return any(status["state"] == "running" for status in _statuses(records, pid))


def _statuses(records: Iterable[Record], pid: int) -> list[dict[str, Any]]:
    messages = (deserialise_x5f2(record.value) for record in records if record.value is not None)
    return [json.loads(message.status_json) for message in messages if message.process_id == pid]
