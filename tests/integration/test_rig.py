"""The servers that other tests rely on: they are real, they come up, and they come back."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from caproto.sync.client import read
from confluent_kafka import Consumer, KafkaException, Producer

from forwarder.demo.search import is_served
from tests.support.caproto_ioc import CaprotoIoc
from tests.support.consume import consume
from tests.support.epics import EpicsServer
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.ports import free_port
from tests.support.processes import children, spawn
from tests.support.waiting import wait_until

pytest_plugins = ["pytester"]

DATABASE = """
record(ai, "RIG:NUMBER") { field(VAL, "1.5") field(PINI, "YES") }
record(waveform, "RIG:ARRAY") { field(FTVL, "DOUBLE") field(NELM, "10") }
record(stringin, "RIG:TEXT") { }
"""


def produce(address: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": address})
    for i, value in enumerate(values):
        producer.produce(topic, value, key=b"key", timestamp=1_000 + i)
    assert producer.flush(10) == 0


class TestBroker:
    def test_records_come_back_as_they_were_sent(self, kafka_broker: Broker, unique: Callable[[str], str]) -> None:
        topic = unique("data")
        kafka_broker.create_topic(topic)
        produce(kafka_broker.address, topic, [b"first", b"second"])
        records = consume(kafka_broker.address, topic, 2)
        assert [(r.key, r.value, r.timestamp_ms, r.offset) for r in records] == [
            (b"key", b"first", 1_000, 0),
            (b"key", b"second", 1_001, 1),
        ]

    def test_reading_stops_at_the_end_of_every_partition(
        self, kafka_broker: Broker, unique: Callable[[str], str]
    ) -> None:
        topic = unique("data")
        kafka_broker.create_topic(topic, partitions=3)
        produce(kafka_broker.address, topic, [b"only"])
        assert [r.value for r in consume(kafka_broker.address, topic)] == [b"only"]

    def test_reading_in_vain_ends_at_the_deadline(self, kafka_broker: Broker, unique: Callable[[str], str]) -> None:
        topic = unique("data")
        kafka_broker.create_topic(topic)
        with pytest.raises(TimeoutError, match="0 records"):
            consume(kafka_broker.address, topic, 1, deadline_s=0.3)

    def test_a_topic_has_the_settings_it_was_given(self, kafka_broker: Broker, unique: Callable[[str], str]) -> None:
        topic = unique("small")
        kafka_broker.create_topic(topic, max_message_bytes=200)
        producer = Producer({"bootstrap.servers": kafka_broker.address})
        refused: list[str] = []
        producer.produce(topic, bytes(500), on_delivery=lambda error, _: refused.append(str(error)))
        producer.flush(10)
        assert len(refused) == 1
        assert "MSG_SIZE_TOO_LARGE" in refused[0]

    def test_a_topic_is_gone_after_its_deletion(self, kafka_broker: Broker, unique: Callable[[str], str]) -> None:
        topic = unique("short_lived")
        kafka_broker.create_topic(topic)
        kafka_broker.delete_topic(topic)
        with pytest.raises(KafkaException):
            kafka_broker.delete_topic(topic)

    def test_it_keeps_address_and_data_when_it_is_killed(self) -> None:
        with Broker() as broker:
            broker.create_topic("data")
            produce(broker.address, "data", [b"kept"])
            broker.kill()
            with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", broker.port)):
                pass
            broker.start()
            assert [r.value for r in consume(broker.address, "data")] == [b"kept"]

    def test_it_creates_topics_by_itself_if_told_to_and_does_not_answer_while_it_is_frozen(self) -> None:
        with Broker(auto_create=True) as broker:
            produce(broker.address, "made_on_demand", [b"value"])
            broker.freeze()
            consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "any", "log_level": 0})
            with pytest.raises(KafkaException):
                consumer.list_topics(timeout=0.5)
            consumer.close()
            broker.thaw()
            assert [r.value for r in consume(broker.address, "made_on_demand")] == [b"value"]


@pytest.fixture
def ioc() -> Iterator[EpicsIoc]:
    with EpicsIoc(DATABASE) as ioc:
        yield ioc


class TestIoc:
    def test_it_serves_what_was_put(self, ioc: EpicsIoc, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EPICS_CA_AUTO_ADDR_LIST", "NO")
        monkeypatch.setenv("EPICS_CA_ADDR_LIST", ioc.ca_address)
        ioc.put("RIG:NUMBER", 2.5)
        ioc.put("RIG:ARRAY", [1.0, 2.5])
        ioc.put("RIG:TEXT", 'she said "it\'s \\ "')
        assert [list(read(pv, repeater=False).data) for pv in ("RIG:NUMBER", "RIG:ARRAY", "RIG:TEXT")] == [
            [2.5],
            [1.0, 2.5],
            [b'she said "it\'s \\ "'],
        ]

    def test_a_put_to_nothing_is_an_error(self, ioc: EpicsIoc) -> None:
        with pytest.raises(RuntimeError, match="refused"):
            ioc.put("RIG:MISSING", 1)

    def test_it_answers_pvaccess_too(self, ioc: EpicsIoc) -> None:
        with socket.create_connection(("127.0.0.1", ioc.pva_port), timeout=5) as client:
            magic = client.recv(1)
        assert magic == b"\xca"


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(lambda: EpicsIoc(DATABASE), id="EPICS 7"),
        pytest.param(
            lambda: CaprotoIoc("forwarder.demo.ioc", "RIG:", "0", readiness_pv="RIG:CS:SB:TEMP1"),
            id="caproto",
        ),
    ],
)
def test_an_ioc_comes_back_at_the_same_port(server: Callable[[], EpicsServer]) -> None:
    with server() as ioc:
        pv = ioc._readiness_pv
        assert not is_served("RIG:MISSING", ioc.ca_port)
        ioc.kill()
        assert not is_served(pv, ioc.ca_port)
        ioc.start()
        assert is_served(pv, ioc.ca_port)
        ioc.freeze()
        assert not is_served(pv, ioc.ca_port)
        ioc.thaw()
        wait_until(lambda: is_served(pv, ioc.ca_port))


class TestProcesses:
    def test_a_child_dies_with_its_parent(self) -> None:
        parent = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from forwarder.demo.child import Child\n"
                "child = Child('sleeper', ['sleep', '60']); print(child.pid, flush=True); sys.stdin.read()",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            assert is_running(pid)
            parent.send_signal(signal.SIGKILL)
            parent.wait()
            wait_until(lambda: not is_running(pid), what="the child is gone")

    def test_what_a_child_printed_can_be_read_after_its_end(self) -> None:
        with spawn("speaker", ["echo", "a word"]) as child:
            assert child.wait(10) == 0
        assert child.log() == "a word\n"

    def test_a_deaf_child_is_killed(self) -> None:
        with spawn("deaf", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]) as child:
            wait_until(lambda: "ready" in child.log())
            assert child.terminate(deadline_s=0.2) == -signal.SIGKILL

    def test_children_that_were_not_waited_for_are_found(self) -> None:
        child = subprocess.Popen(["true"])
        assert child.pid in children()
        child.wait()
        assert child.pid not in children()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_ports_are_free_for_tcp_and_udp() -> None:
    port = free_port()
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as server:
            server.bind(("127.0.0.1", port))


def test_waiting_gives_the_answer_or_says_what_it_was() -> None:
    answers = iter([0, 0, 7])
    assert wait_until(lambda: next(answers)) == 7
    with pytest.raises(TimeoutError, match="the moon; the last answer was None"):
        wait_until(lambda: None, 0.02, what="the moon")


def test_forgotten_tasks_and_children_fail_a_test(
    pytester: pytest.Pytester, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    pytester.makeconftest("from tests.conftest import nothing_left_behind as nothing_left_behind")
    pytester.makepyfile(
        test_task="""
            import asyncio
            async def forget(): asyncio.get_running_loop().create_task(asyncio.sleep(60))
            def test_it(): asyncio.run(forget())
        """,
        test_child="""
            import subprocess
            def test_it(): global child; child = subprocess.Popen(["sleep", "60"])
            def teardown_module(): child.kill(); child.wait()
        """,
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(
        ["*tasks still ran when their event loop closed*", "*child processes were left behind*"]
    )


def test_asyncio_is_left_as_it_was() -> None:
    async def work() -> int:
        task = asyncio.get_running_loop().create_task(asyncio.sleep(0, 3))
        return await task

    assert asyncio.run(work()) == 3
