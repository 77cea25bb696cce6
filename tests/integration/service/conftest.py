"""One IOC and one forwarder that many tests share."""

from collections.abc import Callable, Iterator

import pytest
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType

from tests.integration.service.rig import DATABASE, SECOND_DATABASE, Service
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker


@pytest.fixture(scope="package")
def ioc() -> Iterator[EpicsIoc]:
    with EpicsIoc(DATABASE) as ioc:
        yield ioc


@pytest.fixture(scope="package")
def shared_service(kafka_broker: Broker, ioc: EpicsIoc) -> Iterator[Service]:
    topics = Topics("shared_config", "shared_status")
    for topic in (topics.config, topics.status):
        kafka_broker.create_topic(topic)
    second = EpicsIoc(SECOND_DATABASE)
    process = ForwarderProcess(
        kafka_broker.address,
        topics,
        ca_addresses=[ioc.ca_address, second.ca_address],
        pva_addresses=[ioc.pva_address, second.pva_address],
        flags=[
            *("--status-interval", "500"),
            *("--pv-update-period", "300"),
            *("--fake-pv-period", "50"),
            *("--never-connected-after", "1"),
            *("--allowed-output", f"localhost:{kafka_broker.port}"),
        ],
    )
    with process:
        yield Service(process, kafka_broker, topics, ioc, second)
    second.close()


@pytest.fixture
def service(shared_service: Service) -> Iterator[Service]:
    """Without any streams."""
    yield shared_service
    shared_service.process.order(UpdateType.REMOVEALL)
    shared_service.wait_for_channels([])


@pytest.fixture
def topic(kafka_broker: Broker, unique: Callable[[str], str]) -> str:
    """For data."""
    name = unique("data")
    kafka_broker.create_topic(name)
    return name
