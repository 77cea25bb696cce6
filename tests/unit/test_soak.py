"""What a soak counts, and from when on memory grows."""

import pytest

from benchmarks.soak_follow import Counter
from benchmarks.soak_samples import Sample, slope

_PV = b"PV"


def counted(values: list[float]) -> Counter:
    counter = Counter()
    counter.connected(_PV)
    for value in values:
        counter.came(_PV, value)
    return counter


@pytest.mark.parametrize(
    ("values", "missing", "twice", "backwards"),
    [
        ([1, 2, 3, 4], 0, 0, 0),
        ([1, 3, 4], 0, 0, 0),
        ([1, 2, 5, 6], 2, 0, 0),
        ([1, 2, 2, 3], 0, 1, 0),
        ([1, 2, 1, 2], 0, 0, 1),
    ],
    ids=["all", "left out by the IOC at the start", "missing", "twice", "backwards"],
)
def test_the_steps_of_a_counter(values: list[float], missing: int, twice: int, backwards: int) -> None:
    counter = counted(values)
    assert (counter.missing, counter.twice, counter.backwards) == (missing, twice, backwards)
    assert counter.values == len(values)


def test_a_pv_that_connects_again_may_count_from_the_beginning() -> None:
    counter = counted([7, 8, 9])
    counter.connected(_PV)
    for value in (1, 3, 4):
        counter.came(_PV, value)
    assert (counter.missing, counter.twice, counter.backwards) == (0, 0, 0)


def memory(of_minute: list[float]) -> list[Sample]:
    """Samples, in MB, one a minute."""
    return [Sample(60.0 * minute, int(mb * 1e6), 1, 1, 0.0) for minute, mb in enumerate(of_minute)]


def test_memory_that_grows_evenly() -> None:
    seen = slope(memory([100 + minute for minute in range(60)]))
    assert seen.mb_per_h == pytest.approx(60, rel=0.01)
    assert seen.within < 1


def test_memory_that_goes_up_and_down_has_no_slope_to_speak_of() -> None:
    seen = slope(memory([100 + 10 * (minute % 2) for minute in range(60)]))
    assert abs(seen.mb_per_h) <= seen.within


def test_two_samples_tell_no_slope() -> None:
    assert slope(memory([100, 101])).within == float("inf")
