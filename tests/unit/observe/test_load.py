"""Whether the event loop has enough of a core."""

import pytest

from forwarder.observe.load import Load


class Machine:
    def __init__(self) -> None:
        self.now = 0.0
        self.cpu = 0.0
        self.load = Load(lambda: self.now, lambda: self.cpu)

    def run(self, *busy: float, lag_s: float = 0.0) -> list[bool]:
        """So much of a core in one second after the other; whether it was overloaded after each."""
        seen: list[bool] = []
        for part in busy:
            self.now += 1.0 + lag_s
            self.cpu += part * (1.0 + lag_s)
            self.load.look(1.0)
            assert self.load.busy == pytest.approx(part)
            assert self.load.lag_s == pytest.approx(lag_s)
            seen.append(self.load.overloaded)
        return seen


def test_a_burst_is_no_overload_and_a_full_core_is(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    assert machine.run(0.5, 1.0, 1.0, 0.5, 0.5) == [False] * 5
    assert machine.run(0.97, 0.98, 1.0, 0.96, 0.9) == [False, False, True, True, True]
    assert machine.run(0.8, 0.8, 0.8) == [True, True, False]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith("the core of the event loop is full: updates may wait")
    assert said[1].startswith("the core of the event loop is full: over after")


def test_a_loop_that_is_late_again_and_again_is_overloaded_though_others_use_the_core() -> None:
    machine = Machine()
    assert machine.run(0.3, 0.3, 0.3, lag_s=0.6) == [False, False, True]
    assert machine.run(0.3, 0.3, 0.3) == [True, True, False]


def test_one_good_second_in_between_is_not_the_end_nor_does_it_hide_the_others() -> None:
    machine = Machine()
    assert machine.run(1.0, 1.0, 0.5, 1.0, 1.0) == [False, False, False, False, True]
    assert machine.run(0.5, 1.0, 0.5, 0.5) == [True] * 4


def test_waiting_and_lateness_add_up() -> None:
    machine = Machine()
    seen: list[bool] = []
    waited_s = 0.0
    for _ in range(3):
        machine.now += 1.2
        waited_s += 0.24
        machine.load.look(1.0, waited_s)
        assert machine.load.waiting == pytest.approx(0.2)
        seen.append(machine.load.overloaded)
    assert seen == [False, False, True]
