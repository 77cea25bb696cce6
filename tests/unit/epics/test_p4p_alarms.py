"""Alarms as texts, and EPICS's numbers for them."""

import pytest

from forwarder.epics.pva_alarms import severity_of, status_of

# In the order of their numbers: the names of alarmString.h, and those of alarm.h.
NAMES = [
    ("NO_ALARM", "NO_ALARM"),
    ("READ", "READ_ALARM"),
    ("WRITE", "WRITE_ALARM"),
    ("HIHI", "HIHI_ALARM"),
    ("HIGH", "HIGH_ALARM"),
    ("LOLO", "LOLO_ALARM"),
    ("LOW", "LOW_ALARM"),
    ("STATE", "STATE_ALARM"),
    ("COS", "COS_ALARM"),
    ("COMM", "COMM_ALARM"),
    ("TIMEOUT", "TIMEOUT_ALARM"),
    ("HWLIMIT", "HW_LIMIT_ALARM"),
    ("CALC", "CALC_ALARM"),
    ("SCAN", "SCAN_ALARM"),
    ("LINK", "LINK_ALARM"),
    ("SOFT", "SOFT_ALARM"),
    ("BAD_SUB", "BAD_SUB_ALARM"),
    ("UDF", "UDF_ALARM"),
    ("DISABLE", "DISABLE_ALARM"),
    ("SIMM", "SIMM_ALARM"),
    ("READ_ACCESS", "READ_ACCESS_ALARM"),
    ("WRITE_ACCESS", "WRITE_ACCESS_ALARM"),
]


@pytest.mark.parametrize(("number", "names"), list(enumerate(NAMES)), ids=[names[0] for names in NAMES])
def test_every_status_of_epics(number: int, names: tuple[str, str]) -> None:
    assert [status_of(name, 1) for name in names] == [number, number]


def test_the_flatbuffer_schemas_name_for_a_timeout_is_known_too() -> None:
    assert status_of("TIMED", 2) == 10


@pytest.mark.parametrize(
    ("text", "severity", "status"),
    [("", 0, 0), ("", 2, 17), ("pressure too high", 1, 17), ("pressure too high", 0, 0), ("high", 1, 17)],
)
def test_texts_that_are_no_status(text: str, severity: int, status: int) -> None:
    assert status_of(text, severity) == status


@pytest.mark.parametrize(("number", "severity"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (-1, 3), (99, 3)])
def test_severities(number: int, severity: int) -> None:
    assert severity_of(number) == severity
