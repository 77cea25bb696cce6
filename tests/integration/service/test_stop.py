"""A stop has one deadline, whatever hangs; what could be kept until then is sent by the next start."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType

from tests.integration.service.rig import data, stream
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

Unique = Callable[[str], str]
STOP_S = 2.0
LATEST_S = STOP_S + 1.0
MACHINE_S = 0.5
"""For a machine that is busy with other things."""
FLAGS = (
    *("--stop-timeout", f"{STOP_S:g}"),
    *("--fake-pv-period", "20"),
    *("--status-interval", "200"),
    *("--statistics-update-interval", "0.2"),
)


TESTS = ("kept", "lost", "disk", "storage")


@pytest.fixture(scope="module")
def other_broker() -> Iterator[Broker]:
    """One that is frozen and thawed. It has all topics from the start: thawed, it may take a while to make any."""
    with Broker() as broker:
        for name in TESTS:
            for topic in (f"{name}_config", f"{name}_status", f"{name}_data"):
                broker.create_topic(topic)
        yield broker


@pytest.fixture
def topics(kafka_broker: Broker, unique: Unique) -> Topics:
    topics = Topics(unique("config"), unique("status"))
    for topic in (topics.config, topics.status):
        kafka_broker.create_topic(topic)
    return topics


def forwarder(broker: Broker, topics: Topics, *flags: str, module: str = "forwarder") -> ForwarderProcess:
    return ForwarderProcess(broker.address, topics, flags=[*FLAGS, *flags], module=module)


def with_own_topics(broker: Broker, name: str, *flags: str, module: str = "forwarder") -> ForwarderProcess:
    return forwarder(broker, Topics(f"{name}_config", f"{name}_status"), *flags, module=module)


def stopped(process: ForwarderProcess) -> int:
    """The exit code; it comes in time."""
    process.child.send(signal.SIGTERM)
    process.child.wait(LATEST_S + MACHINE_S)
    return process.stop()


def forward(process: ForwarderProcess, topic: str) -> None:
    process.order(UpdateType.ADD, [stream(f"FAKE:{number}", topic, Protocol.FAKE) for number in range(5)])


def counts(process: ForwarderProcess, name: str) -> int:
    """As the log said last."""
    return int(process.log.rpartition(f"'{name}': ")[2].partition(",")[0])


@contextmanager
def frozen(broker: Broker) -> Iterator[None]:
    broker.freeze()
    try:
        yield
    finally:
        broker.thaw()


def wait_for_a_backlog(process: ForwarderProcess) -> None:
    wait_until(lambda: counts(process, "messages_waiting") > 300, what="messages wait")


def test_kafka_hangs_and_what_waits_is_kept_for_the_next_start(other_broker: Broker) -> None:
    topic = "kept_data"
    with with_own_topics(other_broker, "kept") as process:
        forward(process, topic)
        data(other_broker, topic, lambda found: len(found.values) > 100)
        with frozen(other_broker):
            wait_for_a_backlog(process)
            assert stopped(process) == 0
        assert "are kept in the spool for the next start" in process.log
        received, again_ns = counts(process, "updates_received"), time.time_ns()
        process.start()
        forward(process, topic)
        found = data(other_broker, topic, lambda found: any(each.time_ns > again_ns for each in found.readings))
        assert process.stop() == 0
    # The broker may have stored what was on its way, of which the acknowledgement did not come any more.
    first = list(dict.fromkeys((each.pv, each.time_ns) for each in found.readings))
    for pv in {pv for pv, _ in first}:
        times = [time_ns for name, time_ns in first if name == pv]
        assert times == sorted(times), pv
    assert sum(time_ns < again_ns for _, time_ns in first) == received


def test_kafka_hangs_and_there_is_no_spool(other_broker: Broker) -> None:
    topic = "lost_data"
    with with_own_topics(other_broker, "lost", "--spool-directory", "none") as process:
        forward(process, topic)
        data(other_broker, topic, lambda found: len(found.values) > 100)
        with frozen(other_broker):
            wait_for_a_backlog(process)
            assert stopped(process) == 3
    assert "could neither be sent nor kept within 2 s and are lost" in process.log


def test_the_storage_topic_s_cluster_hangs(
    kafka_broker: Broker, other_broker: Broker, topics: Topics, topic: str
) -> None:
    address = f"{other_broker.address}/storage_data"
    with forwarder(kafka_broker, topics, "--storage-topic", address) as process:
        with frozen(other_broker):
            forward(process, topic)
            data(kafka_broker, topic, lambda found: len(found.values) > 100)
            assert stopped(process) == 0
        status = process.statuses()[-1]
    assert status["state"] == "stopped"
    assert status["statistics"]["messages_waiting"] == 0


def test_the_disk_hangs_while_kafka_does(other_broker: Broker) -> None:
    topic = "disk_data"
    with with_own_topics(other_broker, "disk", module="tests.integration.service.hanging_disk") as process:
        forward(process, topic)
        data(other_broker, topic, lambda found: len(found.values) > 100)
        with frozen(other_broker):
            wait_for_a_backlog(process)
            assert stopped(process) == 3
    assert "could neither be sent nor kept within 2 s and are lost" in process.log


def test_the_event_loop_hangs(kafka_broker: Broker, topics: Topics, topic: str) -> None:
    with forwarder(kafka_broker, topics, module="tests.integration.service.hanging_loop") as process:
        forward(process, topic)
        wait_until(lambda: "it hangs" in process.log, what="the loop hangs")
        assert stopped(process) == 1
    assert "the stop has taken 2.5 s: leaving at once" in process.log
