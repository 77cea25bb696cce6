"""A network that loses every packet for a while, without a reset."""

from collections.abc import Callable, Iterator

import pytest

from forwarder.demo.child import Child
from tests.faults.chain import DATABASE, FAULT_S, LOST_AFTER_S, SILENCE_S, Chain, lasting
from tests.faults.far_side import FarSide, why_not
from tests.faults.log import check_said_once_and_over, said
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

Unique = Callable[[str], str]

_SEARCHED_WITHIN_S = 45.0
"""No beacon says that the IOC is back: the search for each PV is due every 30 s or so."""


class FarIoc(EpicsIoc):
    """At the far side."""

    def __init__(self, side: FarSide, database: str) -> None:
        self._host = side.host
        super().__init__(database, within=side.within, environment={"EPICS_CAS_INTF_ADDR_LIST": side.host})

    @property
    def ca_address(self) -> str:
        return f"{self._host}:{self.ca_port}"

    def _wait_until_ready(self, child: Child) -> None:
        """The forwarder finds it as soon as it serves."""


@pytest.fixture
def side() -> Iterator[FarSide]:
    with FarSide() as side:
        yield side


def test_the_network_to_the_ioc_is_cut(broker: Broker, side: FarSide, unique: Unique) -> None:
    flags = ["--ca-conn-tmo", str(SILENCE_S)]
    with FarIoc(side, DATABASE) as ioc, Chain(broker, ioc, unique, flags=flags) as chain:
        side.cut()
        lasted_s = lasting(max(FAULT_S, LOST_AFTER_S))
        lost = said(chain.process.log, "lost the server")
        side.heal()
        chain.over(lasted_s, _SEARCHED_WITHIN_S)
        chain.nothing_is_lost("network to the IOC cut")
        assert len(lost) == 1
        assert "silent for" in lost[0]
        assert said(chain.process.log, "lost the server") == lost
        assert len(said(chain.process.log, "is back")) == 1


def test_the_network_to_kafka_is_cut(ioc: EpicsIoc, side: FarSide, unique: Unique) -> None:
    with Broker(host=side.host, within=side.within) as broker, Chain(broker, ioc, unique) as chain:
        side.cut()
        lasted_s = lasting()
        side.heal()
        chain.over(lasted_s)
        check_said_once_and_over(chain.process, f"Kafka at {broker.address} is away")
        chain.nothing_is_lost("network to Kafka cut")
