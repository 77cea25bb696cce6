"""al00: a PV's alarm changed; goes with every schema but f142. Format: schemas/al00.fbs."""

from .notice import Notice

SCHEMA = "al00"

STATUS_TEXTS = (
    "NO_ALARM",
    "READ",
    "WRITE",
    "HIHI",
    "HIGH",
    "LOLO",
    "LOW",
    "STATE",
    "COS",
    "COMM",
    "TIMEOUT",
    "HWLIMIT",
    "CALC",
    "SCAN",
    "LINK",
    "SOFT",
    "BAD_SUB",
    "UDF",
    "DISABLE",
    "SIMM",
    "READ_ACCESS",
    "WRITE_ACCESS",
)
"""By EPICS alarm status: the text for it, which is EPICS's own name (epicsAlarmConditionStrings in alarmString.h)."""

_INVALID = 3

_NOTICE = Notice(SCHEMA, slots=4, source_name=0, timestamp=1, state=2, text=3)


def encode(name: bytes, severity: int, message: str, time_ns: int) -> bytes:
    """The message that tells a PV's alarm since a time, in nanoseconds since the Unix epoch.

    The severity is EPICS's number; one that EPICS does not have is INVALID. The message is the name of the status
    for a PV of Channel Access, as `status_text` gives it, and may be the server's own text for one of pvAccess.
    """
    return _NOTICE.encode(name, time_ns, message, severity if 0 <= severity <= _INVALID else _INVALID)


def status_text(status: int) -> str:
    """EPICS's name of an alarm status; `UDF` for a number that EPICS does not have."""
    return STATUS_TEXTS[status] if 0 <= status < len(STATUS_TEXTS) else "UDF"
