"""f144 messages, judged by flatc with our schema and by the classes of ess-streaming-data-types."""

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streaming_data_types.fbschemas.logdata_f144.f144_LogData import f144_LogData
from streaming_data_types.fbschemas.logdata_f144.Value import Value as Union
from streaming_data_types.logdata_f144 import deserialise_f144

from forwarder.encode import f144
from forwarder.errors import CannotEncode
from forwarder.model import ChannelType, ValueType
from tests.support import flatc

from .log_union import union_of
from .values import ARRAYS, FLOATS, INTEGERS, NAME, SCALARS, TIME_NS, array, elements, kinds, names, scalars, times

V = ValueType
MEMBERS = {kind: name for kind, (name, *_) in {**INTEGERS, **FLOATS}.items()}


def read(message: bytes) -> tuple[str, int, str, Any]:
    """What the library's classes see: name, time, member of the union, value."""
    assert message[4:8] == b"f144"
    log = f144_LogData.GetRootAsf144_LogData(message, 0)
    return (log.SourceName().decode(), log.Timestamp(), *union_of("logdata_f144", Union, log))


@pytest.mark.parametrize(("kind", "value"), SCALARS)
def test_a_scalar_is_what_both_judges_read(kind: ValueType, value: Any) -> None:
    message = f144.encoder(NAME, ChannelType(kind, is_array=False)).encode(value, TIME_NS)
    seen = np.float32(value) if kind is V.FLOAT32 else value
    assert read(message) == (NAME, TIME_NS, MEMBERS[kind], seen)
    assert tuple(deserialise_f144(message)) == (NAME, seen, TIME_NS)
    judged = flatc.to_json("f144", message)
    assert judged["value"]["value"] == pytest.approx(value)
    assert (judged["source_name"], judged["timestamp"], judged["value_type"]) == (NAME, TIME_NS, MEMBERS[kind])


@pytest.mark.parametrize(("kind", "values"), ARRAYS)
def test_an_array_is_what_both_judges_read(kind: ValueType, values: list[Any]) -> None:
    message = f144.encoder(NAME, ChannelType(kind, is_array=True)).encode(array(kind, values), TIME_NS)
    seen = [np.float32(each) if kind is V.FLOAT32 else each for each in values]
    assert read(message) == (NAME, TIME_NS, "Array" + MEMBERS[kind], seen)
    judged = flatc.to_json("f144", message)
    assert judged["value_type"] == "Array" + MEMBERS[kind]
    assert judged["value"].get("value", []) == pytest.approx(values)


@pytest.mark.parametrize("is_array", [False, True])
@pytest.mark.parametrize("kind", [V.STRING, V.TABLE, V.IMAGE, V.UNKNOWN])
def test_a_type_without_a_place_is_refused_by_name(kind: ValueType, is_array: bool) -> None:
    what = f"arrays of {kind.value}" if is_array else kind.value
    with pytest.raises(CannotEncode, match=f"^{NAME}: f144 has no place for {what}$"):
        f144.encoder(NAME, ChannelType(kind, is_array))


def test_the_alarm_changes_nothing() -> None:
    one = f144.encoder(NAME, ChannelType(V.FLOAT64, is_array=False))
    many = f144.encoder(NAME, ChannelType(V.FLOAT64, is_array=True))
    assert one.encode_with_alarm(1.5, TIME_NS, 3, 2) == one.encode(1.5, TIME_NS)
    assert many.encode_with_alarm(np.ones(3), TIME_NS, 3, 2) == many.encode(np.ones(3), TIME_NS)


def test_a_boolean_is_a_byte_of_0_or_1() -> None:
    assert read(f144.encoder(NAME, ChannelType(V.BOOL, is_array=False)).encode(True, TIME_NS))[3] == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_keep_their_bits(value: float) -> None:
    for kind, code in ((V.FLOAT64, "<d"), (V.FLOAT32, "<f")):
        one = read(f144.encoder(NAME, ChannelType(kind, is_array=False)).encode(value, TIME_NS))[3]
        (same,) = read(f144.encoder(NAME, ChannelType(kind, is_array=True)).encode(array(kind, [value]), TIME_NS))[3]
        assert struct.pack(code, one) == struct.pack(code, same) == struct.pack(code, value)


def test_an_array_that_is_not_contiguous_or_of_another_byte_order_is_sent_as_it_reads() -> None:
    encoder = f144.encoder(NAME, ChannelType(V.FLOAT64, is_array=True))
    for values in (np.arange(10.0)[::3], np.array([0, 3, 6, 9], ">f8")):
        assert read(encoder.encode(values, TIME_NS))[3] == [0.0, 3.0, 6.0, 9.0]


@given(names, times, scalars)
@settings(max_examples=500, deadline=None)
def test_every_scalar_goes_there_and_back(name: str, time_ns: int, typed: tuple[ValueType, Any]) -> None:
    kind, value = typed
    message = f144.encoder(name, ChannelType(kind, is_array=False)).encode(value, time_ns)
    assert read(message) == (name, time_ns, MEMBERS[kind], value)


@given(names, times, kinds, st.data())
@settings(max_examples=300, deadline=None)
def test_every_array_goes_there_and_back(name: str, time_ns: int, kind: ValueType, data: st.DataObject) -> None:
    values = data.draw(st.lists(elements(kind), max_size=20))
    message = f144.encoder(name, ChannelType(kind, is_array=True)).encode(array(kind, values), time_ns)
    assert read(message) == (name, time_ns, "Array" + MEMBERS[kind], values)
