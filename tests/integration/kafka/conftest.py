"""Brokers that tests may stop, freeze and start again."""

from collections.abc import Iterator

import pytest

from tests.support.kafka import Broker
from tests.support.secure_kafka import SecureBroker


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


@pytest.fixture(scope="package")
def secure_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """One for all tests of security, each with topics of its own."""
    with SecureBroker(tmp_path_factory.mktemp("certificates")) as broker:
        yield broker


@pytest.fixture(scope="package")
def odd_broker() -> Iterator[Broker]:
    """One that compacts its topics all the time, and has permissions."""
    properties = {
        "log.cleaner.backoff.ms": 100,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    with Broker(properties=properties) as broker:
        yield broker
