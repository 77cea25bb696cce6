"""A minute at 20 000 updates a second: every value of every PV is in Kafka, in order, once."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.fbschemas.logdata_f142.LogData import LogData

from tests.integration.service.rig import stream
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

PVS = 2_000
SCANS_PER_S = 10
LASTS_S = 60.0
_AT_ONCE = 20_000
_DOUBLE = 10


@dataclass(slots=True)
class Counts:
    """What the topic holds: of each PV the values, in the order of the topic, and the other messages."""

    values: defaultdict[bytes, list[float]] = field(default_factory=lambda: defaultdict(list))
    others: int = 0


@pytest.mark.timeout(300)
def test_no_value_is_lost_doubled_or_out_of_order(kafka_broker: Broker, unique: Callable[[str], str]) -> None:
    topics = Topics(unique("config"), unique("status"))
    topic = unique("data")
    for name in (topics.config, topics.status, topic):
        kafka_broker.create_topic(name)
    names = [f"COUNT:{number:04}" for number in range(PVS)]
    record = 'record(calc, "{}") {{ field(SCAN, ".1 second") field(CALC, "VAL+1") }}'
    with (
        EpicsIoc("\n".join(record.format(name) for name in names)) as ioc,
        ForwarderProcess(kafka_broker.address, topics, ca_addresses=[ioc.ca_address]) as process,
    ):
        process.order(UpdateType.ADD, [stream(name, topic) for name in names])

        def statistics() -> dict:
            return process.statuses()[-1]["statistics"]

        wait_until(lambda: statistics()["pvs"] == {"connected": PVS}, 60, what="all PVs are connected")
        before = statistics()
        # Not a guess: for so long the promise has to hold.
        time.sleep(LASTS_S)
        assert process.stop() == 0
        after = statistics()
    lasted_s = after["uptime_s"] - before["uptime_s"]
    assert lasted_s >= LASTS_S
    assert (after["updates_received"] - before["updates_received"]) / lasted_s > 0.95 * PVS * SCANS_PER_S
    assert (after["messages_waiting"], after["messages_dropped"], after["updates_failed"]) == (0, 0, 0)

    counts = read(kafka_broker.address, topic)
    assert set(counts.values) == {name.encode() for name in names}
    assert counts.others == after["messages_by_schema"]["ep00"] == PVS
    assert sum(map(len, counts.values.values())) == after["updates_received"] == after["messages_by_schema"]["f142"]
    # A server may count on between the first value of a subscription and the next: that one step is its own.
    faulty = {name: steps for name, held in counts.values.items() if (steps := set(np.diff(held[1:]))) != {1.0}}
    assert not faulty
    assert all(held[1] > held[0] for held in counts.values.values())
    last = [held[-1] for held in counts.values.values()]
    assert max(last) - min(last) <= SCANS_PER_S, "every PV counted until the end"


def read(address: str, topic: str) -> Counts:
    """Reads partition 0 to its end."""
    consumer = Consumer(
        {"bootstrap.servers": address, "group.id": "unused: partitions are assigned by hand", "check.crcs": False}
    )
    counts = Counts()
    places: dict[int, int] = {}
    try:
        partition = TopicPartition(topic, 0, OFFSET_BEGINNING)
        end = consumer.get_watermark_offsets(partition, 20.0)[1]
        consumer.assign([partition])
        offset = -1
        give_up = time.monotonic() + 60
        while offset < end - 1:
            assert time.monotonic() < give_up, f"read {offset + 1} of {end} messages"
            for message in consumer.consume(min(_AT_ONCE, end - 1 - offset), 0.2):
                assert message.error() is None
                offset = message.offset()
                value = message.value()
                if value[4:8] == b"f142":
                    # The same length has the same layout: one kind of PV, and names of one length.
                    place = places.get(len(value)) or places.setdefault(len(value), place_of_double(value))
                    counts.values[message.key()].append(float(np.frombuffer(value, "<f8", 1, place)[0]))
                else:
                    counts.others += 1
    finally:
        consumer.close()
    return counts


def place_of_double(message: bytes) -> int:
    """Where in a message its value lies."""
    log_data = LogData.GetRootAsLogData(message, 0)
    assert log_data.ValueType() == _DOUBLE
    table = log_data.Value()
    assert table is not None
    return table.Pos + table.Offset(4)
