"""The demo, whole and in parts."""

import asyncio
import os
import re
import signal
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from forwarder.blocks.names import block_names
from forwarder.demo.blocks import VISITOR
from forwarder.demo.broker import EmbeddedBroker
from forwarder.demo.child import Child
from forwarder.demo.consumer import TopicReader
from forwarder.demo.decode import Reading, decode_f142, decode_f144, schema_of
from forwarder.demo.ioc import pv_names
from forwarder.demo.search import is_served
from forwarder.epics.ca.client import ChannelAccess
from tests.integration.cli.rig import command
from tests.support.ca_client import LONG, Recorder, ca_settings, running, until
from tests.support.caproto_ioc import CaprotoIoc
from tests.support.processes import spawn
from tests.support.waiting import wait_until

SUMMARY = re.compile(r"demo: (\d+) updates received, (\d+) forwarded, (\d+) seen by the consumer")
NS_PER_S = 1_000_000_000
DATA = "DEMO_sampleEnv", "DEMO_runLog"


def assert_all_arrived(log: str) -> None:
    counts = SUMMARY.fullmatch(log.splitlines()[-1])
    assert counts is not None, log
    assert len(set(counts.groups())) == 1
    assert int(counts[1]) > 0


def started(*flags: str) -> Child:
    return spawn("demo", [sys.executable, "-m", "forwarder", "demo", *flags])


def said(demo: Child, what: str) -> str:
    """What its hints have after these words."""
    return wait_until(lambda: re.search(rf"demo: .*{what}(\S+)", demo.log()), 30, what=f"it says {what}")[1]


def test_it_ends_by_itself_and_every_update_arrived() -> None:
    with started("--seconds", "5") as demo:
        assert demo.wait(60) == 0, demo.log()
    assert_all_arrived(demo.log())


def test_after_a_kill_nothing_of_it_is_left() -> None:
    with started() as demo:
        wait_until(lambda: "DEMO:CS:SB:TEMP1=" in demo.log(), 30, what="the first values are shown")
        parts = children_of(demo.pid)
        assert len(parts) == 4, parts
        os.kill(demo.pid, signal.SIGKILL)
        wait_until(lambda: not any(is_running(pid) for pid in parts), 10, what="all have ended")


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        # What has ended and was not waited for by its new parent is a zombie.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def changes_of_blocks(address: str) -> list[tuple[frozenset[str], int]]:
    """What the block server says until the visitor has come and gone, and when it said so."""
    heard = Recorder("DEMO:CS:BLOCKSERVER:BLOCKNAMES")
    async with running(ChannelAccess(ca_settings(address), LONG)) as client:
        client.subscribe(heard)
        await until(lambda: len(heard.updates) >= 3, 30, what="the visitor has come and gone")
    return [(frozenset(block_names(bytes(np.asarray(value))).names), time_ns) for value, time_ns, *_ in heard.updates]


def readings(messages: Iterable[bytes]) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = defaultdict(list)
    for message in messages:
        if (schema := schema_of(message)) in ("f142", "f144"):
            reading = decode_f142(message) if schema == "f142" else decode_f144(message)
            found[reading.pv].append(reading)
    return found


def test_a_block_that_comes_and_goes_and_a_file_of_it_all(tmp_path: Path) -> None:
    with started() as demo:
        broker = said(demo, "its Kafka is ")
        address = said(demo, "EPICS_CA_ADDR_LIST=")
        before, there, gone = asyncio.run(changes_of_blocks(address))
        assert there[0] - before[0] == there[0] - gone[0] == {VISITOR}
        path = tmp_path / "demo.nxs"
        with TopicReader(broker, DATA) as reader:

            def later() -> bool:
                found = readings(reader.read(0.2))
                for pv, each in found.items():
                    seen[pv].extend(each)
                return seen["DEMO:CS:SB:TEMP1"][-1].time_ns > gone[1] + 3 * NS_PER_S

            seen: dict[str, list[Reading]] = readings(reader.read_to_end(10))
            wait_until(later, 20, what="values of 3 s after the visitor has gone")
        recorded = command(
            "record", "DEMO", str(path), "--output-broker", broker, "--from", "beginning", "--until", "end"
        )
        assert recorded.code == 0, recorded.err
        demo.send(signal.SIGINT)
        assert demo.wait(30) == 0, demo.log()
    assert_all_arrived(demo.log())

    visits = [reading.time_ns for reading in seen[f"DEMO:CS:SB:{VISITOR}"]]
    assert there[1] - NS_PER_S < visits[0] < there[1] + 2 * NS_PER_S, "its value was up to 0.1 s old"
    assert gone[1] - NS_PER_S < visits[-1] < gone[1] + 2 * NS_PER_S
    assert len(visits) > 50, "ten a second"

    with h5py.File(path) as file:
        assert_holds(file, seen)


def assert_holds(file: Any, seen: dict[str, list[Reading]]) -> None:
    """The file was made a moment after these were read, so it may hold more."""
    entry = file["entry"]
    logs = {log.attrs["pv"]: log for group in ("selog", "runlog") for log in entry[group].values()}
    assert logs.keys() == seen.keys()
    for pv, expected in seen.items():
        log, count = logs[pv], len(expected)
        assert log["time"][:count].tolist() == [reading.time_ns for reading in expected], pv
        values = log["value"].asstr()[:count] if log["value"].dtype.kind == "O" else log["value"][:count]
        np.testing.assert_array_equal(values, np.array([reading.value for reading in expected]), pv)
    assert entry["title"].asstr()[()] == "demo 1"
    assert entry["runlog/GOODFRAMES"].attrs["pv"] == "DEMO:DAE:GOODFRAMES"
    events = entry["detector_1_events"]
    assert events["event_time_zero"].shape[0] > 100
    assert events["total_counts"][()] == events["event_id"].shape[0] > 5_000


def test_the_embedded_broker_serves_the_forwarders_client() -> None:
    async def there_and_back(address: str) -> bytes | None:
        async with AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=True) as producer:
            sent = await producer.send_and_wait("topic", b"value", key=b"PV", timestamp_ms=1_000)
        async with AIOKafkaConsumer(bootstrap_servers=address) as consumer:
            partition = TopicPartition("topic", sent.partition)
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            return (await asyncio.wait_for(consumer.getone(), 10)).value

    with EmbeddedBroker() as broker:
        broker.create_topic("topic")
        assert asyncio.run(there_and_back(broker.address)) == b"value"


def test_the_reader_reads_on_where_it_was_and_stops_at_the_end() -> None:
    async def send(address: str, values: list[bytes]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=address) as producer:
            for value in values:
                await producer.send_and_wait("topic", value)

    with EmbeddedBroker() as broker:
        broker.create_topic("topic")
        with TopicReader(broker.address, ["topic"]) as reader:
            assert list(reader.read_to_end(10)) == []
            for values in ([b"1", b"2"], [b"3"]):
                asyncio.run(send(broker.address, values))
                assert sorted(reader.read_to_end(10)) == values


def test_the_soft_ioc_serves_an_instrument() -> None:
    pvs = pv_names("DEMO:")
    with CaprotoIoc("forwarder.demo.ioc", "DEMO:", "0", readiness_pv=pvs[0]) as ioc:
        assert all(is_served(pv, ioc.ca_port, patience_s=5) for pv in pvs)
        assert not is_served("DEMO:CS:SB:NO_SUCH_BLOCK", ioc.ca_port)


def test_a_pv_that_is_given_up_leaves_all_others_their_updates() -> None:
    """Which caproto's own server forgets."""

    async def give_one_up(address: str) -> None:
        pressure, temperature = Recorder("DEMO:CS:SB:PRESSURE"), Recorder("DEMO:CS:SB:TEMP1")
        async with running(ChannelAccess(ca_settings(address), LONG)) as client:
            client.subscribe(pressure)
            client.subscribe(temperature)
            await until(lambda: len(pressure.updates) > 2 and len(temperature.updates) > 2, what="values of both")
            client.unsubscribe(pressure)
            count = len(temperature.updates)
            await until(lambda: len(temperature.updates) > count + 5, what="more of the other")

    with CaprotoIoc("forwarder.demo.ioc", "DEMO:", "0", readiness_pv="DEMO:CS:SB:TEMP1") as ioc:
        asyncio.run(give_one_up(ioc.ca_address))
