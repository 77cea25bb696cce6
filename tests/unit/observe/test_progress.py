"""Whether parts get on."""

from forwarder.observe.progress import Progress
from forwarder.pulse import Watched


def test_a_part_that_counts_is_never_stuck_and_one_that_does_not_is_after_a_while() -> None:
    counts = {"turns": 0, "hangs": 7}
    progress = Progress([Watched(name, lambda name=name: counts[name]) for name in counts], patience_s=10.0)
    for now in range(11):
        counts["turns"] += 1
        assert progress.stuck(float(now)) == []
    counts["turns"] += 1
    assert progress.stuck(10.5) == ["hangs"]
    counts["hangs"] += 1
    assert progress.stuck(11.0) == []


def test_patience_begins_with_the_first_look() -> None:
    progress = Progress([Watched("part", lambda: 0)], patience_s=1.0)
    assert progress.stuck(1000.0) == []
    assert progress.stuck(1001.0) == []
    assert progress.stuck(1001.1) == ["part"]


def test_one_that_waits_for_something_that_is_away_may_take_so_much_longer() -> None:
    progress = Progress([Watched("waits", lambda: 0, slowest_s=5.0), Watched("works", lambda: 0)], patience_s=1.0)
    progress.stuck(0.0)
    assert progress.stuck(6.0) == ["works"]
    assert progress.stuck(6.1) == ["waits", "works"]
