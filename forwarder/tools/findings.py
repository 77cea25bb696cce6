"""What a check has found."""

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    OK = "ok"
    WARNING = "warning"
    """It works, but not as well as it could."""
    FAILED = "failed"
    UNKNOWN = "not known"
    """It could not be found out."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    """Its kind: brokers, topic, access..."""
    subject: str
    """What of that kind."""
    verdict: Verdict
    detail: str
    hint: str = ""
    """What to do; empty where there is nothing."""


def ok(check: str, subject: str, detail: str) -> Finding:
    return Finding(check, subject, Verdict.OK, detail)


def warning(check: str, subject: str, detail: str, hint: str = "") -> Finding:
    return Finding(check, subject, Verdict.WARNING, detail, hint)


def failed(check: str, subject: str, detail: str, hint: str = "") -> Finding:
    return Finding(check, subject, Verdict.FAILED, detail, hint)


def unknown(check: str, subject: str, detail: str, hint: str = "") -> Finding:
    return Finding(check, subject, Verdict.UNKNOWN, detail, hint)
