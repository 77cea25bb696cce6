"""Brokers that tests may stop, freeze and start again."""

from collections.abc import Iterator

import pytest

from tests.support.kafka import Broker


@pytest.fixture(scope="module")
def broker_at_rest() -> Iterator[Broker]:
    """Its data outlive a test, and so need to be set up only once."""
    broker = Broker()
    yield broker
    broker.close()


@pytest.fixture
def mortal_broker(broker_at_rest: Broker) -> Iterator[Broker]:
    """Runs for one test, because whoever looks for forgotten processes would take a restarted one for such."""
    broker_at_rest.start()
    yield broker_at_rest
    broker_at_rest.kill()
