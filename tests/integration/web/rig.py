"""A real forwarder with its page, two real IOCs, and streams like those of an instrument."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo

from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.ports import LOOPBACK, free_port
from tests.support.waiting import wait_until

PREFIX = "IN:DEMO:CS:SB:"

FIRST = """
record(calc, "IN:DEMO:CS:SB:TEMP1") {
  field(SCAN, ".2 second") field(CALC, "293.15+2*SIN(B/40)+RNDM/5") field(INPB, "IN:DEMO:CS:SB:STEP.VAL")
  field(EGU, "K") field(PREC, "3")
}
record(calc, "IN:DEMO:CS:SB:STEP") { field(SCAN, ".2 second") field(CALC, "VAL+1") }
record(ao, "IN:DEMO:CS:SB:FIELD") {
  field(VAL, "0.35") field(PINI, "YES") field(EGU, "T")
  field(HIGH, "1") field(HSV, "MINOR") field(HIHI, "2") field(HHSV, "MAJOR")
}
record(bo, "IN:DEMO:CS:SB:SHUTTER") { field(ZNAM, "CLOSED") field(ONAM, "OPEN") field(VAL, "1") field(PINI, "YES") }
record(stringin, "IN:DEMO:CS:SB:SAMPLE") { field(VAL, "<b>Fe3O4</b> & co") field(PINI, "YES") }
record(waveform, "IN:DEMO:CS:SB:SPECTRUM") { field(FTVL, "DOUBLE") field(NELM, "64") field(PINI, "YES") }
"""
SECOND = """
record(calc, "IN:DEMO:MOT:MTR0101") { field(SCAN, ".5 second") field(CALC, "100+RNDM") field(EGU, "mm") }
record(ai, "IN:DEMO:MOT:MTR0102") { field(VAL, "17.25") field(PINI, "YES") field(EGU, "mm") }
"""
SPECTRUM = [float(100 - (place - 30) ** 2 / 4 if abs(place - 30) < 20 else 0) for place in range(64)]

BLOCKS = ("TEMP1", "STEP", "FIELD", "SHUTTER", "SAMPLE", "SPECTRUM")
MISSING = ("IN:DEMO:CS:SB:PRESSURE", "IN:DEMO:CS:SB:TEMP1O")


@dataclass(frozen=True, slots=True)
class Site:
    """What runs, and where its page is."""

    url: str
    process: ForwarderProcess
    broker: Broker
    ioc: EpicsIoc
    second_ioc: EpicsIoc
    """A test may kill it, and has to start it again."""
    topic: str

    def ask(self, path: str, **parameters: Any) -> dict[str, Any]:
        """The API's answer."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urlencode(parameters)}", timeout=10) as answer:
            return json.load(answer)

    def pv(self, name: str, protocol: str = "ca") -> dict[str, Any]:
        return self.ask("pv", protocol=protocol, name=name)


def stream(name: str, topic: str, schema: str = "f144", protocol: int = Protocol.CA) -> StreamInfo:
    # The library's annotation asks for the enum's module; it means one of its numbers.
    number: Any = protocol
    return StreamInfo(name, schema, topic, number, 0)


@contextmanager
def site(broker: Broker, prefix: str = "DEMO") -> Iterator[Site]:
    """All of it, with values that have arrived."""
    topics = Topics(f"{prefix}_forwarderConfig", f"{prefix}_forwarderStatus", f"{prefix}_forwarderStorage")
    data = f"{prefix}_sampleEnv"
    for topic in (topics.config, topics.status, topics.storage, data):
        assert topic is not None
        broker.create_topic(topic)
    port = free_port()
    with EpicsIoc(FIRST) as ioc, EpicsIoc(SECOND) as second:
        process = ForwarderProcess(
            broker.address,
            topics,
            service_id=f"{prefix.lower()}-forwarder",
            ca_addresses=[ioc.ca_address, second.ca_address],
            pva_addresses=[ioc.pva_address],
            flags=["--http", f"{LOOPBACK}:{port}", "--never-connected-after", "2", "--status-interval", "1000"],
        )
        with process:
            here = Site(f"http://{LOOPBACK}:{port}", process, broker, ioc, second, data)
            ioc.put(f"{PREFIX}SPECTRUM", SPECTRUM)
            process.order(UpdateType.ADD, [*(_block(name, data) for name in BLOCKS), *_others(data)])
            wait_until(
                lambda: here.ask("pvs", state="connected")["matched"] == len(BLOCKS) + 3, 20, what="PVs are connected"
            )
            wait_until(lambda: here.ask("pvs", state="never_connected")["matched"] == len(MISSING), 20)
            yield here


def _block(name: str, topic: str) -> StreamInfo:
    return stream(f"{PREFIX}{name}", topic, "f142" if name == "SAMPLE" else "f144")


def _others(topic: str) -> Iterator[StreamInfo]:
    yield stream("IN:DEMO:MOT:MTR0101", topic)
    yield stream("IN:DEMO:MOT:MTR0102", topic)
    yield stream(f"{PREFIX}TEMP1", topic, "f144", Protocol.PVA)
    yield from (stream(name, topic) for name in MISSING)
