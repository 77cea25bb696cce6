"""What the demo shows of a message."""

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from flatbuffers import Builder
from streaming_data_types.epics_connection_info_ep00 import serialise_ep00
from streaming_data_types.fbschemas.epics_connection_info_ep00.EventType import EventType
from streaming_data_types.fbschemas.logdata_f142 import LogData
from streaming_data_types.fbschemas.logdata_f142.AlarmSeverity import AlarmSeverity
from streaming_data_types.fbschemas.logdata_f142.AlarmStatus import AlarmStatus
from streaming_data_types.fbschemas.logdata_f142.Value import Value
from streaming_data_types.status_x5f2 import serialise_x5f2

from forwarder.demo.decode import Connection, decode_ep00, decode_f142, decode_status, schema_of

TIME_NS = 1_700_000_000_123_456_789


def f142(kind: str, value: Any, alarm: tuple[int, int] | None = None) -> bytes:
    """A message of a value of this member of the union, made with flatc's classes alone."""
    module: Any = import_module(f"streaming_data_types.fbschemas.logdata_f142.{kind}")
    builder: Any = Builder()
    name = builder.CreateString("PV")
    if isinstance(value, str):
        content = builder.CreateString(value)
    elif isinstance(value, np.ndarray):
        content = builder.CreateNumpyVector(value)
    elif isinstance(value, list):
        texts = [builder.CreateString(text) for text in value]
        getattr(module, f"{kind}StartValueVector")(builder, len(texts))
        for text in reversed(texts):
            builder.PrependUOffsetTRelative(text)
        content = builder.EndVector()
    else:
        content = value
    getattr(module, f"{kind}Start")(builder)
    getattr(module, f"{kind}AddValue")(builder, content)
    held = getattr(module, f"{kind}End")(builder)
    LogData.LogDataStart(builder)
    LogData.LogDataAddSourceName(builder, name)
    LogData.LogDataAddValueType(builder, getattr(Value, kind))
    LogData.LogDataAddValue(builder, held)
    LogData.LogDataAddTimestamp(builder, TIME_NS)
    if alarm is not None:
        LogData.LogDataAddStatus(builder, alarm[0])
        LogData.LogDataAddSeverity(builder, alarm[1])
    builder.Finish(LogData.LogDataEnd(builder), file_identifier=b"f142")
    return bytes(builder.Output())


VALUES = {
    "double": ("Double", 2.5),
    "int": ("Int", -3),
    "unsigned byte": ("UByte", 200),
    "text": ("String", "vanadium"),
    "doubles": ("ArrayDouble", np.array([1.0, 2.5])),
    "short ints": ("ArrayShort", np.array([-1, 7], dtype=np.int16)),
    "texts": ("ArrayString", ["a", "b"]),
}


@pytest.mark.parametrize(("kind", "value"), VALUES.values(), ids=VALUES)
def test_a_value_is_read_as_it_was_written(kind: str, value: Any) -> None:
    reading = decode_f142(f142(kind, value))
    assert (reading.pv, reading.time_ns, reading.alarm) == ("PV", TIME_NS, None)
    if isinstance(value, np.ndarray):
        np.testing.assert_array_equal(reading.value, value)
    else:
        assert reading.value == value


def test_an_alarm_is_told_by_name() -> None:
    message = f142("Double", 2.5, (AlarmStatus.HIHI, AlarmSeverity.MAJOR))
    assert decode_f142(message).alarm == ("HIHI", "MAJOR")


def test_a_connection_event_is_told_by_name() -> None:
    event: Any = EventType.DISCONNECTED
    assert decode_ep00(serialise_ep00(TIME_NS, event, "PV", "demo")) == Connection("PV", "DISCONNECTED", TIME_NS)


def test_a_status_is_its_json() -> None:
    assert decode_status(serialise_x5f2("forwarder", "1", "demo", "host", 1, 4000, '{"state": "stopped"}')) == {
        "state": "stopped"
    }


def test_the_schema_is_in_the_message() -> None:
    assert schema_of(f142("Double", 1.0)) == "f142"
