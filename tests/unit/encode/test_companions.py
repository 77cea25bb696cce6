"""ep01, al00 and un00 messages, judged by flatc with our schemas and by ess-streaming-data-types, which has no un00."""

from typing import Any

import pytest
from flatbuffers.number_types import Int64Flags
from hypothesis import given, settings
from hypothesis import strategies as st
from streaming_data_types.alarm_al00 import Severity as AlarmSeverity
from streaming_data_types.alarm_al00 import deserialise_al00
from streaming_data_types.epics_connection_ep01 import ConnectionInfo, deserialise_ep01

from forwarder.encode import al00, ep01, un00
from forwarder.encode.template import root_of
from forwarder.model import ConnectionState, Severity
from tests.support import flatc

from .values import TIME_NS, names, texts, times

NAME = "IN:DEMO:Å"
AL00_NAMES = ["OK", "MINOR", "MAJOR", "INVALID"]


def read_un00(message: bytes) -> dict[str, Any]:
    """What lies in the slots that ISIS gave un00: name, time, units."""
    assert message[4:8] == b"un00"
    root: Any = root_of(message)
    name, time, units = (root.Offset(4 + 2 * slot) for slot in range(3))
    return {
        "name": root.String(name + root.Pos).decode(),
        "time": root.Get(Int64Flags, time + root.Pos),
        "units": root.String(units + root.Pos).decode() if units else None,
    }


@pytest.mark.parametrize("state", ConnectionState)
def test_ep01_is_what_both_judges_read(state: ConnectionState) -> None:
    message = ep01.encode(NAME.encode(), state, TIME_NS, "forwarder-1")
    assert tuple(deserialise_ep01(message)) == (TIME_NS, ConnectionInfo[state.name], NAME, "forwarder-1")
    assert flatc.to_json("ep01", message) == {
        "timestamp": TIME_NS,
        "status": state.name,
        "source_name": NAME,
        "service_id": "forwarder-1",
    }


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("text", ["HIHI", "", "Überlauf"])
def test_al00_is_what_both_judges_read(severity: Severity, text: str) -> None:
    message = al00.encode(NAME.encode(), severity, text, TIME_NS)
    name = AL00_NAMES[severity]
    assert tuple(deserialise_al00(message)) == (NAME, TIME_NS, AlarmSeverity[name], text)
    assert flatc.to_json("al00", message) == {
        "source_name": NAME,
        "timestamp": TIME_NS,
        "severity": name,
        "message": text,
    }


@pytest.mark.parametrize("units", ["mm", "", "°C", "x" * 40])
def test_un00_is_what_the_judge_reads(units: str) -> None:
    message = un00.encode(NAME.encode(), units, TIME_NS)
    assert read_un00(message) == {"name": NAME, "time": TIME_NS, "units": units}
    assert flatc.to_json("un00", message) == {"source_name": NAME, "timestamp": TIME_NS, "units": units}


def test_a_pv_without_units_has_none_in_un00() -> None:
    message = un00.encode(NAME.encode(), None, TIME_NS)
    assert read_un00(message) == {"name": NAME, "time": TIME_NS, "units": None}
    assert flatc.to_json("un00", message) == {"source_name": NAME, "timestamp": TIME_NS}


@pytest.mark.parametrize("severity", [-1, 4, 99])
def test_a_severity_that_epics_does_not_have_is_invalid(severity: int) -> None:
    assert deserialise_al00(al00.encode(b"PV", severity, "", 0)).severity is AlarmSeverity.INVALID


@pytest.mark.parametrize(
    ("status", "text"), [(0, "NO_ALARM"), (3, "HIHI"), (10, "TIMEOUT"), (21, "WRITE_ACCESS"), (22, "UDF"), (-1, "UDF")]
)
def test_a_status_has_the_name_that_epics_gives_it(status: int, text: str) -> None:
    assert al00.status_text(status) == text


@given(names, times, names)
@settings(max_examples=200, deadline=None)
def test_every_ep01_goes_there_and_back(name: str, time_ns: int, service_id: str) -> None:
    message = ep01.encode(name.encode(), ConnectionState.DISCONNECTED, time_ns, service_id)
    assert tuple(deserialise_ep01(message)) == (time_ns, ConnectionInfo.DISCONNECTED, name, service_id)


@given(names, times, st.sampled_from(Severity), texts)
@settings(max_examples=200, deadline=None)
def test_every_al00_goes_there_and_back(name: str, time_ns: int, severity: Severity, text: str) -> None:
    seen = deserialise_al00(al00.encode(name.encode(), severity, text, time_ns))
    assert tuple(seen) == (name, time_ns, AlarmSeverity[AL00_NAMES[severity]], text)


@given(names, times, st.none() | texts)
@settings(max_examples=200, deadline=None)
def test_every_un00_goes_there_and_back(name: str, time_ns: int, units: str | None) -> None:
    assert read_un00(un00.encode(name.encode(), units, time_ns)) == {"name": name, "time": time_ns, "units": units}
