"""What the documents say to type and to run, against a real Kafka and the demo."""

import json
import re
import shlex
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from forwarder.commands import parse
from forwarder.encode import ep00, f142, f144
from forwarder.model import Add, ChannelType, ConnectionState, ValueType
from tests.integration.cli.rig import command
from tests.support.kafka import Broker
from tests.support.processes import spawn
from tests.support.waiting import wait_until
from tests.unit.docs.pages import blocks

T_NS = 1_700_000_000_123_456_789
DOUBLE = ChannelType(ValueType.FLOAT64, False)
TEXT = ChannelType(ValueType.STRING, False)


def of(page: str, kind: str) -> list[str]:
    return [block.text for block in blocks(kind) if block.place.startswith(page)]


def test_the_reader_in_python_reads_what_the_forwarder_writes(
    kafka_broker: Broker, unique: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    topic = unique("read")
    kafka_broker.create_topic(topic)
    producer = Producer({"bootstrap.servers": kafka_broker.address})
    for message in (
        ep00.encode(b"A", ConnectionState.CONNECTED, T_NS, "fwd"),
        f142.encoder("A", DOUBLE).encode(2.5, T_NS),
        f142.encoder("T", TEXT).encode("vanadium", T_NS),
        f144.encoder("B", DOUBLE).encode(-1.0, T_NS),
    ):
        producer.produce(topic, message)
    assert producer.flush(10) == 0
    functions, use = of("docs/how-to/read-from-python.md", "python")
    use = use.replace("broker:9092", kafka_broker.address).replace("LARMOR_sampleEnv", topic)
    namespace: dict[str, Any] = {}
    exec(functions + use.replace("count=10", "count=3"), namespace)
    assert capsys.readouterr().out.splitlines() == [
        "A is there",
        f"A 2.5 {T_NS}",
        f"T vanadium {T_NS}",
        f"B -1.0 {T_NS}",
    ]


def test_the_commands_of_the_readme_say_the_same() -> None:
    namespace: dict[str, Any] = {}
    exec(of("README.md", "python")[0], namespace)
    said = parse(namespace["message"])
    assert isinstance(said, Add)
    assert said == parse(json.dumps(json.loads(of("README.md", "json")[0])).encode())


def test_the_tutorial_leads_to_a_plot() -> None:
    with spawn("demo", [sys.executable, "-m", "forwarder", "demo"]) as demo:
        wait_until(lambda: "DEMO:CS:SB:TEMP1=" in demo.log(), 30, what="the first values are shown")
        found = re.search(r"demo: its Kafka is (\S+)", demo.log())
        assert found, demo.log()

        def run(part: str, *more: str) -> Any:
            (text,) = (one for one in of("docs/tutorial", "console") if part in one)
            line = text.strip().removeprefix("$ .venv/bin/forwarder ").replace("127.0.0.1:38417", found[1])
            return command(*shlex.split(line), *more)

        shown = run("watch DEMO_sampleEnv --output", "--count", "5")
        assert shown.code == 0, shown
        plot = run("--plot", "--count", "20")
        assert plot.code == 0, plot
        assert "DEMO:CS:SB:TEMP1" in "\n".join(plot.lines)
        for part in ("streams remove", "streams add"):
            assert run(part).code == 0
        demo.send(signal.SIGINT)
        assert demo.wait(30) == 0, demo.log()
