"""An IOC that is killed, or hangs: there are no values meanwhile, and every one before and after is forwarded."""

from collections.abc import Callable

from tests.faults.chain import FAULT_S, LOST_AFTER_S, SILENCE_S, Chain, lasting
from tests.faults.log import said
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker

Unique = Callable[[str], str]

_FOUND_WITHIN_S = 15.0
"""Over Channel Access its beacon brings it back at once; over pvAccess, p4p looks for it every now and then."""


def test_an_ioc_that_is_killed(broker: Broker, ioc: EpicsIoc, unique: Unique, transport: str) -> None:
    with Chain(broker, ioc, unique, transport=transport) as chain:
        ioc.kill()
        lasted_s = lasting()
        ioc.start()
        chain.over(lasted_s, _FOUND_WITHIN_S)
        chain.nothing_is_lost("IOC killed")
        check_lost_once(chain)


def test_an_ioc_that_hangs(broker: Broker, ioc: EpicsIoc, unique: Unique, transport: str) -> None:
    with Chain(
        broker, ioc, unique, transport=transport, flags=["--ca-conn-tmo", str(SILENCE_S), "--pva-conn-tmo", "2"]
    ) as chain:
        ioc.freeze()
        try:
            lasted_s = lasting(max(FAULT_S, LOST_AFTER_S))
        finally:
            ioc.thaw()
        chain.over(lasted_s, _FOUND_WITHIN_S)
        chain.nothing_is_lost("IOC hangs")
        check_lost_once(chain)


def test_an_ioc_that_hangs_for_less_than_its_connection_may_be_silent(
    broker: Broker, ioc: EpicsIoc, unique: Unique, transport: str
) -> None:
    with Chain(broker, ioc, unique, transport=transport) as chain:
        ioc.freeze()
        try:
            lasted_s = lasting(min(FAULT_S, 20))
        finally:
            ioc.thaw()
        chain.over(lasted_s, _FOUND_WITHIN_S)
        chain.nothing_is_lost("IOC hangs briefly, connection kept")
        assert not said(chain.process.log, "lost the server")
        assert not chain.counted["clients"]["pva"]["lost_channels"]


def check_lost_once(chain: Chain) -> None:
    assert chain.counted["clients"]["pva"]["lost_channels"] == chain.over_pva
    if chain.over_ca:
        log = chain.process.log
        assert len(said(log, "lost the server")) == 1
        assert said(log, f"with {chain.over_ca} PVs")
        assert len(said(log, "is back")) == 1
