"""A flood of records from one place: the first are told, then it is counted, and in the end summed up."""

import logging
from collections.abc import Iterator

import pytest

from forwarder.observe import flood
from forwarder.observe.flood import MOST, FloodGuard
from tests.support.waiting import wait_until

log = logging.getLogger("test_flood")


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{record.levelname} {record.name} {record.getMessage()}")


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def guard(kept: Kept) -> Iterator[FloodGuard]:
    guard = FloodGuard([kept])
    log.propagate = False
    log.setLevel(logging.DEBUG)
    log.addHandler(guard)
    yield guard
    log.removeHandler(guard)
    guard.close()


def flood_of(count: int, level: int = logging.WARNING) -> None:
    for number in range(count):
        log.log(level, "bad command %d", number)


def test_the_first_are_told_and_the_others_summed_up(guard: FloodGuard, kept: Kept) -> None:
    flood_of(10_000)
    log.warning("something else")
    assert kept.texts == [
        *(f"WARNING test_flood bad command {number}" for number in range(MOST)),
        "WARNING test_flood something else",
    ]
    guard.close()
    assert kept.texts[-1] == (
        f"WARNING test_flood {10_000 - MOST} more like this within 60 s, which are only counted: bad command 9999"
    )


def test_the_sum_comes_by_itself_and_then_it_is_told_again(
    guard: FloodGuard, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flood, "WINDOW_S", 0.3)
    flood_of(MOST + 7)
    wait_until(lambda: any(" 7 more like this" in text for text in kept.texts))
    del kept.texts[:]
    flood_of(3)
    assert len(kept.texts) == 3


def test_as_many_as_may_be_leave_no_sum(guard: FloodGuard, kept: Kept) -> None:
    flood_of(MOST)
    guard.close()
    assert len(kept.texts) == MOST


def test_who_asks_for_debug_gets_it(guard: FloodGuard, kept: Kept) -> None:
    flood_of(3 * MOST, logging.DEBUG)
    assert len(kept.texts) == 3 * MOST


def test_two_loggers_do_not_share_their_room(guard: FloodGuard, kept: Kept) -> None:
    other = log.getChild("other")
    for each in (log, other):
        for _ in range(MOST):
            each.warning("at one place")
    assert len(kept.texts) == 2 * MOST


def test_arguments_that_do_not_fit_raise_nothing(
    guard: FloodGuard, kept: Kept, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flood, "MOST", 0)
    # Not by the logger: pytest's own handler would raise.
    guard.handle(logging.makeLogRecord({"msg": "%d", "args": ("no number",), "levelno": logging.WARNING}))
    assert "TypeError" in capsys.readouterr().err
