"""tdct messages, judged by flatc with our schema and by ess-streaming-data-types."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streaming_data_types.timestamps_tdct import deserialise_tdct

from forwarder.encode import tdct
from forwarder.errors import CannotEncode
from forwarder.model import ChannelType, ValueType
from tests.support import flatc

from .values import NAME, TIME_NS, names

V = ValueType


def times_of(message: bytes) -> list[int]:
    return deserialise_tdct(message).timestamps.tolist()


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(V.INT32, "i4"), (V.UINT32, "u4"), (V.INT64, "i8"), (V.UINT64, "u8"), (V.FLOAT32, "f4"), (V.FLOAT64, "f8")],
)
def test_the_times_in_both_judges_are_absolute_and_exact(kind: ValueType, dtype: str) -> None:
    encoder = tdct.encoder(NAME, ChannelType(kind, is_array=True))
    message = encoder.encode(np.array([0, 1, 71_428_571], dtype), TIME_NS)
    # A float of 32 bits has only whole multiples of eight here.
    last = 71_428_568 if kind is V.FLOAT32 else 71_428_571
    expected = [TIME_NS, TIME_NS + 1, TIME_NS + last]
    assert times_of(message) == expected
    assert flatc.to_json("tdct", message) == {"name": NAME, "timestamps": expected, "sequence_counter": 0}


def test_times_may_lie_before_that_of_the_update_and_between_nanoseconds() -> None:
    encoder = tdct.encoder(NAME, ChannelType(V.FLOAT64, is_array=True))
    assert times_of(encoder.encode(np.array([-5.0, 0.4, 0.6]), TIME_NS)) == [TIME_NS - 5, TIME_NS, TIME_NS + 1]


def test_one_number_is_one_time() -> None:
    assert times_of(tdct.encoder(NAME, ChannelType(V.INT32, is_array=False)).encode(7, TIME_NS)) == [TIME_NS + 7]


def test_messages_are_counted_for_each_pv_and_an_empty_array_is_none() -> None:
    one, two = (tdct.encoder(name, ChannelType(V.INT32, is_array=True)) for name in ("ONE", "TWO"))
    some, none = np.array([1], "i4"), np.array([], "i4")
    assert one.encode(none, TIME_NS) == one.encode_with_alarm(none, TIME_NS, 3, 2) == b""
    messages = [one.encode(some, TIME_NS), one.encode_with_alarm(some, TIME_NS, 3, 2), two.encode(some, TIME_NS)]
    assert one.encode(none, TIME_NS) == b""
    messages.append(one.encode(some, TIME_NS))
    assert [deserialise_tdct(each).sequence_counter for each in messages] == [0, 1, 0, 2]


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e30])
def test_what_is_no_time_is_refused_by_name(value: float) -> None:
    encoder = tdct.encoder(NAME, ChannelType(V.FLOAT64, is_array=True))
    with pytest.raises(CannotEncode, match=f"{NAME}: tdct"):
        encoder.encode(np.array([1.0, value]), TIME_NS)


@pytest.mark.parametrize("kind", [V.STRING, V.BOOL, V.ENUM, V.TABLE, V.IMAGE, V.UNKNOWN])
def test_a_type_without_a_place_is_refused_by_name(kind: ValueType) -> None:
    with pytest.raises(CannotEncode, match=f"{NAME}: tdct has no place for arrays of {kind.value}"):
        tdct.encoder(NAME, ChannelType(kind, is_array=True))


@given(names, st.integers(2**40, 2**62), st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=50))
@settings(max_examples=300, deadline=None)
def test_every_array_goes_there_and_back(name: str, time_ns: int, relative: list[int]) -> None:
    values: Any = np.array(relative, "i4")
    seen = deserialise_tdct(tdct.encoder(name, ChannelType(V.INT32, is_array=True)).encode(values, time_ns))
    assert (seen.name, seen.timestamps.tolist()) == (name, [time_ns + each for each in relative])
