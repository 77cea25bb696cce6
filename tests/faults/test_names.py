"""A broker whose name stops resolving, and one whose name never did."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.chain import Chain, lasting
from tests.faults.log import check_said_once_and_over, said
from tests.faults.mounts import why_not, with_hosts
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.ports import LOOPBACK, free_port

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

_NAME = "kafka.test"
_NOBODY = "nobody.test"


class _NamedBroker(Broker):
    """Has a second address, that it tells by name to those who come there."""

    def __init__(self) -> None:
        self.named_port = free_port()
        super().__init__()

    @property
    def named_address(self) -> str:
        return f"{_NAME}:{self.named_port}"

    def _properties(self, controller_port: int, auto_create: bool) -> dict[str, str | int]:
        properties = super()._properties(controller_port, auto_create)
        return {
            **properties,
            "listeners": f"{properties['listeners']},NAMED://{LOOPBACK}:{self.named_port}",
            "advertised.listeners": f"{properties['advertised.listeners']},NAMED://{self.named_address}",
            "listener.security.protocol.map": f"{properties['listener.security.protocol.map']},NAMED:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
        }


@pytest.fixture
def named_broker() -> Iterator[_NamedBroker]:
    with _NamedBroker() as broker:
        yield broker


def test_the_name_of_a_broker_stops_resolving(
    named_broker: _NamedBroker, ioc: EpicsIoc, unique: Callable[[str], str], tmp_path: Path
) -> None:
    broker = named_broker
    known = f"{LOOPBACK} localhost {_NAME}\n"
    hosts = tmp_path / "hosts"
    hosts.write_text(known)
    output = f"{_NOBODY}:{broker.named_port},{broker.named_address}"
    with Chain(
        broker,
        ioc,
        unique,
        flags=["--output-broker", output],
        within=with_hosts(hosts, tmp_path / "nsswitch.conf"),
    ) as chain:
        hosts.write_text(f"{LOOPBACK} localhost\n")
        # An open connection needs no name: the broker has to go for a moment.
        broker.kill()
        killed_ns = time.time_ns()
        broker.start()
        lasted_s = lasting()
        assert chain.values().time_ns.max() < killed_ns, "nothing came while the name was not known"
        hosts.write_text(known)
        chain.over(lasted_s)
        away = f"Kafka at {output} is away"
        check_said_once_and_over(chain.process, away)
        chain.nothing_is_lost("name of the broker does not resolve")
        assert any("not known" in text or "resol" in text for text in said(chain.process.log, away))
