"""The log of a real process: what SIGHUP does, what a flood leaves in it, and a Graylog that hangs."""

import json
import signal
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from confluent_kafka import Producer
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType

from forwarder.demo.child import Child
from tests.integration.service.rig import stream
from tests.support.consume import consume
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.graylog import TcpGraylog, UdpGraylog
from tests.support.kafka import Broker
from tests.support.processes import spawn
from tests.support.waiting import wait_until

PATIENCE_S = 20.0
FLOOD = 10_000


def forwarder(tmp_path: Path, *flags: str, environment: Mapping[str, str] | None = None) -> Child:
    """One without Kafka, which has enough to say too."""
    nowhere = ["--config-topic", "127.0.0.1:1/commands", "--output-broker", "127.0.0.1:1"]
    command = [sys.executable, "-m", "forwarder", "run", *nowhere, "--state-directory", str(tmp_path / "state"), *flags]
    quiet = {f"EPICS_{each}_AUTO_ADDR_LIST": "NO" for each in ("CA", "PVA")}
    return spawn("forwarder", command, environment={**quiet, **(environment or {})})


def has(file: Path, text: str) -> bool:
    return file.exists() and text in file.read_text()


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_sighup_changes_levels_and_opens_a_moved_file_again(loop: str, tmp_path: Path) -> None:
    (settings := tmp_path / "forwarder.toml").write_text('verbosity = "Warning"\nlinger = 5\n')
    file = tmp_path / "logs" / "dev_forwarder" / "forwarder.log"
    flags = ["--log-directory", str(tmp_path / "logs"), "--profile", "development", "-c", str(settings)]
    with forwarder(tmp_path, *flags, "--event-loop", loop) as child:
        wait_until(lambda: has(file, "Kafka at 127.0.0.1:1 is away"), PATIENCE_S)
        assert not has(file, "INFO")

        file.rename(moved := file.with_name("forwarder.log-20260131"))
        settings.write_text('verbosity = "Info"\nlinger = 7\nlog-level = ["forwarder.kafka=Debug"]\n')
        child.send(signal.SIGHUP)
        wait_until(lambda: has(file, "the log has the level INFO, forwarder.kafka DEBUG"), PATIENCE_S)
        wait_until(lambda: has(file, "without effect until a restart: linger\n"), PATIENCE_S)
        assert not has(moved, "read again")

        settings.write_text('verbosity = "Loud"\n')
        child.send(signal.SIGHUP)
        wait_until(lambda: has(file, 'stay as they were: verbosity: "Loud" from forwarder.toml line 1'), PATIENCE_S)

        assert child.terminate() == 0
        assert has(file, ": stopped: {"), "the level is still the one that was right"


def test_every_line_is_json_and_no_secret_is_in_any(tmp_path: Path) -> None:
    file = tmp_path / "f.log"
    (settings := tmp_path / "forwarder.ini").write_text("sasl-password=battery-staple\n")
    address = r"SASL_PLAINTEXT+PLAIN\me@127.0.0.1:1"
    with UdpGraylog() as graylog:
        flags = [
            *("--config-topic", f"{address}/commands", "--output-broker", address, "-c", str(settings)),
            *("--log-format", "json", "--log-file", str(file), "-v", "Trace", "--service-id", "one"),
            *("--graylog-logger-address", f"udp://127.0.0.1:{graylog.port}"),
        ]
        secret = {"OUTPUT_BROKER_SASL_PASSWORD": "correct-horse"}
        with forwarder(tmp_path, *flags, environment=secret) as child:
            wait_until(lambda: has(file, "waiting for the config topic"), PATIENCE_S)
            settings.write_text("sasl-password=tr0ub4dor\n")
            child.send(signal.SIGHUP)
            wait_until(lambda: has(file, "without effect until a restart: "), PATIENCE_S)
            assert child.terminate() == 0
            console = child.log()
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        received = [graylog.read() for _ in lines]
    assert console == file.read_text()
    assert {(line["service_id"], line["profile"]) for line in lines} == {("one", "local")}
    assert any("until a restart: sasl-password" in line["message"] for line in lines)
    assert [record["short_message"] for record in received] == [line["message"] for line in lines]
    assert {(record["_service_id"], record["_profile"]) for record in received} == {("one", "local")}
    for text in ("correct-horse", "battery-staple", "tr0ub4dor"):
        assert text not in console
        assert text not in json.dumps(received)


def test_a_flood_of_bad_commands_and_a_graylog_that_hangs(
    kafka_broker: Broker, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """Few lines are left of ten thousand, and values go on flowing all the time."""
    topics, data = Topics(unique("config"), unique("status")), unique("data")
    for topic in (topics.config, topics.status, data):
        kafka_broker.create_topic(topic)
    with TcpGraylog(hangs=True) as graylog:
        flags = [
            *("-v", "Trace", "--log-file", str(tmp_path / "f.log"), "--fake-pv-period", "20"),
            *("--graylog-logger-address", f"tcp://127.0.0.1:{graylog.port}"),
        ]
        with ForwarderProcess(kafka_broker.address, topics, flags=flags) as process:
            process.order(UpdateType.ADD, [stream("FAKE:PV", data, Protocol.FAKE)])
            consume(kafka_broker.address, data, 20)
            producer = Producer({"bootstrap.servers": kafka_broker.address})
            for number in range(FLOOD):
                producer.produce(topics.config, b'{"cmd": "dance %d"}' % number)
                producer.poll(0)
            assert producer.flush(PATIENCE_S) == 0
            wait_until(
                lambda: process.statuses()[-1]["config"]["refused"].get("json") == FLOOD,
                PATIENCE_S,
                what="all are refused",
            )
            assert process.stop() == 0
            lines = [line for line in process.log.splitlines() if "forwarder.control" in line]
    assert len(lines) < 120
    assert sum("is not obeyed" in line and "more like this" not in line for line in lines) == 100
    (summary,) = [line for line in lines if "more like this" in line]
    assert f"{FLOOD - 100} more like this within 60 s" in summary
    assert (tmp_path / "f.log").read_text().count("is not obeyed") == 101
    times = [record.timestamp_ms for record in consume(kafka_broker.address, data) if b"f142" in (record.value or b"")]
    assert max(later - earlier for earlier, later in pairwise(times)) < 3000
