"""When the demo has failed, and what it says then."""

from typing import Any

import pytest

from forwarder.demo.verdict import judge


def status(received: int, forwarded: int, **others: Any) -> dict[str, Any]:
    return {
        "state": "stopped",
        "statistics": {
            "updates_received": received,
            "messages_by_schema": {"f142": forwarded - 4, "f144": 4, "ep00": 6, "ep01": 3},
        },
        **others,
    }


def test_all_is_well_when_the_three_counts_agree() -> None:
    verdict = judge(status(1234, 1234), seen=1234, exit_code=0)
    assert verdict.complaints == ()
    assert verdict.summary == "demo: 1234 updates received, 1234 forwarded, 1234 seen by the consumer"


WRONG = {
    "lost on the way in": (status(10, 9), 9, 0, "10 updates were received but 9 acknowledged"),
    "lost in the broker": (status(10, 10), 9, 0, "10 messages were acknowledged by the broker but 9 are in the topic"),
    "sent twice": (status(10, 10), 11, 0, "10 messages were acknowledged by the broker but 11"),
    "nothing at all": (None, 0, 0, "nothing was forwarded"),
    "no status": (None, 0, 0, "last status says None"),
    "not stopped": (status(10, 10, state="running"), 10, 0, "last status says 'running'"),
    "a bad end": (status(10, 10), 10, 3, "exit code 3"),
}


@pytest.mark.parametrize(("last_status", "seen", "exit_code", "complaint"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(last_status: dict[str, Any] | None, seen: int, exit_code: int, complaint: str) -> None:
    assert any(complaint in each for each in judge(last_status, seen, exit_code).complaints)
