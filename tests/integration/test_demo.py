"""The demo, whole and in parts."""

import asyncio
import re
import signal
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from forwarder.demo.broker import EmbeddedBroker
from forwarder.demo.consumer import TopicReader
from forwarder.demo.ioc import block_names
from forwarder.demo.search import is_served
from tests.support.caproto_ioc import CaprotoIoc
from tests.support.processes import spawn
from tests.support.waiting import wait_until

SUMMARY = re.compile(r"demo: (\d+) updates received, (\d+) forwarded, (\d+) seen by the consumer")


def assert_all_arrived(log: str) -> None:
    counts = SUMMARY.fullmatch(log.splitlines()[-1])
    assert counts is not None, log
    assert len(set(counts.groups())) == 1
    assert int(counts[1]) > 0


def test_it_ends_by_itself_and_every_update_arrived() -> None:
    with spawn("demo", [sys.executable, "-m", "forwarder", "demo", "--seconds", "10"]) as demo:
        assert demo.wait(60) == 0, demo.log()
    assert_all_arrived(demo.log())


def test_ctrl_c_ends_it_in_order() -> None:
    with spawn("demo", [sys.executable, "-m", "forwarder", "demo"]) as demo:
        wait_until(lambda: "DEMO:CS:SB:TEMP1=" in demo.log(), 30, what="the first values are shown")
        demo.send(signal.SIGINT)
        assert demo.wait(30) == 0, demo.log()
    assert_all_arrived(demo.log())


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


def test_the_soft_ioc_serves_its_blocks() -> None:
    pvs = block_names("DEMO:")
    assert "DEMO:CS:SB:TEMP1" in pvs
    with CaprotoIoc("forwarder.demo.ioc", "DEMO:", readiness_pv=pvs[0]) as ioc:
        assert all(is_served(pv, ioc.ca_port, patience_s=5) for pv in pvs)
        assert not is_served("DEMO:CS:SB:NO_SUCH_BLOCK", ioc.ca_port)
