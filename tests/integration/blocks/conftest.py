"""What the instruments of all these tests share: PVs that count, and a database."""

from collections.abc import Iterator

import pytest

from tests.support.ioc import EpicsIoc
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
