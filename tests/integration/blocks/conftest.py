"""What the instruments of all these tests share: PVs that count, and a database."""

from collections.abc import Callable, Iterator

import pytest

from tests.integration.blocks.rig import Site
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.mariadb import MariaDb
from tests.support.processes import to_share

PREFIXES = ("IN:X:", "IN:Y:")
NAMES = ("KEPT", "OLD", "NEW", "OTHER")
_COUNTER = """
record(calc, "{name}") {{ field(SCAN, ".1 second") field(INPA, "{name}") field(CALC, "A+1") field(PINI, "YES") }}
"""


@pytest.fixture(scope="package")
def ioc() -> Iterator[EpicsIoc]:
    """Every block of two instruments, and a motor's position; each counts, ten times a second."""
    names = [f"{prefix}CS:SB:{name}" for prefix in PREFIXES for name in NAMES]
    with EpicsIoc("".join(_COUNTER.format(name=name) for name in [*names, "IN:X:MOT:MTR1"])) as ioc:
        yield ioc


@pytest.fixture(scope="package")
def database() -> Iterator[MariaDb]:
    with MariaDb() as server, to_share(server):
        server.make_table()
        yield server


@pytest.fixture(scope="package")
def site(kafka_broker: Broker, ioc: EpicsIoc) -> Iterator[Site]:
    """A forwarder that all instruments share, as at the site: those of earlier tests have left streams in it."""
    site = Site(kafka_broker, lambda name: f"blocks_{name}", [ioc.ca_address])
    with site.forwarder:
        yield site


@pytest.fixture
def topic(kafka_broker: Broker, unique: Callable[[str], str]) -> str:
    """Where an instrument's blocks go; its name is what stands before."""
    name = f"X{unique('')[-40:]}sampleEnv"
    kafka_broker.create_topic(name)
    return name
