"""A fault that repeats is told once, and its reason can be read as long as it lasts."""

import logging

from forwarder.faults import RepeatingFault


def test_the_reason_and_the_age_are_those_of_now() -> None:
    now = 100.0
    fault = RepeatingFault(logging.getLogger("test"), "the broker is away", lambda: now)
    assert (fault.reason, fault.lasts_s) == ("", 0.0)
    fault.occurred("no route")
    now = 103.0
    fault.occurred(TimeoutError())
    assert (fault.reason, fault.lasts_s) == ("TimeoutError", 3.0)
    fault.over()
    assert (fault.reason, fault.lasts_s) == ("", 0.0)
