"""One forwarder and one IOC for all tests of the command line."""

from collections.abc import Iterator

import pytest

from tests.integration.cli.rig import Site
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker

DATABASE = """
record(ai, "CLI:WARM") { field(VAL, "290.5") field(PINI, "YES") field(EGU, "K") }
record(calc, "CLI:MOVES") { field(SCAN, ".1 second") field(CALC, "A:=A+0.1;SIN(A)") field(PREC, "3") }
record(waveform, "CLI:SPECTRUM") { field(FTVL, "LONG") field(NELM, "8") field(PINI, "YES") }
record(stringin, "CLI:TITLE") { field(VAL, "vanadium") field(PINI, "YES") }
record(mbbo, "CLI:STATE") { field(ZRST, "OFF") field(ONST, "ON") field(PINI, "YES") }
record(waveform, "CLI:SHORTS") { field(FTVL, "SHORT") field(NELM, "4") field(PINI, "YES") }
"""


@pytest.fixture(scope="package")
def ioc() -> Iterator[EpicsIoc]:
    with EpicsIoc(DATABASE) as ioc:
        yield ioc


@pytest.fixture(scope="package")
def shared_site(kafka_broker: Broker, ioc: EpicsIoc) -> Iterator[Site]:
    topics = Topics("CLI_forwarderConfig", "CLI_forwarderStatus", "CLI_forwarderStorage")
    for topic in (topics.config, topics.status, "CLI_sampleEnv"):
        kafka_broker.create_topic(topic)
    kafka_broker.create_topic("CLI_forwarderStorage", cleanup_policy="compact")
    forwarder = ForwarderProcess(
        kafka_broker.address,
        topics,
        service_id="cli",
        ca_addresses=[ioc.ca_address],
        flags=["--status-interval", "1000", "--fake-pv-period", "100", "--stop-timeout", "1"],
    )
    with forwarder:
        yield Site(kafka_broker, forwarder, ioc)


@pytest.fixture
def site(shared_site: Site) -> Iterator[Site]:
    """Without any streams."""
    yield shared_site
    assert shared_site.command("streams", "clear", "--yes").code == 0
