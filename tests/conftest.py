"""What holds for every test: real servers to share, logs on failure, and nothing left behind."""

import asyncio
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support import processes
from tests.support.kafka import Broker

_serial = count()

_ALONE = (
    "faults",
    "integration/epics/test_ca_faults.py",
    "integration/epics/test_pva_server.py",
    "integration/service/test_endurance.py",
    "unit/kafka/test_spool.py",
    "unit/observe",
    "unit/test_idle.py",
    "unit/test_ticker.py",
)
"""What measures time or CPU."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if any(item.path.is_relative_to(here / each) for each in _ALONE):
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[Broker]:
    """One real Kafka for the whole run. Tests share it: they use topics of their own and never stop it."""
    with Broker() as broker:
        yield broker


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Makes names that no other test uses, for topics and services."""
    test = "".join(letter if letter.isalnum() else "_" for letter in request.node.name)[:60]
    return lambda name: f"{test}_{next(_serial)}_{name}"


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test that leaves an asyncio task or a child process behind."""
    forgotten: list[asyncio.Task[Any]] = []
    close = asyncio.Runner.close

    def note_tasks_and_close(runner: asyncio.Runner) -> None:
        loop = runner.get_loop()
        forgotten.extend(task for task in asyncio.all_tasks(loop) if not task.done())
        close(runner)

    monkeypatch.setattr(asyncio.Runner, "close", note_tasks_and_close)
    before = processes.children()
    yield
    assert not forgotten, f"tasks still ran when their event loop closed: {forgotten}"
    left = processes.forgotten(before)
    assert not left, f"child processes were left behind: {left}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the servers of a failed test have logged."""
    report = yield
    # Half a character can be captured, and not be told to the process that reports.
    report.sections[:] = [(title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections]
    if report.failed:
        report.sections.extend((f"log of {child.name}", child.log_tail()) for child in processes.started)
    if report.when == "teardown":
        processes.started[:] = [child for child in processes.started if child.exit_code is None]
    return report
