"""The demo from its first process to its last."""

import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from tempfile import TemporaryDirectory

from rich.console import Console

from forwarder.demo.broker import EmbeddedBroker
from forwarder.demo.child import Child
from forwarder.demo.consumer import TopicReader
from forwarder.demo.ioc import block_names
from forwarder.demo.order import order_forwarding
from forwarder.demo.picture import Picture
from forwarder.demo.ports import LOOPBACK, free_port
from forwarder.demo.search import wait_until_served
from forwarder.demo.stop import StopSignals
from forwarder.demo.table import Display, display
from forwarder.demo.verdict import Verdict, judge

_PREFIX = "DEMO:"
_CONFIG, _STATUS, _DATA = "DEMO_forwarderConfig", "DEMO_forwarderStatus", "DEMO_sampleEnv"
_READY_WITHIN_S = 30.0
_STOPPED_WITHIN_S = 20.0
_READ_WITHIN_S = 10.0
_POLL_S = 0.1


def run(seconds: float | None) -> int:
    """Run for so long, or until Ctrl-C. Gives the exit code: 0 if every update arrived."""
    console = Console()
    try:
        with StopSignals() as stop:
            verdict = _watch(console, stop, seconds)
    except (TimeoutError, RuntimeError) as error:
        console.print(f"demo: {error}", markup=False, highlight=False, soft_wrap=True)
        return 1
    for text in (*verdict.complaints, verdict.summary):
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    return 1 if verdict.complaints else 0


def _watch(console: Console, stop: StopSignals, seconds: float | None) -> Verdict:
    picture = Picture()
    pvs = block_names(_PREFIX)
    with ExitStack() as opened:
        broker = opened.enter_context(EmbeddedBroker())
        for topic in (_CONFIG, _STATUS, _DATA):
            broker.create_topic(topic)
        ca_port = free_port()
        ioc = opened.enter_context(_start_ioc(ca_port))
        wait_until_served(pvs[0], ca_port, deadline_s=_READY_WITHIN_S, still_alive=lambda: ioc.exit_code is None)
        state = opened.enter_context(TemporaryDirectory(prefix="forwarder-demo-"))
        http_port = free_port()
        forwarder = opened.enter_context(_start_forwarder(broker.address, ca_port, state, http_port))
        for text in (f"see http://{LOOPBACK}:{http_port}", f"its Kafka is {broker.address}"):
            console.print(f"demo: {text}", markup=False, highlight=False, soft_wrap=True)
        reader = opened.enter_context(TopicReader(broker.address, [_STATUS, _DATA]))
        with display(console) as shown:

            def follow(until: Callable[[], bool]) -> None:
                _follow(reader, picture, shown, until)

            give_up = time.monotonic() + _READY_WITHIN_S
            follow(lambda: picture.obeyed or _has_ended(forwarder, stop) or time.monotonic() > give_up)
            if picture.obeyed:
                order_forwarding(broker.address, _CONFIG, pvs, _DATA)
                end = float("inf") if seconds is None else time.monotonic() + seconds
                follow(lambda: time.monotonic() > end or _has_ended(forwarder, stop))
            if forwarder.exit_code is not None:
                raise RuntimeError(f"the forwarder ended by itself; its log ends:\n{forwarder.log_tail()}")

            # First of all, while everything it needs is still there: it has to send what it holds.
            forwarder.send(signal.SIGTERM)
            give_up = time.monotonic() + _STOPPED_WITHIN_S
            follow(lambda: forwarder.exit_code is not None or time.monotonic() > give_up)
            exit_code = forwarder.wait(0)
            for message in reader.read_to_end(_READ_WITHIN_S):
                picture.take(message, time.monotonic())
        return judge(picture.status, picture.updates, exit_code)


def _follow(reader: TopicReader, picture: Picture, shown: Display, until: Callable[[], bool]) -> None:
    """Read and show what comes, until it is enough."""
    while not until():
        for message in reader.read(_POLL_S):
            picture.take(message, time.monotonic())
        shown.show(picture, time.monotonic())


def _has_ended(forwarder: Child, stop: StopSignals) -> bool:
    return stop.requested or forwarder.exit_code is not None


def _start_ioc(port: int) -> Child:
    environment = {
        "EPICS_CA_SERVER_PORT": str(port),
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_CAS_BEACON_ADDR_LIST": "",
    }
    return Child("ioc", [sys.executable, "-m", "forwarder.demo.ioc", _PREFIX], environment=environment)


def _start_forwarder(broker: str, ca_port: int, state_directory: str, http_port: int) -> Child:
    command = [
        *(sys.executable, "-m", "forwarder", "run", "--profile", "local"),
        *("--config-topic", f"{broker}/{_CONFIG}"),
        *("--status-topic", f"{broker}/{_STATUS}"),
        *("--output-broker", broker),
        *("--service-id", "demo"),
        *("--state-directory", state_directory),
        *("--http", str(http_port)),
    ]
    environment = {
        "EPICS_CA_ADDR_LIST": f"{LOOPBACK}:{ca_port}",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
    }
    return Child("forwarder", command, environment=environment)
