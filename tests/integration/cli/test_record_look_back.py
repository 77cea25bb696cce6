"""What did not change while it was recorded is in the file of `forwarder record`, as somebody else reads the topics."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import h5py
import pytest
from confluent_kafka import Producer
from streaming_data_types.logdata_f144 import deserialise_f144, serialise_f144

from forwarder.demo.decode import schema_of
from forwarder.encode import al00, ep01, f142, un00
from forwarder.model import ChannelType, ConnectionState, ValueType
from tests.integration.cli.rig import Said, command
from tests.support.consume import consume
from tests.support.kafka import Broker

FIXED = f142.encoder("FIXED", ChannelType(ValueType.FLOAT64, False))
NS = 10**9


def told(start_s: int) -> Iterator[tuple[int, int, bytes]]:
    """Seconds, partition and message."""
    yield start_s - 7200, 0, serialise_f144("LONG_AGO", 1.0, (start_s - 7200) * NS)
    yield start_s - 60, 0, un00.encode(b"CONSTANT", "K", (start_s - 60) * NS)
    yield start_s - 60, 0, ep01.encode(b"CONSTANT", ConnectionState.CONNECTED, (start_s - 60) * NS, "fwd")
    yield start_s - 59, 0, serialise_f144("CONSTANT", 1.0, (start_s - 59) * NS)
    # Its own time is that of last month, although it came within the last minute.
    yield start_s - 58, 0, serialise_f144("LAST_MONTH", 7.0, (start_s - 30 * 86_400) * NS)
    yield start_s - 50, 0, serialise_f144("CONSTANT", 2.0, (start_s - 50) * NS)
    yield start_s - 45, 0, al00.encode(b"CONSTANT", 1, "too warm", (start_s - 45) * NS)
    yield start_s - 40, 1, FIXED.encode_with_alarm(1.0, (start_s - 40) * NS, 3, 2)
    yield start_s - 30, 1, FIXED.encode(2.0, (start_s - 30) * NS)
    yield start_s - 20, 1, b"what is this?"
    for since in range(-5, 5):
        yield start_s + since, 1, serialise_f144("CHANGES", float(since), (start_s + since) * NS)


@pytest.fixture(scope="module")
def start_s(kafka_broker: Broker) -> int:
    """When the recordings start."""
    start_s = int(time.time()) - 100
    kafka_broker.create_topic("BACK_sampleEnv", 2)
    producer = Producer({"bootstrap.servers": kafka_broker.address})
    for at_s, partition, message in told(start_s):
        producer.produce("BACK_sampleEnv", message, partition=partition, timestamp=at_s * 1000)
    assert producer.flush(10) == 0
    return start_s


def record(broker: Broker, path: Path, start_s: int, *more: str) -> Said:
    begin = f"time:{datetime.fromtimestamp(start_s, UTC):%Y-%m-%dT%H:%M:%S}"
    address = broker.address
    return command("record", "BACK", str(path), "--from", begin, "--until", "end", "--output-broker", address, *more)


def values(file: Any) -> dict[str, list[tuple[int, float]]]:
    return {
        log.attrs["pv"]: list(zip(log["time"][()].tolist(), log["value"][()].tolist(), strict=True))
        for log in file["entry/selog"].values()
    }


def test_the_last_value_before_the_start_and_everything_after_it(
    kafka_broker: Broker, tmp_path: Path, start_s: int
) -> None:
    path = tmp_path / "back.nxs"
    said = record(kafka_broker, path, start_s)
    assert said.code == 0, said.err
    expected: dict[str, list[tuple[int, float]]] = {}
    for each in sorted(consume(kafka_broker.address, "BACK_sampleEnv"), key=lambda each: each.timestamp_ms):
        if schema_of(each.value or b"") == "f144":
            log = deserialise_f144(each.value or b"")
            held = expected.setdefault(log.source_name, [])
            if held and held[-1][0] < start_s * NS > log.timestamp_unix_ns:
                held.clear()
            held.append((log.timestamp_unix_ns, float(log.value)))
    assert expected.pop("LONG_AGO")
    expected["FIXED"] = [((start_s - 30) * NS, 2.0)]
    with h5py.File(path) as file:
        assert values(file) == expected
        assert [len(expected[pv]) for pv in ("CONSTANT", "LAST_MONTH", "CHANGES")] == [1, 1, 6]
        constant, fixed = file["entry/selog/CONSTANT"], file["entry/selog/FIXED"]
        assert constant["value"].attrs["units"] == "K"
        assert constant["connection_status"].asstr()[()].tolist() == ["CONNECTED"]
        assert constant["alarm_message"].asstr()[()].tolist() == ["too warm"]
        assert fixed["alarm_severity"].asstr()[()].tolist() == ["MAJOR"]
        assert fixed["alarm_time"][()].tolist() == [(start_s - 40) * NS]
        assert (
            file["entry/start_time"].asstr()[()].startswith(f"{datetime.fromtimestamp(start_s, UTC):%Y-%m-%dT%H:%M:%S}")
        )
        assert file["entry"].attrs["messages_not_stored"] == 0


@pytest.mark.parametrize(
    ("look_back", "expected"),
    [("0", {"CHANGES"}), ("55", {"CHANGES", "CONSTANT", "FIXED"}), ("1e9", None)],
    ids=["off", "less than a minute", "decades"],
)
def test_how_long_before(
    kafka_broker: Broker, tmp_path: Path, start_s: int, look_back: str, expected: set[str] | None
) -> None:
    path = tmp_path / "back.nxs"
    said = record(kafka_broker, path, start_s, "--look-back", look_back)
    assert said.code == 0, said.err
    with h5py.File(path) as file:
        assert values(file).keys() == (expected or {"CHANGES", "CONSTANT", "FIXED", "LAST_MONTH", "LONG_AGO"})


def test_while_values_come_none_is_there_twice_and_none_is_lost(kafka_broker: Broker, tmp_path: Path) -> None:
    kafka_broker.create_topic("FLOWS_sampleEnv", 1)
    producer = Producer({"bootstrap.servers": kafka_broker.address, "linger.ms": 1})
    producer.produce("FLOWS_sampleEnv", serialise_f144("CONSTANT", 4.0, NS))
    over = threading.Event()

    def flow() -> None:
        for number in count():
            producer.produce("FLOWS_sampleEnv", serialise_f144("COUNTER", number, number))
            producer.poll(0)
            if over.wait(0.0005):
                return

    flowing = threading.Thread(target=flow)
    flowing.start()
    path = tmp_path / "flows.nxs"
    try:
        said = command("record", "FLOWS", str(path), "--until", "1", "--output-broker", kafka_broker.address)
    finally:
        over.set()
        flowing.join()
    assert producer.flush(10) == 0
    assert said.code == 0, said.err
    with h5py.File(path) as file:
        assert values(file)["CONSTANT"] == [(NS, 4.0)]
        numbers = file["entry/selog/COUNTER/value"][()].tolist()
        assert len(numbers) > 100
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.mark.parametrize("wrong", ["-1", "nan", "inf"])
def test_no_time_to_look_back(kafka_broker: Broker, tmp_path: Path, wrong: str) -> None:
    said = command("record", "X", str(tmp_path / "a"), "--look-back", wrong, "--output-broker", kafka_broker.address)
    expected = f"forwarder: --look-back {wrong}: allowed: a number of seconds, 0 or more\n"
    assert (said.code, said.err) == (2, expected)
