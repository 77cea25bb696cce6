"""A broker that is stopped, killed, or hangs."""

from collections.abc import Callable

from tests.faults.chain import Chain, lasting
from tests.faults.log import check_said_once_and_over
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker

Unique = Callable[[str], str]


def test_a_broker_that_is_stopped_and_started(broker: Broker, ioc: EpicsIoc, unique: Unique, transport: str) -> None:
    with Chain(broker, ioc, unique, transport=transport) as chain:
        broker.stop()
        lasted_s = lasting()
        broker.start()
        chain.over(lasted_s)
        check_said_once_and_over(chain.process, f"Kafka at {broker.address} is away")
        chain.nothing_is_lost("broker stopped")


def test_a_broker_that_is_killed(broker: Broker, ioc: EpicsIoc, unique: Unique, transport: str) -> None:
    with Chain(broker, ioc, unique, transport=transport) as chain:
        broker.kill()
        lasted_s = lasting()
        broker.start()
        chain.over(lasted_s)
        check_said_once_and_over(chain.process, f"Kafka at {broker.address} is away")
        chain.nothing_is_lost("broker killed")


def test_a_broker_that_hangs(broker: Broker, ioc: EpicsIoc, unique: Unique, transport: str) -> None:
    with Chain(broker, ioc, unique, transport=transport) as chain:
        broker.freeze()
        try:
            lasted_s = lasting()
        finally:
            broker.thaw()
        chain.over(lasted_s)
        check_said_once_and_over(chain.process, f"Kafka at {broker.address} is away")
        chain.nothing_is_lost("broker hangs")
