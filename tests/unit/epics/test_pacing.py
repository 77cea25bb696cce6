"""When PVs are searched: the clock is passed in, so that an hour takes no time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.epics.pacing import FIRST_DELAY_S, LONGEST_DELAY_S, SearchPacing

TICK_S = 0.05


def pacing(jitter: float = 0.5) -> SearchPacing:
    """Half is the middle: delays are as they are written down."""
    return SearchPacing(lambda: jitter)


def searches(pacing: SearchPacing, start: float, end: float, at_most: int | None = None) -> list[tuple[float, int]]:
    """Everything that is taken at ticks from start to end: when, and what."""
    taken = []
    for tick in range(round((end - start) / TICK_S)):
        now = start + tick * TICK_S
        for n, identifier in enumerate(pacing.due(now), 1):
            taken.append((now, identifier))
            if n == at_most:
                break
    return taken


def test_a_pv_is_due_at_once_and_then_after_doubling_delays_up_to_the_longest() -> None:
    search = pacing()
    search.add(1, 0.0)
    at = [now for now, _ in searches(search, 0.0, 300.0)]
    gaps = [later - earlier for earlier, later in pairwise(at)]
    expected = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert gaps[: len(expected)] == pytest.approx(expected, abs=TICK_S + 1e-6)
    assert max(gaps) <= LONGEST_DELAY_S + TICK_S


@pytest.mark.parametrize(("jitter", "factor"), [(0.0, 0.75), (0.5, 1.0), (1.0, 1.25)])
def test_jitter_moves_a_search_by_up_to_a_quarter(jitter: float, factor: float) -> None:
    search = pacing(jitter)
    search.add(1, 0.0)
    assert list(search.due(0.0)) == [1]
    just_before = FIRST_DELAY_S * factor - 1e-9
    assert list(search.due(just_before)) == []
    assert list(search.due(just_before + 2e-9)) == [1]


def test_jitter_is_drawn_for_each_search() -> None:
    draws = iter([0.0, 1.0, 0.5])
    search = SearchPacing(lambda: next(draws))
    search.add(1, 0.0)
    search.add(2, 0.0)
    assert list(search.due(0.0)) == [1, 2]
    assert list(search.due(0.8 * FIRST_DELAY_S)) == [1]


CASES = {
    "nothing": ([], 1.0, []),
    "one": ([("add", 1, 0.0)], 0.0, [1]),
    "not yet": ([("add after", 1, 5.0)], 4.9, []),
    "at last": ([("add after", 1, 5.0)], 5.0, [1]),
    "most overdue first": ([("add", 1, 3.0), ("add", 2, 1.0), ("add", 3, 2.0)], 9.0, [2, 3, 1]),
    "found": ([("add", 1, 0.0), ("add", 2, 0.0), ("discard", 1, 0.0)], 9.0, [2]),
    "found, and lost at the same moment": ([("add", 1, 0.0), ("discard", 1, 0.0), ("add", 1, 0.0)], 9.0, [1]),
    "lost, to be searched later": ([("add", 1, 0.0), ("discard", 1, 0.0), ("add after", 1, 8.0)], 7.0, []),
    "added twice": ([("add", 1, 0.0), ("add", 1, 0.0)], 9.0, [1]),
    "discarded without being there": ([("discard", 1, 0.0)], 9.0, []),
    "restarted while it was put off": ([("add after", 1, 8.0), ("restart", 0, 2.0)], 2.0, [1]),
    "restarted when found": ([("add", 1, 0.0), ("discard", 1, 0.0), ("restart", 0, 2.0)], 9.0, []),
    "restarted twice": ([("add", 1, 0.0), ("restart", 0, 1.0), ("restart", 0, 1.0)], 9.0, [1]),
}


def do(search: SearchPacing, action: str, identifier: int, at: float) -> None:
    match action:
        case "add":
            search.add(identifier, at)
        case "add after":
            search.add(identifier, 0.0, after=at)
        case "discard":
            search.discard(identifier)
        case "restart":
            search.restart(at)


@pytest.mark.parametrize(("actions", "now", "due"), CASES.values(), ids=CASES)
def test_what_is_due(actions: list[tuple[str, int, float]], now: float, due: list[int]) -> None:
    search = pacing()
    for action in actions:
        do(search, *action)
    assert list(search.due(now)) == due


def test_a_restart_begins_with_the_shortest_delay_again() -> None:
    search = pacing()
    search.add(1, 0.0)
    searches(search, 0.0, 100.0)
    search.restart(100.0)
    assert len(searches(search, 100.0, 101.0)) >= 3


def test_what_the_budget_did_not_allow_stays_due_and_goes_first() -> None:
    search = pacing()
    for identifier in range(5):
        search.add(identifier, 0.0)
    first = [identifier for _, identifier in zip(range(2), search.due(0.0), strict=False)]
    assert first == [0, 1]
    assert list(search.due(0.05)) == [2, 3, 4]


def test_a_small_budget_reaches_every_pv() -> None:
    search = pacing()
    for identifier in range(1000):
        search.add(identifier, 0.0)
    taken = searches(search, 0.0, 10.0, at_most=10)
    assert {identifier for _, identifier in taken} == set(range(1000))


def test_ten_thousand_missing_pvs_settle_at_a_third_of_a_thousand_searches_a_second() -> None:
    search = pacing()
    for identifier in range(10_000):
        search.add(identifier, 0.0)
    searches(search, 0.0, 120.0, at_most=750)
    assert len(searches(search, 120.0, 180.0, at_most=750)) / 60 == pytest.approx(10_000 / LONGEST_DELAY_S, rel=0.1)


IDENTIFIERS = st.integers(0, 5)
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add after", "discard", "restart", "take"]), IDENTIFIERS, st.sampled_from([0.0, 0.3, 7])
    ),
    max_size=60,
)


@given(ACTIONS, st.floats(0, 1))
def test_whatever_happens_a_pv_is_due_once_at_a_time_and_only_while_it_is_searched(
    actions: list[tuple[str, int, float]], jitter: float
) -> None:
    search = pacing(jitter)
    now = 0.0
    wanted: set[int] = set()
    for action, identifier, wait in actions:
        now += wait
        if action == "take":
            taken = list(search.due(now))
            assert len(taken) == len(set(taken))
            assert set(taken) <= wanted
            assert not list(search.due(now))
        elif action == "add after":
            search.add(identifier, now, after=wait)
        else:
            do(search, action, identifier, now)
        if action.startswith("add"):
            wanted.add(identifier)
        elif action == "discard":
            wanted.discard(identifier)
        assert len(search) == len(wanted)
    assert set(search.due(now + 2 * LONGEST_DELAY_S)) == wanted
