"""f142 messages, judged by flatc with our schema and by the classes of ess-streaming-data-types."""

import importlib
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

TIME_NS = 1_784_000_000_123_456_789
NAME = "IN:DEMO:CS:SB:TEMP1"
V = ValueType

INTEGERS = {
    V.INT8: ("Byte", -(2**7), 2**7 - 1),
    V.UINT8: ("UByte", 0, 2**8 - 1),
    V.INT16: ("Short", -(2**15), 2**15 - 1),
    V.UINT16: ("UShort", 0, 2**16 - 1),
    V.INT32: ("Int", -(2**31), 2**31 - 1),
    V.ENUM: ("Int", 0, 2**16 - 1),
    V.UINT32: ("UInt", 0, 2**32 - 1),
    V.INT64: ("Long", -(2**63), 2**63 - 1),
    V.UINT64: ("ULong", 0, 2**64 - 1),
}
FLOATS = {V.FLOAT32: ("Float", np.float32), V.FLOAT64: ("Double", np.float64)}
MEMBERS = {kind: name for kind, (name, *_) in {**INTEGERS, **FLOATS}.items()} | {V.STRING: "String"}

EXAMPLES: list[tuple[ValueType, Any]] = [
    *[(kind, value) for kind, (_, low, high) in INTEGERS.items() for value in (low, 0, 1, high)],
    *[(kind, value) for kind in FLOATS for value in (0.0, -1.5, 1e30)],
    (V.STRING, ""),
    (V.STRING, "abc"),
    (V.STRING, "four"),
    (V.STRING, "Å 300 K"),
    (V.STRING, "x" * 40),
]
ARRAYS: list[tuple[ValueType, list[Any]]] = [
    *[(kind, values) for kind, (_, low, high) in INTEGERS.items() for values in ([], [high], [low, 0, high])],
    *[(kind, values) for kind in FLOATS for values in ([], [0.5], [-1.5, 0.0, 1e30])],
    (V.STRING, []),
    (V.STRING, ["one"]),
    (V.STRING, ["", "Å", "x" * 40]),
]


def array(kind: ValueType, values: list[Any]) -> Any:
    if kind is V.STRING:
        return values
    return np.array(values, "uint16" if kind is V.ENUM else kind.value)


def read(message: bytes) -> dict[str, Any]:
    """What the library's classes see."""
    assert message[4:8] == b"f142"
    log = LogData.GetRootAsLogData(message, 0)
    member = next(name for name, number in vars(Union).items() if number == log.ValueType())
    table = getattr(importlib.import_module(f"streaming_data_types.fbschemas.logdata_f142.{member}"), member)()
    union = log.Value()
    assert union is not None
    table.Init(union.Bytes, union.Pos)
    value = [table.Value(i) for i in range(table.ValueLength())] if member.startswith("Array") else table.Value()
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


@pytest.mark.parametrize(("kind", "values"), ARRAYS)
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


def test_a_type_without_a_place_is_refused_by_name() -> None:
    with pytest.raises(CannotEncode, match=f"{NAME}: f142 has no place for bool"):
        f142.encoder(NAME, ChannelType(V.BOOL, is_array=False))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_keep_their_bits(value: float) -> None:
    message = f142.encoder(NAME, ChannelType(V.FLOAT64, is_array=False)).encode(value, TIME_NS)
    assert struct.pack("<d", read(message)["value"]) == struct.pack("<d", value)


@pytest.mark.parametrize("value", [2**31, "text", None])
def test_a_value_of_another_type_raises_instead_of_being_bent(value: Any) -> None:
    with pytest.raises(struct.error):
        f142.encoder(NAME, ChannelType(V.INT32, is_array=False)).encode(value, TIME_NS)


names = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\x7f"), min_size=1, max_size=300
)
times = st.integers(0, 2**63 - 1)
numbers = st.sampled_from(sorted(INTEGERS, key=str)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.integers(INTEGERS[kind][1], INTEGERS[kind][2]))
)
doubles = st.tuples(st.just(V.FLOAT64), st.floats(allow_nan=False))
floats = st.tuples(st.just(V.FLOAT32), st.floats(allow_nan=False, width=32))
texts = st.tuples(st.just(V.STRING), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))


@given(names, times, st.one_of(numbers, doubles, floats, texts), st.integers(0, 21), st.integers(0, 3))
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
    if kind in INTEGERS:
        elements: Any = st.integers(INTEGERS[kind][1], INTEGERS[kind][2])
    else:
        elements = st.floats(allow_nan=False, width=32 if kind is V.FLOAT32 else 64)
    values = data.draw(st.lists(elements, max_size=20))
    encoder = f142.encoder(name, ChannelType(kind, is_array=True))
    messages = (
        encoder.encode(array(kind, values), time_ns),
        encoder.encode_with_alarm(array(kind, values), time_ns, 3, 2),
    )
    for message in messages:
        seen = read(message)
        assert (seen["name"], seen["time"], seen["value"]) == (name.encode(), time_ns, values)


@given(names, times, st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=9))
@settings(max_examples=100, deadline=None)
def test_every_array_of_texts_goes_there_and_back(name: str, time_ns: int, texts: list[str]) -> None:
    seen = read(f142.encoder(name, ChannelType(V.STRING, is_array=True)).encode(texts, time_ns))
    assert (seen["name"], seen["time"], as_text(seen["value"])) == (name.encode(), time_ns, texts)
