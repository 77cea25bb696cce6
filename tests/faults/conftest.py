"""A broker and an IOC that fault tests break as they like, and the table of what came of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import table
from tests.faults.chain import DATABASE, FULL, TIMEOUT_S, TRANSPORTS
from tests.support import processes
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker

_TABLE = Path(__file__).parents[2] / "build" / "faults.md"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Full-length runs end with the table, which is kept too."""
    if table.rows and FULL:
        text = table.text()
        _TABLE.parent.mkdir(exist_ok=True)
        _TABLE.write_text(text)
        terminalreporter.write_sep("=", f"what came of the faults ({_TABLE})")
        terminalreporter.write(text)


@pytest.fixture(scope="package")
def broker() -> Iterator[Broker]:
    """Not the one that other tests share."""
    with Broker() as broker, processes.to_share(broker):
        yield broker


@pytest.fixture(scope="package")
def ioc() -> Iterator[EpicsIoc]:
    with EpicsIoc(DATABASE) as ioc, processes.to_share(ioc):
        yield ioc


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """Over which the PVs are received."""
    return request.param
