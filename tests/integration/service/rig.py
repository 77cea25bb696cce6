"""What tests of the whole service have in common: the records of its IOC, and how its messages are read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo

from forwarder.demo.decode import Connection, Reading, decode_ep00, decode_f142, schema_of
from tests.support.consume import Record, consume
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

PATIENCE_S = 30.0

DATABASE = """
record(calc, "SVC:COUNT") { field(SCAN, ".1 second") field(CALC, "VAL+1") }
record(ai, "SVC:STATIC") { field(VAL, "5") field(PINI, "YES") }
record(ao, "SVC:LIMITED") {
  field(VAL, "1") field(PINI, "YES")
  field(HIGH, "10") field(HSV, "MINOR") field(HIHI, "20") field(HHSV, "MAJOR")
}
record(ai, "SVC:A1") { field(PINI, "YES") }
record(ai, "SVC:A2") { field(PINI, "YES") }
record(ai, "SVC:B1") { field(PINI, "YES") }
record(ai, "SVC:UNITS") { field(VAL, "1") field(EGU, "K") field(PINI, "YES") }
record(stringin, "SVC:TEXT") { field(VAL, "warm") field(PINI, "YES") }
"""

SECOND_DATABASE = 'record(ai, "SECOND:STATIC") { field(VAL, "7") field(PINI, "YES") }'


def stream(
    channel: str, topic: str, protocol: int = Protocol.CA, periodic: int = 0, schema: str = "f142"
) -> StreamInfo:
    # The library's annotation asks for the enum's module; it means one of its numbers.
    number: Any = protocol
    return StreamInfo(channel, schema, topic, number, periodic)


@dataclass(frozen=True, slots=True)
class Data:
    """The messages of one topic."""

    records: Sequence[Record]

    @property
    def readings(self) -> list[Reading]:
        return [decode_f142(value) for value in self.of("f142")]

    @property
    def values(self) -> list[Any]:
        return [reading.value for reading in self.readings]

    @property
    def schemas(self) -> list[str]:
        """The formats of all messages, in order."""
        return [schema_of(record.value) for record in self.records if record.value is not None]

    @property
    def connections(self) -> list[Connection]:
        return [decode_ep00(value) for value in self.of("ep00")]

    @property
    def events(self) -> list[str]:
        return [connection.event for connection in self.connections]

    def of(self, schema: str) -> list[bytes]:
        """The messages of one format."""
        return [r.value for r in self.records if r.value is not None and schema_of(r.value) == schema]


def data(broker: Broker, topic: str, until: Callable[[Data], bool] | None = None) -> Data:
    """What a topic holds, as soon as it is as wanted."""
    enough = None if until is None else lambda records: until(Data(records))
    return Data(consume(broker.address, topic, enough, deadline_s=PATIENCE_S))


class Service:
    """One running forwarder and what it shares with the tests."""

    def __init__(self, process: ForwarderProcess, broker: Broker, topics: Topics, ioc: EpicsIoc, second: EpicsIoc):
        self.process = process
        self.broker = broker
        self.topics = topics
        self.ioc = ioc
        self.second_ioc = second
        """Not running, unless a test lets it."""

    @property
    def status(self) -> dict[str, Any]:
        """The newest."""
        return self.process.statuses()[-1]

    def status_when(self, predicate: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        def newest() -> dict[str, Any] | None:
            status = self.status
            return status if predicate(status) else None

        status = wait_until(newest, PATIENCE_S, what=what)
        assert status is not None
        return status

    def channels(self, *topics: str) -> list[str]:
        """The streams to these topics, or to all."""
        return [s["channel_name"] for s in self.status["streams"] if not topics or s["output_topic"] in topics]

    def wait_for_channels(self, expected: list[str]) -> None:
        self.status_when(
            lambda status: sorted(s["channel_name"] for s in status["streams"]) == sorted(expected),
            f"the streams are {expected}",
        )
