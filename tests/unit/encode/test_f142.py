"""f142 messages, judged by flatc with our schema and by the classes of ess-streaming-data-types."""

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streaming_data_types.fbschemas.logdata_f142.AlarmSeverity import AlarmSeverity
from streaming_data_types.fbschemas.logdata_f142.AlarmStatus import AlarmStatus
from streaming_data_types.fbschemas.logdata_f142.LogData import LogData
from streaming_data_types.fbschemas.logdata_f142.Value import Value as Union

from forwarder.encode import f142
from forwarder.errors import CannotEncode
from forwarder.model import ChannelType, ValueType
from tests.support import flatc

from .log_union import union_of
from .values import (
    ARRAYS,
    FLOATS,
    INTEGERS,
    NAME,
    SCALARS,
    TIME_NS,
    array,
    elements,
    names,
    scalars,
    texts,
    times,
)

V = ValueType

MEMBERS = {kind: name for kind, (name, *_) in {**INTEGERS, **FLOATS}.items()} | {V.STRING: "String"}

TEXTS = ["", "abc", "four", "Å 300 K", "x" * 40]
TEXT_ARRAYS = [[], ["one"], ["", "Å", "x" * 40]]
EXAMPLES = [*SCALARS, *[(V.STRING, text) for text in TEXTS]]
ARRAY_EXAMPLES = [*ARRAYS, *[(V.STRING, texts) for texts in TEXT_ARRAYS]]


def read(message: bytes) -> dict[str, Any]:
    """What the library's classes see."""
    assert message[4:8] == b"f142"
    log = LogData.GetRootAsLogData(message, 0)
    member, value = union_of("logdata_f142", Union, log)
    return {
        "name": log.SourceName(),
        "time": log.Timestamp(),
        "status": log.Status(),
        "severity": log.Severity(),
        "member": member,
        "value": value,
    }


def as_text(value: Any) -> Any:
    """FlatBuffers in Python gives strings as bytes."""
    if isinstance(value, list):
        return [as_text(each) for each in value]
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize(("kind", "value"), EXAMPLES)
def test_a_scalar_is_what_both_judges_read(kind: ValueType, value: Any) -> None:
    message = f142.encoder(NAME, ChannelType(kind, is_array=False)).encode(value, TIME_NS)
    seen = read(message)
    assert (seen["name"], seen["time"], seen["member"]) == (NAME.encode(), TIME_NS, MEMBERS[kind])
    assert as_text(seen["value"]) == (np.float32(value) if kind is V.FLOAT32 else value)
    assert (seen["status"], seen["severity"]) == (AlarmStatus.NO_CHANGE, AlarmSeverity.NO_CHANGE)
    judged = flatc.to_json("f142", message)
    assert (judged["source_name"], judged["timestamp"], judged["value_type"]) == (NAME, TIME_NS, MEMBERS[kind])
    assert judged["value"]["value"] == pytest.approx(value)
    assert (judged["status"], judged["severity"]) == ("NO_CHANGE", "NO_CHANGE")


@pytest.mark.parametrize(("kind", "values"), ARRAY_EXAMPLES)
def test_an_array_is_what_both_judges_read(kind: ValueType, values: list[Any]) -> None:
    message = f142.encoder(NAME, ChannelType(kind, is_array=True)).encode(array(kind, values), TIME_NS)
    seen = read(message)
    assert (seen["name"], seen["time"], seen["member"]) == (NAME.encode(), TIME_NS, "Array" + MEMBERS[kind])
    assert as_text(seen["value"]) == [np.float32(each) if kind is V.FLOAT32 else each for each in values]
    judged = flatc.to_json("f142", message)
    assert judged["value_type"] == "Array" + MEMBERS[kind]
    assert judged["value"].get("value", []) == pytest.approx(values)


@pytest.mark.parametrize("is_array", [False, True])
@pytest.mark.parametrize("kind", [V.FLOAT64, V.STRING, V.INT16])
def test_the_alarm_is_in_the_numbers_of_the_schema(kind: ValueType, is_array: bool) -> None:
    value: Any = "text" if kind is V.STRING else 7
    encoder = f142.encoder(NAME, ChannelType(kind, is_array))
    for severity, name in enumerate(("NO_ALARM", "MINOR", "MAJOR", "INVALID")):
        for status in range(22):
            message = encoder.encode_with_alarm(array(kind, [value]) if is_array else value, TIME_NS, status, severity)
            seen = read(message)
            assert seen["status"] == status
            assert seen["severity"] == getattr(AlarmSeverity, name)
            assert as_text(seen["value"]) == ([value] if is_array else value)
    judged = flatc.to_json("f142", message)
    assert (judged["status"], judged["severity"]) == ("WRITE_ACCESS", "INVALID")
    strange = read(encoder.encode_with_alarm(array(kind, [value]) if is_array else value, TIME_NS, 99, 9))
    assert (strange["status"], strange["severity"]) == (AlarmStatus.UDF, AlarmSeverity.INVALID)


@pytest.mark.parametrize("kind", [V.TABLE, V.IMAGE, V.UNKNOWN])
def test_a_type_without_a_place_is_refused_by_name(kind: ValueType) -> None:
    with pytest.raises(CannotEncode, match=f"{NAME}: f142 has no place for {kind.value}"):
        f142.encoder(NAME, ChannelType(kind, is_array=False))


def test_a_boolean_is_a_byte_of_0_or_1() -> None:
    assert read(f142.encoder(NAME, ChannelType(V.BOOL, is_array=False)).encode(True, TIME_NS))["value"] == 1
    assert read(f142.encoder(NAME, ChannelType(V.BOOL, is_array=False)).encode(False, TIME_NS))["value"] == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_keep_their_bits(value: float) -> None:
    message = f142.encoder(NAME, ChannelType(V.FLOAT64, is_array=False)).encode(value, TIME_NS)
    assert struct.pack("<d", read(message)["value"]) == struct.pack("<d", value)


@pytest.mark.parametrize("value", [2**31, "text", None])
def test_a_value_of_another_type_raises_instead_of_being_bent(value: Any) -> None:
    with pytest.raises(struct.error):
        f142.encoder(NAME, ChannelType(V.INT32, is_array=False)).encode(value, TIME_NS)


@given(names, times, st.one_of(scalars, st.tuples(st.just(V.STRING), texts)), st.integers(0, 21), st.integers(0, 3))
@settings(max_examples=500, deadline=None)
def test_every_scalar_goes_there_and_back(
    name: str, time_ns: int, typed: tuple[ValueType, Any], status: int, severity: int
) -> None:
    kind, value = typed
    encoder = f142.encoder(name, ChannelType(kind, is_array=False))
    for message in (encoder.encode(value, time_ns), encoder.encode_with_alarm(value, time_ns, status, severity)):
        seen = read(message)
        assert (seen["name"], seen["time"], as_text(seen["value"])) == (name.encode(), time_ns, value)


@given(names, times, st.sampled_from(sorted({**INTEGERS, **FLOATS}, key=str)), st.data())
@settings(max_examples=300, deadline=None)
def test_every_array_goes_there_and_back(name: str, time_ns: int, kind: ValueType, data: st.DataObject) -> None:
    values = data.draw(st.lists(elements(kind), max_size=20))
    encoder = f142.encoder(name, ChannelType(kind, is_array=True))
    messages = (
        encoder.encode(array(kind, values), time_ns),
        encoder.encode_with_alarm(array(kind, values), time_ns, 3, 2),
    )
    for message in messages:
        seen = read(message)
        assert (seen["name"], seen["time"], seen["value"]) == (name.encode(), time_ns, values)


@given(names, times, st.lists(texts, max_size=9))
@settings(max_examples=100, deadline=None)
def test_every_array_of_texts_goes_there_and_back(name: str, time_ns: int, values: list[str]) -> None:
    seen = read(f142.encoder(name, ChannelType(V.STRING, is_array=True)).encode(values, time_ns))
    assert (seen["name"], seen["time"], as_text(seen["value"])) == (name.encode(), time_ns, values)
