"""The service itself, started and told what to forward as at a site: by its command line and its config topic."""

import json
import shutil
import sys
import tempfile
import uuid

from confluent_kafka import Producer
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, serialise_fc00
from streaming_data_types.status_x5f2 import deserialise_x5f2

from benchmarks.pvs import Pvs
from forwarder.demo.child import Child
from tests.support.consume import Record, consume
from tests.support.kafka import Broker
from tests.support.processes import spawn

_READY_WITHIN_S = 30.0
_LARGEST_COMMAND = 8_000_000
_STREAMS_PER_COMMAND = 10_000


class Forwarder:
    """Forwards over Channel Access, or over pvAccess if it gets addresses for that."""

    def __init__(
        self,
        ca_addresses: str,
        broker: Broker,
        *,
        name: str = "forwarder",
        schema: str = "f142",
        pva_addresses: str = "",
    ) -> None:
        """The addresses are what it searches at, as in EPICS_CA_ADDR_LIST and EPICS_PVA_ADDR_LIST."""
        self.name = name
        self._schema = schema
        self._protocol = Protocol.PVA if pva_addresses else Protocol.CA
        self._environment = {
            "EPICS_CA_ADDR_LIST": ca_addresses,
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_PVA_ADDR_LIST": pva_addresses,
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        }
        self._broker = broker
        run = uuid.uuid4().hex[:8]
        self._config_topic = f"config_{run}"
        self._status_topic = f"status_{run}"
        self._child: Child | None = None
        self._folder = ""

    @property
    def child(self) -> Child:
        if self._child is None:
            raise RuntimeError("the forwarder was not started")
        return self._child

    def start(self, pvs: Pvs, topic: str) -> None:
        self.launch()
        self.add(pvs, topic)

    def launch(self) -> None:
        """Returns when a status says that it obeys commands."""
        broker = self._broker.address
        self._broker.create_topic(self._config_topic, max_message_bytes=_LARGEST_COMMAND)
        self._broker.create_topic(self._status_topic)
        self._folder = tempfile.mkdtemp(prefix="forwarder-bench-")
        arguments = {
            "--config-topic": f"{broker}/{self._config_topic}",
            "--status-topic": f"{broker}/{self._status_topic}",
            "--output-broker": broker,
            "--service-id": "bench",
            "--state-directory": self._folder,
        }
        command = [sys.executable, "-m", "forwarder", "run", *(word for pair in arguments.items() for word in pair)]
        self._child = spawn(self.name, command, environment=self._environment)
        try:
            consume(broker, self._status_topic, lambda found: any(map(_runs, found)), deadline_s=_READY_WITHIN_S)
        except TimeoutError as error:
            error.add_note(f"The forwarder's log ends:\n{self._child.log_tail()}")
            self.stop()
            raise

    def add(self, pvs: Pvs, topic: str) -> None:
        """Returns when the command is in the config topic."""
        names = pvs.names()
        producer = Producer({"bootstrap.servers": self._broker.address, "message.max.bytes": _LARGEST_COMMAND})
        for first in range(0, len(names), _STREAMS_PER_COMMAND):
            some = names[first : first + _STREAMS_PER_COMMAND]
            streams = [StreamInfo(name, self._schema, topic, self._protocol, 0) for name in some]
            producer.produce(self._config_topic, serialise_fc00(UpdateType.ADD, streams))
        if producer.flush(_READY_WITHIN_S) != 0:
            raise TimeoutError("the broker did not take the command")

    def stop(self) -> None:
        self.child.terminate()
        shutil.rmtree(self._folder)


def _runs(status: Record) -> bool:
    return json.loads(deserialise_x5f2(status.value).status_json)["state"] == "running"
