"""`forwarder watch` with messages of a real Kafka."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer

from forwarder.encode import ep01, f142, f144
from forwarder.model import ChannelType, ConnectionState, ValueType
from tests.integration.cli.rig import Said, command
from tests.support.kafka import Broker
from tests.support.processes import spawn
from tests.support.waiting import wait_until

T_MS = 1_700_000_000_000
DOUBLE = ChannelType(ValueType.FLOAT64, False)


def messages() -> Iterator[tuple[str, bytes]]:
    """Of two PVs in turn, a second apart, with two that are nothing at all."""
    yield "A", ep01.encode(b"A", ConnectionState.CONNECTED, T_MS * 1_000_000, "fwd")
    for number in range(10):
        time_ns = (T_MS + number * 1000) * 1_000_000
        yield "A", f144.encoder("A", DOUBLE).encode(float(number), time_ns)
        yield "B", f142.encoder("B", DOUBLE).encode_with_alarm(-float(number), time_ns, 3, 2)
    yield "C", b"what is this?"
    yield "C", f144.encoder("C", DOUBLE).encode(1.0, T_MS)[:20]


@pytest.fixture(scope="module")
def topic(kafka_broker: Broker) -> str:
    """Two partitions, each in order."""
    kafka_broker.create_topic("watched", 2)
    producer = Producer({"bootstrap.servers": kafka_broker.address})
    for number, (key, value) in enumerate(messages()):
        producer.produce("watched", value, key, partition=number % 2, timestamp=T_MS + number * 500)
    assert producer.flush(10) == 0
    return "watched"


@pytest.fixture
def watch(kafka_broker: Broker, topic: str) -> Callable[..., Said]:
    return lambda *arguments: command("watch", topic, "--output-broker", kafka_broker.address, *arguments)


ALL = ("--from", "beginning", "--until", "end")


def test_every_message_is_a_line(watch: Callable[..., Said]) -> None:
    said = watch(*ALL)
    assert said.code == 0
    assert len(said.lines) == 23
    assert "2023-11-14 22:13:20.000  ep01  A  CONNECTED" in said.lines
    assert "2023-11-14 22:13:29.000  f144  A  9" in said.lines
    assert "2023-11-14 22:13:23.000  f142  B  -3  MAJOR HIHI" in said.lines
    undecodable = [line for line in said.lines if "  C  " in line]
    assert any("13 bytes in no known schema" in line for line in undecodable)
    assert any("f144 of 20 bytes is damaged" in line for line in undecodable)


def test_the_summary(watch: Callable[..., Said]) -> None:
    said = watch(*ALL, "--quiet")
    assert said.out == ""
    rows = [line.split() for line in said.err.splitlines() if line.startswith("watched")]
    assert [(row[1], row[2], row[4], row[6]) for row in rows] == [
        ("?", "1", "1", "1"),
        ("ep01", "1", "1", "0"),
        ("f142", "10", "1", "0"),
        ("f144", "11", "2", "1"),
    ]
    assert rows[2][3] == "1.0", "ten messages, one each second"
    assert said.err.endswith("23 messages\n")


FILTERS = {
    "a PV": (("--pv", "A"), 11),
    "a pattern": (("--pv", "[A"), 0),
    "two patterns": (("--pv", "A", "--pv", "?"), 23),
    "a schema": (("--schema", "f142"), 10),
    "a schema of a PV": (("--schema", "f144", "--pv", "A"), 10),
    "the last of all partitions": (("--from", "-5"), 5),
    "more than there are": (("--from", "-500"), 23),
    "an offset": (("--from", "offset:10"), 3),
    "a time": (("--from", "time:2023-11-14T22:13:30"), 3),
    "a time with a zone": (("--from", "time:2023-11-14T23:13:30+01:00"), 3),
    "a count": (("-n", "7"), 7),
    "the end": (("--from", "end"), 0),
}


@pytest.mark.parametrize(("arguments", "count"), FILTERS.values(), ids=FILTERS)
def test_what_is_shown(watch: Callable[..., Said], arguments: tuple[str, ...], count: int) -> None:
    said = watch(*ALL, *arguments)
    assert (said.code, len(said.lines)) == (0, count), said.err


def test_the_last_messages_come_in_the_order_of_their_times(watch: Callable[..., Said]) -> None:
    said = watch("--from", "-5", "--until", "end", "--json")
    times = [json.loads(line)["kafka_time_ms"] for line in said.lines]
    assert times == [T_MS + number * 500 for number in range(18, 23)]


def test_json_has_all_of_it(watch: Callable[..., Said]) -> None:
    found = [json.loads(line) for line in watch(*ALL, "--json", "--pv", "B").lines]
    assert [each["value"] for each in found] == [-float(number) for number in range(10)]
    assert found[3] == {
        "topic": "watched", "partition": 0, "offset": 4, "kafka_time_ms": T_MS + 4000, "key": "B", "schema": "f142",
        "name": "B", "time_ns": (T_MS + 3000) * 1_000_000, "value": -3.0, "alarm": "MAJOR HIHI",
        "fields": {"source_name": "B", "value_type": "Double", "value": -3.0,
                   "timestamp": (T_MS + 3000) * 1_000_000, "status": "HIHI", "severity": "MAJOR"},
    }  # fmt: skip


def test_a_drawing(watch: Callable[..., Said]) -> None:
    said = watch(*ALL, "--pv", "A", "--pv", "B", "--plot")
    assert said.code == 0
    assert "A = 9  (10 readings)" in said.lines
    assert "B = -9  (10 readings)" in said.lines
    assert any(line.startswith("          9 ┤") for line in said.lines)


def test_several_topics_say_which(kafka_broker: Broker, topic: str, unique: Callable[[str], str]) -> None:
    other = unique("other")
    kafka_broker.create_topic(other)
    address = f"{kafka_broker.address}/{other}"
    said = command("watch", topic, address, "--output-broker", kafka_broker.address, *ALL, "--pv", "A", "-n", "1")
    assert "  watched" in said.lines[0]


def test_ctrl_c_ends_it_with_the_summary(kafka_broker: Broker, topic: str, unique: Callable[[str], str]) -> None:
    live = unique("live")
    kafka_broker.create_topic(live)
    line = [sys.executable, "-m", "forwarder", "watch", live, "--from", "beginning"]
    with spawn("watch", [*line, "--output-broker", kafka_broker.address]) as watching:
        producer = Producer({"bootstrap.servers": kafka_broker.address})
        for key, value in messages():
            producer.produce(live, value, key)
        assert producer.flush(10) == 0
        wait_until(lambda: watching.log().count("\n") >= 23, 30, what="all are shown")
        watching.send(signal.SIGINT)
        assert watching.wait(10) == 0
        assert watching.log().endswith("23 messages\n")


def test_a_pipe_that_has_had_enough(kafka_broker: Broker, topic: str) -> None:
    line = [sys.executable, "-m", "forwarder", "watch", topic, "--output-broker", kafka_broker.address, *ALL]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr


WRONG = {
    "a topic": (("nowhere",), 1, "the topic nowhere: it does not exist"),
    "a place": (("watched", "--from", "noon"), 2, "invalid value for --from: noon: allowed: beginning, end, offset:N"),
    "a name": (("no topic",), 2, 'topic: "no topic" has a topic that Kafka does not allow'),
    "a schema": (("watched", "--schema", "f124"), 2, "invalid value for --schema: f124: there are 6s4t, ?, ADAr, NDAr"),
    "a drawing of all": (("watched", "--plot"), 2, "--plot draws chosen PVs; say which with --pv"),
}


@pytest.mark.parametrize(("arguments", "code", "complaint"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line(
    kafka_broker: Broker, topic: str, arguments: tuple[str, ...], code: int, complaint: str
) -> None:
    said = command("watch", *arguments, "--output-broker", kafka_broker.address)
    assert (said.code, said.out) == (code, "")
    assert complaint in said.err.splitlines()[0]
