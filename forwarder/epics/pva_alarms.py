"""The alarm of a PV as pvAccess tells it, in the numbers of EPICS: there the status is a text."""

from forwarder.model import Severity

_NO_ALARM = 0
_UDF = 17

# fmt: off
_NAMES = [
    "NO_ALARM", "READ", "WRITE", "HIHI", "HIGH", "LOLO", "LOW", "STATE",
    "COS", "COMM", "TIMEOUT", "HWLIMIT", "CALC", "SCAN", "LINK", "SOFT",
    "BAD_SUB", "UDF", "DISABLE", "SIMM", "READ_ACCESS", "WRITE_ACCESS",
]
# fmt: on
"""By status, as in alarmString.h of EPICS base. alarm.h calls some of them otherwise, and all with a suffix."""

STATUS_BY_TEXT = {name: status for status, name in enumerate(_NAMES)}
STATUS_BY_TEXT |= {"TIMED": 10, "HW_LIMIT": 11}
STATUS_BY_TEXT |= {f"{name}_ALARM": status for name, status in STATUS_BY_TEXT.items()}
STATUS_BY_TEXT["NO_ALARM"] = _NO_ALARM


def status_of(text: str, severity: int) -> int:
    """EPICS's number of an alarm status. A text that is none of its names is UDF, if there is an alarm at all."""
    return STATUS_BY_TEXT.get(text, _UDF if severity else _NO_ALARM)


def severity_of(number: int) -> int:
    """EPICS's number of a severity: pvAccess knows a fifth, undefined, which is INVALID here."""
    return number if Severity.NO_ALARM <= number <= Severity.INVALID else int(Severity.INVALID)
