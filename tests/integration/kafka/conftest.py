"""Brokers that tests may stop, freeze and start again."""

from collections.abc import Iterator

import pytest

from tests.support import processes
from tests.support.kafka import Broker
from tests.support.secure_kafka import SecureBroker


@pytest.fixture(scope="package")
def breakable_broker() -> Iterator[Broker]:
    with Broker() as broker, processes.to_share(broker):
        yield broker


@pytest.fixture
def mortal_broker(breakable_broker: Broker) -> Broker:
    """It runs, and may be broken; tests share it, with topics of their own."""
    if not breakable_broker.runs:
        breakable_broker.start()
    return breakable_broker


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
