"""What a forwarder says of a fault: that it began, once, and that it is over."""

import re

from tests.support.forwarder_process import ForwarderProcess
from tests.support.waiting import wait_until

_OVER_WITHIN_S = 15.0
_LINE = re.compile(r"^\S+ (WARNING|ERROR|CRITICAL|INFO) \S+: (.*)$", re.MULTILINE)


def said(log: str, what: str) -> list[str]:
    """The texts of the lines that hold this, in order."""
    return [text for _, text in _LINE.findall(log) if what in text]


def check_said_once_and_over(process: ForwarderProcess, what: str) -> None:
    """No reason is told twice, and soon it is over. A broker that comes back may go once more meanwhile."""
    wait_until(
        lambda: any(": over after " in text for text in said(process.log, what)[-1:]),
        _OVER_WITHIN_S,
        what=f"it is said that this is over: {what}",
    )
    texts = said(process.log, what)
    overs = [text for text in texts if ": over after " in text]
    reasons = [text for text in texts if ": over after " not in text]
    assert len(overs) <= len(reasons) == len(set(reasons)), texts
