"""What the documents say to type and to run, against a real Kafka and the demo."""

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
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


def test_the_tutorial_leads_to_a_plot_and_a_file(tmp_path: Path) -> None:
    with spawn("demo", [sys.executable, "-m", "forwarder", "demo"]) as demo:
        wait_until(lambda: "DEMO:CS:SB:TEMP1=" in demo.log(), 30, what="the first values are shown")
        found = re.search(r"demo: its Kafka is (\S+)", demo.log())
        assert found, demo.log()

        def run(part: str, *more: str) -> Any:
            (text,) = (one for one in of("docs/tutorial", "console") if part in one)
            line = text.strip().removeprefix("$ .venv/bin/forwarder ").replace("127.0.0.1:38417", found[1])
            return command(*shlex.split(line.replace("demo.nxs", str(path))), *more)

        path = tmp_path / "demo.nxs"

        shown = run("watch DEMO_sampleEnv --output", "--count", "5")
        assert shown.code == 0, shown
        plot = run("--plot", "--count", "20")
        assert plot.code == 0, plot
        assert "DEMO:CS:SB:TEMP1" in "\n".join(plot.lines)
        for part in ("streams add", "streams remove"):
            assert run(part).code == 0
        # A whole run takes longer than all else here.
        recorded = run("record DEMO", "--until", "end")
        assert recorded.code == 0, recorded
        (text,) = (one for one in of("docs/tutorial", "console") if "h5py" in one)
        _, flag, program = shlex.split(text.strip().removeprefix("$ "))
        shown = subprocess.run(
            [sys.executable, flag, program], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert len(shown.stdout.split()) == 5
        namespace: dict[str, Any] = {}
        exec(of("docs/how-to/record.md", "python")[0], namespace)
        (at, value), *_ = namespace["readings"](path, "TEMP1")
        assert at.tzinfo is not None
        assert 290 < value < 310
        demo.send(signal.SIGINT)
        assert demo.wait(30) == 0, demo.log()
