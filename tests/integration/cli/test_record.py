"""`forwarder record`: what is in the file is what somebody else reads from the topics, value by value."""

import signal
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
import pytest
from confluent_kafka import Producer
from streaming_data_types.area_detector_ad00 import serialise_ad00
from streaming_data_types.eventdata_ev44 import deserialise_ev44, serialise_ev44
from streaming_data_types.logdata_f144 import deserialise_f144, serialise_f144
from streaming_data_types.run_start_pl72 import serialise_pl72
from streaming_data_types.run_stop_6s4t import serialise_6s4t

from forwarder.demo.decode import decode_f142, schema_of
from tests.integration.cli.rig import Said, Site, command
from tests.support.consume import consume
from tests.support.kafka import Broker
from tests.support.processes import spawn
from tests.support.waiting import wait_until

Row: TypeAlias = tuple[int, Any]
"""Time and value."""

PVS = "CLI:WARM", "CLI:SPECTRUM", "CLI:TITLE", "CLI:STATE", "CLI:SHORTS"
LAST = {
    "CLI:WARM": 299.5, "CLI:TITLE": "sample 9", "CLI:STATE": 1, "CLI:SPECTRUM": [0, 1], "CLI:SHORTS": [-9, 9]
}  # fmt: skip
"""What the IOC is told last."""
NUMBERS_ONLY = tuple(pv for pv in PVS if pv != "CLI:TITLE")
T_MS = 1_700_000_000_000
ALL = ("--from", "beginning", "--until", "end")
PIXELS = np.random.default_rng(1)


@pytest.fixture(scope="module")
def instrument(shared_site: Site) -> Iterator[Site]:
    """CLI with a forwarder that has carried values of an IOC, events, runs, and what nobody can read."""
    site, broker = shared_site, shared_site.broker
    for topic, partitions in (("CLI_runLog", 1), ("CLI_runInfo", 1), ("CLI_events", 2)):
        broker.create_topic(topic, partitions)
    # What the tests of other files have left there.
    broker.empty_topic("CLI_sampleEnv")
    add = "streams", "add", "--topic"
    assert site.command(*add, "CLI_sampleEnv", *PVS, "--schema", "f142").code == 0
    assert site.command(*add, "CLI_sampleEnv", *NUMBERS_ONLY, "--schema", "f144").code == 0
    assert site.command(*add, "CLI_runLog", "CLI:WARM", "--schema", "f144").code == 0
    for number in range(10):
        site.ioc.put("CLI:WARM", 290.5 + number)
        site.ioc.put("CLI:TITLE", f"sample {number}")
        site.ioc.put("CLI:STATE", number % 2)
        site.ioc.put("CLI:SPECTRUM", list(range(number % 8 + 1)))
        site.ioc.put("CLI:SHORTS", [-number, number])
    producer = Producer({"bootstrap.servers": broker.address})
    for number, (topic, value) in enumerate(others()):
        producer.produce(topic, value, partition=number % 2 if topic == "CLI_events" else 0, timestamp=T_MS + number)
    assert producer.flush(10) == 0
    for pv, last in LAST.items():
        for schema in ("f142", "f144") if pv in NUMBERS_ONLY else ("f142",):
            wait_until(partial(has_come, broker, "CLI_sampleEnv", pv, schema, last), 20, what=f"{pv} has come: {last}")
    wait_until(partial(has_come, broker, "CLI_runLog", "CLI:WARM", "f144", 299.5), 20, what="the run log has come")
    yield site
    assert site.command("streams", "clear", "--yes").code == 0


def others() -> Iterator[tuple[str, bytes]]:
    """Messages that no forwarder makes, and some that are broken."""
    yield "CLI_runInfo", serialise_pl72("job", "", run_name="17", instrument_name="CLI", start_time=T_MS)
    for number in range(50):
        count = int(PIXELS.integers(0, 200))
        times, pixels = PIXELS.integers(0, 2**31 - 1, (2, count))
        source = ("detector_1", "monitor_1")[number % 3 == 0]
        yield "CLI_events", serialise_ev44(source, number, [(T_MS + number) * 10**6], [0], times, pixels)
        if number == 25:
            yield "CLI_events", b"what is this?"
            yield "CLI_sampleEnv", serialise_f144("BROKEN", 1.0, T_MS * 10**6)[:24]
            yield "CLI_sampleEnv", serialise_ad00("CAM", 1, T_MS * 10**6, np.zeros((2, 2)), [])
    yield "CLI_runInfo", serialise_6s4t("job", run_name="17", stop_time=T_MS + 60_000)


def record(broker: Broker, path: Path, *arguments: str) -> Said:
    return command("record", "CLI", str(path), "--output-broker", broker.address, *arguments)


@pytest.fixture(scope="module")
def recorded(instrument: Site, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    path = tmp_path_factory.mktemp("record") / "all.nxs"
    return path, record(instrument.broker, path, *ALL)


def values(broker: Broker, topic: str) -> dict[tuple[str, str], list[Row]]:
    """By PV and schema, as an independent client and the libraries' own readers have them."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for record in consume(broker.address, topic):
        assert record.value is not None
        schema = schema_of(record.value)
        if schema == "f142":
            reading = decode_f142(record.value)
            found[reading.pv, schema].append((reading.time_ns, reading.value))
        elif schema == "f144" and len(record.value) > 24:
            log = deserialise_f144(record.value)
            found[log.source_name, schema].append((log.timestamp_unix_ns, log.value))
    return found


def has_come(broker: Broker, topic: str, pv: str, schema: str, value: Any) -> bool:
    """Whether this is the newest value."""
    return any(np.array_equal(held, value) for _, held in values(broker, topic)[pv, schema][-1:])


def logs(group: Any) -> dict[tuple[str, str], list[Row]]:
    """The same as the file has it."""
    return {(log.attrs["pv"], log.attrs["schema"]): rows(log) for log in group.values() if "value" in log}


def rows(log: Any) -> list[Row]:
    value, times = log["value"], log["time"][()].tolist()
    held: Iterable[Any] = value.asstr()[()] if value.dtype.kind == "O" else value[()]
    if "value_length" in log:
        held = [row[:length] for row, length in zip(held, log["value_length"][()], strict=True)]
    return list(zip(times, held, strict=True))


def same(one: Sequence[Row], other: Sequence[Row]) -> bool:
    return [(at, np.asarray(value).tolist()) for at, value in one] == [
        (at, np.asarray(value).tolist()) for at, value in other
    ]


@pytest.mark.parametrize(("topic", "group"), [("CLI_sampleEnv", "selog"), ("CLI_runLog", "runlog")])
def test_every_value_and_its_time_are_in_the_file(
    instrument: Site, recorded: tuple[Path, Said], topic: str, group: str
) -> None:
    path, said = recorded
    assert said.code == 0, said.err
    sent = values(instrument.broker, topic)
    if group == "selog":
        assert {pv for pv, _ in sent} == set(PVS)
        # An IOC that gets no CPU merges updates.
        assert {pv: len(sent[pv, "f142"]) for pv in PVS if len(sent[pv, "f142"]) < 3} == {}
    with h5py.File(path) as file:
        written = logs(file["entry"][group])
        assert written.keys() == sent.keys()
        for which, expected in sent.items():
            assert same(written[which], expected), (which, written[which], expected)
        if group == "selog":
            types = {log.attrs["pv"]: log["value"].dtype for log in file["entry/selog"].values() if "value" in log}
            assert [types[pv].str for pv in NUMBERS_ONLY] == ["<f8", "<i4", "<i4", "<i2"]
            assert file["entry/selog/CLI_TITLE/connection_status"].asstr()[0] == "CONNECTED"
            assert file["entry/selog/CLI_TITLE/alarm_severity"].asstr()[0] == "NO_ALARM"


def test_the_units_that_the_forwarder_tells(recorded: tuple[Path, Said]) -> None:
    with h5py.File(recorded[0]) as file:
        assert file["entry/runlog/CLI_WARM/value"].attrs["units"] == "K"


def test_every_event_is_in_the_file(instrument: Site, recorded: tuple[Path, Said]) -> None:
    sent: dict[str, list[Any]] = defaultdict(list)
    for record in consume(instrument.broker.address, "CLI_events"):
        if record.value is not None and schema_of(record.value) == "ev44":
            message = deserialise_ev44(record.value)
            sent[message.source_name].append(message)
    with h5py.File(recorded[0]) as file:
        for source, messages in sent.items():
            group = file[f"entry/{source}_events"]
            starts, ends = group["event_index"][()], [*group["event_index"][1:], group["total_counts"][()]]
            found = {
                int(pulse): (group["event_time_offset"][start:end].tolist(), group["event_id"][start:end].tolist())
                for pulse, start, end in zip(group["event_time_zero"], starts, ends, strict=True)
            }
            assert found == {
                each.reference_time[0]: (each.time_of_flight.tolist(), each.pixel_id.tolist()) for each in messages
            }


def test_the_run(recorded: tuple[Path, Said]) -> None:
    with h5py.File(recorded[0]) as file:
        entry = file["entry"]
        assert [entry[name].asstr()[()] for name in ("title", "start_time", "end_time", "instrument/name")] == [
            "17", "2023-11-14T22:13:20.000000Z", "2023-11-14T22:14:20.000000Z", "CLI"
        ]  # fmt: skip
        assert file["entry/plot/value"].ndim == 1


def test_what_is_not_in_the_file_is_counted_and_named(recorded: tuple[Path, Said]) -> None:
    path, said = recorded
    for part in (
        "1 message not in the file: CLI_events: ?: 13 bytes in no known schema",
        "1 message not in the file: CLI_sampleEnv: f144: f144 of 24 bytes is damaged",
        "1 message not in the file: CLI_sampleEnv: ad00 CAM: ad00 has no place in the file",
    ):
        assert part in said.err
    assert said.lines[-1].startswith(f"{path}: ")
    assert said.lines[-1].endswith("3 not stored")
    with h5py.File(path) as file:
        assert file["entry"].attrs["messages_not_stored"] == 3


def test_a_run_that_is_over_is_recorded_alone(instrument: Site, tmp_path: Path) -> None:
    """Its 51 messages but for the two that are out of its time; the forwarder's came years later."""
    path = tmp_path / "run.nxs"
    said = record(instrument.broker, path, "--from", "run-start", "--until", "run-stop")
    assert said.code == 0, said.err
    with h5py.File(path) as file:
        assert file["entry/title"].asstr()[()] == "17"
        assert list(file["entry/runlog"]) == []
        assert file["entry/detector_1_events/event_index"].shape == (33,)


def test_a_file_that_is_there_is_refused_before_anything_is_read(instrument: Site, tmp_path: Path) -> None:
    path = tmp_path / "there.nxs"
    path.write_text("precious")
    said = record(instrument.broker, path, *ALL)
    assert (said.code, said.err.splitlines()[-1]) == (
        1,
        f"forwarder: {path} is there already; --force overwrites it",
    )
    assert path.read_text() == "precious"
    assert record(instrument.broker, path, *ALL, "--force").code == 0
    with h5py.File(path) as file:
        assert len(file["entry/selog"]) > 0


def test_so_many_seconds_from_now_on(instrument: Site, tmp_path: Path) -> None:
    path = tmp_path / "seconds.nxs"
    begun = time.monotonic()
    said = record(instrument.broker, path, "--until", "0.5")
    assert said.code == 0, said.err
    assert 0.5 <= time.monotonic() - begun < 5
    with h5py.File(path) as file:
        assert file["entry/title"].asstr()[()] == "CLI without a run"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_ends_it_with_a_whole_file(instrument: Site, tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "live.nxs"
    line = [sys.executable, "-m", "forwarder", "record", "CLI", str(path), "--from", "beginning"]
    with spawn("record", [*line, "--output-broker", instrument.broker.address]) as recording:
        part = tmp_path / "live.nxs.part"
        wait_until(lambda: "3 not stored" in recording.log(), 30, what="all has been read")
        assert part.exists()
        assert not path.exists()
        recording.send(number)
        assert recording.wait(10) == 0, recording.log()
    assert not part.exists()
    with h5py.File(path) as file:
        sent = values(instrument.broker, "CLI_sampleEnv")
        written = logs(file["entry/selog"])
        assert all(same(written[which], expected) for which, expected in sent.items())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_before_there_is_a_file_is_no_success(tmp_path: Path, number: signal.Signals) -> None:
    line = [sys.executable, "-m", "forwarder", "record", "CLI", str(tmp_path / "a.nxs")]
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.settimeout(20)
        line += ["--output-broker", f"127.0.0.1:{broker.getsockname()[1]}"]
        with spawn("record", line) as recording:
            connection, _ = broker.accept()
            with connection:
                recording.send(number)
                assert recording.wait(10) == 130, recording.log()
    assert recording.log().splitlines()[-1] == "ended before there was a file"
    assert list(tmp_path.iterdir()) == []


def test_a_live_run_ends_it(instrument: Site, tmp_path: Path) -> None:
    broker = instrument.broker
    for suffix in ("sampleEnv", "runInfo"):
        broker.create_topic(f"LIVE_{suffix}")
    producer = Producer({"bootstrap.servers": broker.address})

    def send(suffix: str, value: bytes) -> None:
        producer.produce(f"LIVE_{suffix}", value)
        assert producer.flush(10) == 0

    send("runInfo", serialise_pl72("job", "", run_name="5", instrument_name="LIVE", start_time=now_ms()))
    send("sampleEnv", serialise_f144("A", 1.0, 1))
    path = tmp_path / "live.nxs"
    line = [sys.executable, "-m", "forwarder", "record", "LIVE", str(path), "--from", "run-start"]
    line += ["--until", "run-stop", "--output-broker", broker.address]
    with spawn("record", line) as recording:
        wait_until(
            lambda: "2 messages" in recording.log() or (tmp_path / "live.nxs.part").exists(), 30, what="it reads"
        )
        send("sampleEnv", serialise_f144("A", 2.0, 2))
        send("runInfo", serialise_6s4t("job", run_name="5", stop_time=now_ms()))
        send("sampleEnv", serialise_f144("A", 3.0, 3))
        assert recording.wait(20) == 0, recording.log()
        for topic in ("LIVE_runLog", "LIVE_events"):
            assert f"warning: the topic {topic}: it does not exist; it is not recorded" in recording.log()
    with h5py.File(path) as file:
        assert file["entry/title"].asstr()[()] == "5"
        assert file["entry/selog/A/value"][()].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("begin", ["beginning", "run-start"])
def test_a_run_whose_stop_has_a_time_before_its_start(kafka_broker: Broker, tmp_path: Path, begin: str) -> None:
    name = f"SKEW-{begin}"
    for suffix in ("runInfo", "sampleEnv"):
        kafka_broker.create_topic(f"{name}_{suffix}")
    producer = Producer({"bootstrap.servers": kafka_broker.address})
    start = serialise_pl72("job", "", run_name="3", instrument_name=name, start_time=T_MS)
    stop = serialise_6s4t("job", run_name="3", stop_time=T_MS - 60_000)
    for number, (suffix, message) in enumerate(
        (("runInfo", start), ("sampleEnv", serialise_f144("A", 1.0, T_MS * 10**6)), ("runInfo", stop))
    ):
        producer.produce(f"{name}_{suffix}", message, timestamp=T_MS + number)
    assert producer.flush(10) == 0
    path = tmp_path / "skew.nxs"
    said = command(
        "record", name, str(path), "--from", begin, "--until", "run-stop", "--output-broker", kafka_broker.address
    )  # fmt: skip
    assert said.code == 0, said.err
    with h5py.File(path) as file:
        assert file["entry/title"].asstr()[()] == "3"
        assert file["entry/selog/A/value"][()].tolist() == [1.0]
        assert file["entry/run_info/value"][()].tolist() == [1, 0]


def test_what_begins_within_a_run_has_its_name_and_not_its_start(kafka_broker: Broker, tmp_path: Path) -> None:
    kafka_broker.create_topic("WITHIN_runInfo")
    producer = Producer({"bootstrap.servers": kafka_broker.address})
    start = serialise_pl72("job", "", run_name="9", instrument_name="WITHIN", start_time=T_MS)
    producer.produce("WITHIN_runInfo", start)
    assert producer.flush(10) == 0
    path = tmp_path / "within.nxs"
    said = command("record", "WITHIN", str(path), "--until", "0.1", "--output-broker", kafka_broker.address)
    assert said.code == 0, said.err
    with h5py.File(path) as file:
        assert file["entry/title"].asstr()[()] == "9"
        began = datetime.fromisoformat(file["entry/start_time"].asstr()[()])
        assert abs(began.timestamp() - time.time()) < 60


def now_ms() -> int:
    return time.time_ns() // 1_000_000


WRONG = {
    "a place": (("--from", "noon"), 2, "--from noon: allowed: run-start, now, beginning or time:ISO"),
    "a time": (("--from", "time:noon"), 2, '--from time:noon: "noon" is not a time such as'),
    "an end": (("--until", "noon"), 2, "--until noon: allowed: run-stop, end, or a number of seconds"),
    "a negative number": (("--until", "-1"), 2, "--until -1: allowed: run-stop, end, or a number of seconds"),
}


@pytest.mark.parametrize(("arguments", "code", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line(
    kafka_broker: Broker, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    said = record(kafka_broker, tmp_path / "a.nxs", *arguments)
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith(f"forwarder: {message}")
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_instrument_without_topics_leaves_no_file(kafka_broker: Broker, tmp_path: Path) -> None:
    said = command("record", "NONE", str(tmp_path / "a.nxs"), "--output-broker", kafka_broker.address)
    assert said.code == 1
    assert said.err.splitlines()[-1] == "forwarder: none of the topics of NONE can be read"
    assert list(tmp_path.iterdir()) == []


def test_without_h5py_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in sys.modules if name.startswith(("forwarder.record", "forwarder.cli.record", "h5py"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "forwarder.tools.recording", raising=False)
    monkeypatch.setitem(sys.modules, "h5py", None)
    said = command("record", "X", str(tmp_path / "a.nxs"))
    assert (said.code, said.err) == (
        1,
        "forwarder: h5py is missing; install it with: pip install 'epics-kafka-forwarder[nexus]'\n",
    )
