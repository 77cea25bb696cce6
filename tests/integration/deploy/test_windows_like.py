"""A process that has of Linux only what Windows has too."""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType

from tests.integration.service.rig import data, stream
from tests.support.block_server import BlockServer
from tests.support.blocks_process import BlocksProcess
from tests.support.consume import consume
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.processes import spawn

DATABASE = 'record(calc, "WIN:COUNT") { field(SCAN, ".1 second") field(CALC, "VAL+1") }'
CTRL_C, CTRL_BREAK = signal.SIGINT, signal.SIGUSR1
"""The second one stands for itself, see windows_like."""

_STOPPED_WITHIN_S = 20.0
_PROOF = """
import asyncio, contextlib, signal
try:
    import uvloop
except ImportError:
    assert not hasattr(signal, "SIGHUP")
    try:
        with contextlib.closing(asyncio.new_event_loop()) as loop:
            loop.add_signal_handler(signal.SIGTERM, print)
    except NotImplementedError:
        print("as on Windows")
"""


def windows_like() -> Mapping[str, str]:
    """The environment of such a process."""
    return {"PYTHONPATH": str(Path(__file__).parents[2] / "support" / "windows_like")}


@pytest.fixture
def process(kafka_broker: Broker, unique: Callable[[str], str]) -> Iterator[ForwarderProcess]:
    topics = Topics(unique("config"), unique("status"), unique("storage"))
    for topic in (topics.config, topics.status, topics.storage):
        assert topic is not None
        kafka_broker.create_topic(topic)
    with EpicsIoc(DATABASE) as ioc:
        yield ForwarderProcess(
            kafka_broker.address,
            topics,
            ca_addresses=[ioc.ca_address],
            pva_addresses=[ioc.pva_address],
            flags=["--obey-exit", "yes"],
            environment=windows_like(),
        )


def test_the_process_is_as_on_windows() -> None:
    with spawn("python", [sys.executable, "-c", _PROOF], environment=windows_like()) as child:
        assert child.wait(_STOPPED_WITHIN_S) == 0
        assert child.log() == "as on Windows\n"


@pytest.mark.parametrize("how", ["Ctrl-C", "Ctrl-Break", "exit"])
def test_it_forwards_and_stops_in_order(
    process: ForwarderProcess, kafka_broker: Broker, unique: Callable[[str], str], how: str
) -> None:
    topic = unique("data")
    kafka_broker.create_topic(topic)
    with process:
        process.order(UpdateType.ADD, [stream("WIN:COUNT", topic)])
        data(kafka_broker, topic, lambda found: len(found.values) > 10)
        if how == "exit":
            process.order_raw(b'{"cmd": "exit"}')
        else:
            process.child.send(CTRL_C if how == "Ctrl-C" else CTRL_BREAK)
        assert process.child.wait(_STOPPED_WITHIN_S) == 0
        assert process.statuses()[-1]["state"] == "stopped"
    counts = data(kafka_broker, topic).values
    assert counts == [counts[0] + number for number in range(len(counts))]
    assert "Traceback" not in process.log
    assert "this system has no SIGHUP" in process.log


@pytest.mark.parametrize("how", [CTRL_C, CTRL_BREAK], ids=["Ctrl-C", "Ctrl-Break"])
def test_blocks_tells_of_a_block_and_stops_in_order(
    kafka_broker: Broker, unique: Callable[[str], str], how: signal.Signals
) -> None:
    topic = unique("config")
    kafka_broker.create_topic(topic)
    with BlockServer("WIN:", ["COUNT"]) as server:
        config = f"{kafka_broker.address}/{topic}"
        addresses = [server.ca_address]
        with BlocksProcess("WIN:", "WIN", config=config, ca_addresses=addresses, environment=windows_like()) as blocks:
            consume(
                kafka_broker.address,
                topic,
                lambda found: any(b"WIN:CS:SB:COUNT" in (each.value or b"") for each in found),
            )
            blocks.child.send(how)
            assert blocks.child.wait(_STOPPED_WITHIN_S) == 0
            assert "stopped; what is announced stays so" in blocks.log
