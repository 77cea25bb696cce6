"""Whether parts get on."""

from forwarder.observe.progress import Progress


def test_a_part_that_counts_is_never_stuck_and_one_that_does_not_is_after_a_while() -> None:
    counts = {"turns": 0, "hangs": 7}
    progress = Progress({name: lambda name=name: counts[name] for name in counts}, patience_s=10.0)
    for now in range(11):
        counts["turns"] += 1
        assert progress.stuck(float(now)) == []
    counts["turns"] += 1
    assert progress.stuck(10.5) == ["hangs"]
    counts["hangs"] += 1
    assert progress.stuck(11.0) == []


def test_patience_begins_with_the_first_look() -> None:
    progress = Progress({"part": lambda: 0}, patience_s=1.0)
    assert progress.stuck(1000.0) == []
    assert progress.stuck(1001.0) == []
    assert progress.stuck(1001.1) == ["part"]
