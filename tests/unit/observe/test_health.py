"""What makes the service unwell in the eyes of a probe, and what does not."""

from dataclasses import replace

import pytest

from forwarder.observe.health import HEARTBEAT_S, OK, PROGRESS_S, Backlog, Health, Vitals
from tests.unit.observe.test_metrics import measured

WELL = Vitals(replace(measured().condition, stuck=()), {"b:1/c": True}, {"output": Backlog(0, 0)})


class Probe:
    def __init__(self) -> None:
        self.vitals = WELL
        self.now = 1000.0
        self.health = Health(lambda: self.vitals, lambda: self.now)

    def condition(self, **changes: object) -> None:
        self.vitals = replace(self.vitals, condition=replace(self.vitals.condition, **changes))  # pyright: ignore[reportArgumentType]

    def seconds(self, count: float, acknowledged: int = 0, waiting: int = 0, cluster: str = "output") -> None:
        """So it is for so long: looked at every second."""
        backlogs = {**self.vitals.backlogs, cluster: Backlog(acknowledged, waiting)}
        self.vitals = replace(self.vitals, backlogs=backlogs)
        end = self.now + count
        while self.now < end:
            self.now += 1.0
            self.health.look()

    @property
    def live(self) -> bool:
        return set(self.health.live().values()) == {OK}

    @property
    def wrong(self) -> dict[str, str]:
        """The checks of `/ready` that fail."""
        return {check: found for check, found in self.health.ready().items() if found != OK}


@pytest.fixture
def probe() -> Probe:
    return Probe()


def test_a_service_that_has_nothing_to_do_is_well(probe: Probe) -> None:
    probe.seconds(3600)
    assert probe.live
    assert not probe.wrong


def test_work_after_a_long_rest_is_no_standstill(probe: Probe) -> None:
    probe.seconds(3600)
    probe.seconds(PROGRESS_S - 1, waiting=10)
    assert not probe.wrong


def test_a_cluster_that_takes_nothing_of_what_waits(probe: Probe) -> None:
    probe.seconds(10, acknowledged=5)
    probe.seconds(PROGRESS_S + 1, acknowledged=5, waiting=10)
    assert probe.wrong == {"kafka": "output acknowledged nothing for 16 s, and 10 messages wait"}
    assert probe.live, "a new start would mend nothing"
    probe.seconds(1, acknowledged=6, waiting=9)
    assert not probe.wrong


def test_one_topic_that_is_stuck_while_others_get_on_is_no_standstill(probe: Probe) -> None:
    for second in range(60):
        probe.seconds(1, acknowledged=second, waiting=1000 + second)
    assert not probe.wrong


def test_the_other_cluster_is_named(probe: Probe) -> None:
    probe.seconds(PROGRESS_S + 2, waiting=3, cluster="b:2")
    assert probe.wrong["kafka"].startswith("b:2 acknowledged nothing")


def test_before_the_state_is_known_and_the_commands_are_read(probe: Probe) -> None:
    probe.condition(restored=False)
    probe.vitals = replace(probe.vitals, config_topics={"b:1/c": False, "b:1/d": True})
    assert probe.wrong == {"state": "the stored state is not read yet", "config": "not read: b:1/c"}
    assert probe.live


def test_while_it_stops(probe: Probe) -> None:
    probe.condition(stopping=True)
    assert probe.wrong == {"service": "it is stopping"}
    assert probe.live


def test_parts_that_are_stuck_want_a_new_start(probe: Probe) -> None:
    probe.condition(stuck=("sender", "ticker"))
    assert probe.health.live()["parts"] == "stuck: sender, ticker"
    probe.condition(stopping=True)
    assert probe.live


def test_nobody_who_looks_at_the_parts_wants_one_too(probe: Probe) -> None:
    probe.condition(heartbeat_s=None)
    assert probe.live, "it has only begun"
    probe.condition(heartbeat_s=HEARTBEAT_S - 1)
    assert probe.live
    probe.condition(heartbeat_s=HEARTBEAT_S + 2)
    assert probe.health.live()["heartbeat"] == "none for 22 s"
