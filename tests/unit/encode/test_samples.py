"""se00 and senv messages, judged by flatc with our schemas and by ess-streaming-data-types."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streaming_data_types.array_1d_se00 import deserialise_se00
from streaming_data_types.fbschemas.array_1d_se00.se00_SampleEnvironmentData import se00_SampleEnvironmentData
from streaming_data_types.fbschemas.sample_environment_senv.SampleEnvironmentData import SampleEnvironmentData
from streaming_data_types.sample_environment_senv import deserialise_senv

from forwarder.encode import SCHEMAS
from forwarder.errors import CannotEncode
from forwarder.model import ChannelType, Table, ValueType
from tests.support import flatc

from .values import ARRAYS, FLOATS, INTEGERS, NAME, SCALARS, TIME_NS, array, elements, kinds, names, times

V = ValueType
TABLE = ChannelType(V.TABLE, is_array=False)
READERS: dict[str, Any] = {"se00": deserialise_se00, "senv": deserialise_senv}
MEMBERS = {
    V.BOOL: "UInt8Array",
    V.ENUM: "Int32Array",
    V.FLOAT64: "DoubleArray",
    V.FLOAT32: "FloatArray",
    **{
        kind: f"{'U' if kind.value[0] == 'u' else ''}Int{kind.value.lstrip('uint')}Array"
        for kind in INTEGERS
        if kind not in (V.BOOL, V.ENUM)
    },
}
BOTH = [("se00", kind) for kind in MEMBERS] + [("senv", kind) for kind in MEMBERS if kind not in FLOATS]


def packet_timestamp(schema: str, message: bytes) -> int:
    """To the nanosecond: ess-streaming-data-types makes a datetime of senv's."""
    if schema == "se00":
        return deserialise_se00(message).timestamp_unix_ns
    return SampleEnvironmentData.GetRootAsSampleEnvironmentData(message, 0).PacketTimestamp()


@pytest.mark.parametrize(("schema", "kind", "values"), [(s, k, v) for s, k in BOTH for each, v in ARRAYS if each is k])
def test_an_array_is_what_both_judges_read(schema: str, kind: ValueType, values: list[Any]) -> None:
    message = SCHEMAS[schema].encoder(NAME, ChannelType(kind, is_array=True)).encode(array(kind, values), TIME_NS)
    seen = READERS[schema](message)
    assert (seen.name, seen.channel, seen.sample_ts_delta, seen.ts_location) == (NAME, 0, 0, 0)
    assert (seen.message_counter, seen.value_ts) == (0, None)
    assert seen.values.tolist() == array(kind, values).tolist()
    assert packet_timestamp(schema, message) == TIME_NS
    judged = flatc.to_json(schema, message)
    assert judged.pop("values").get("value", []) == pytest.approx(values)
    assert judged == {
        "name": NAME,
        "channel": 0,
        "packet_timestamp": TIME_NS,
        "time_delta": 0.0,
        "timestamp_location": "Unknown",
        "values_type": MEMBERS[kind],
        "message_counter": 0,
    }


@pytest.mark.parametrize(("kind", "value"), SCALARS)
def test_one_number_is_an_array_of_one(kind: ValueType, value: Any) -> None:
    seen = deserialise_se00(SCHEMAS["se00"].encoder(NAME, ChannelType(kind, is_array=False)).encode(value, TIME_NS))
    assert seen.values.tolist() == array(kind, [value]).tolist()


@pytest.mark.parametrize("schema", READERS)
def test_messages_are_counted_for_each_pv(schema: str) -> None:
    one, two = (SCHEMAS[schema].encoder(name, ChannelType(V.INT8, is_array=False)) for name in ("ONE", "TWO"))
    messages = [one.encode(1, TIME_NS), one.encode_with_alarm(2, TIME_NS, 3, 2), two.encode(3, TIME_NS)]
    assert [READERS[schema](each).message_counter for each in messages] == [0, 1, 0]


@pytest.mark.parametrize(
    ("schema", "kind", "what"),
    [
        ("se00", V.STRING, "string"),
        ("se00", V.TABLE, "table"),
        ("senv", V.STRING, "string"),
        ("senv", V.FLOAT32, "float32"),
        ("senv", V.FLOAT64, "float64"),
        ("nttable_se00", V.FLOAT64, "float64"),
        ("nttable_senv", V.IMAGE, "image"),
        ("nttable_senv", V.UNKNOWN, "unknown structure"),
        ("senv", V.UNKNOWN, "unknown structure"),
    ],
)
def test_a_type_without_a_place_is_refused_by_name(schema: str, kind: ValueType, what: str) -> None:
    with pytest.raises(CannotEncode, match=f"^{NAME}: {schema} has no place for {what}$"):
        SCHEMAS[schema].encoder(NAME, ChannelType(kind, is_array=False))


def table(kind: ValueType, values: list[Any], stamps: list[int]) -> Table:
    return Table({"timestamp": np.array(stamps, "u8"), "other": ["text"] * len(values), "value": array(kind, values)})


STAMPS = [TIME_NS + 250 * i for i in range(3)]


@pytest.mark.parametrize(("schema", "kind"), BOTH)
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_table_is_what_both_judges_read(schema: str, kind: ValueType, rows: int) -> None:
    values, stamps = [1, 0, 1][:rows], STAMPS[:rows]
    encoder = SCHEMAS[f"nttable_{schema}"].encoder(NAME, TABLE)
    # The time of the update is that of the last row, or later: readers want that of the first.
    message = encoder.encode(table(kind, values, stamps), TIME_NS + 10**9)
    seen = READERS[schema](message)
    delta = 250 if rows > 1 else 0
    assert (seen.name, seen.channel, seen.sample_ts_delta, seen.ts_location) == (NAME, 0, delta, 2)
    assert (seen.values.tolist(), seen.value_ts.tolist()) == (values, stamps)
    assert packet_timestamp(schema, message) == TIME_NS
    judged = flatc.to_json(schema, message)
    assert judged == {
        "name": NAME,
        "channel": 0,
        "packet_timestamp": TIME_NS,
        "time_delta": float(delta),
        "timestamp_location": "Middle",
        "values_type": MEMBERS[kind],
        "values": {"value": values},
        "timestamps": stamps,
        "message_counter": 0,
    }


def test_a_table_of_floats_is_rounded_for_senv() -> None:
    encoder = SCHEMAS["nttable_senv"].encoder(NAME, TABLE)
    seen = deserialise_senv(encoder.encode(table(V.FLOAT32, [0.4, -1.6, 7], STAMPS), TIME_NS))
    assert (seen.values.dtype.name, seen.values.tolist()) == ("int64", [0, -2, 7])


def test_a_table_without_rows_is_nothing_to_send_and_is_not_counted() -> None:
    encoder = SCHEMAS["nttable_se00"].encoder(NAME, TABLE)
    assert encoder.encode(table(V.INT32, [], []), TIME_NS) == b""
    first = encoder.encode(table(V.INT32, [1], STAMPS[:1]), TIME_NS)
    assert encoder.encode_with_alarm(table(V.INT32, [], []), TIME_NS, 3, 2) == b""
    second = encoder.encode_with_alarm(table(V.FLOAT64, [1], STAMPS[:1]), TIME_NS, 3, 2)
    assert [deserialise_se00(each).message_counter for each in (first, second)] == [0, 1]


NUMBERS = np.array([1, 2], "i4")


@pytest.mark.parametrize(
    ("schema", "columns", "complaint"),
    [
        ("nttable_se00", {}, "nttable_se00 needs a column value; there are none"),
        ("nttable_se00", {"value": NUMBERS, "time": NUMBERS}, "needs a column timestamp; there are value, time"),
        ("nttable_se00", {"value": ["a", "b"], "timestamp": NUMBERS}, "has no place for a column value of strings"),
        ("nttable_se00", {"value": NUMBERS, "timestamp": NUMBERS[:1]}, "2 rows of value and 1 of timestamp"),
        ("nttable_senv", {"value": np.array([1, math.nan]), "timestamp": NUMBERS}, "nttable_senv, column value: NaN"),
    ],
)
def test_a_table_that_will_not_do_is_refused_by_name(schema: str, columns: dict[str, Any], complaint: str) -> None:
    encoder = SCHEMAS[schema].encoder(NAME, TABLE)
    with pytest.raises(CannotEncode, match=f"^{NAME}: .*{complaint}"):
        encoder.encode(Table(columns), TIME_NS)


@pytest.mark.parametrize("rows", range(1, 10))
@pytest.mark.parametrize("kind", [V.INT8, V.INT16, V.INT32, V.INT64])
def test_values_and_times_lie_where_the_verifiers_of_other_languages_want_them(kind: ValueType, rows: int) -> None:
    message = SCHEMAS["nttable_se00"].encoder(NAME, TABLE).encode(table(kind, [1] * rows, [TIME_NS] * rows), TIME_NS)
    data = se00_SampleEnvironmentData.GetRootAs(message)
    union = data.Values()
    assert union is not None
    assert union.Vector(union.Offset(4)) % 8 == 0
    assert data._tab.Vector(data._tab.Offset(4 + 2 * 7)) % 8 == 0


@given(st.sampled_from(BOTH), names, times, st.data())
@settings(max_examples=300, deadline=None)
def test_every_array_goes_there_and_back(
    pair: tuple[str, ValueType], name: str, time_ns: int, data: st.DataObject
) -> None:
    schema, kind = pair
    values = data.draw(st.lists(elements(kind), max_size=20))
    message = SCHEMAS[schema].encoder(name, ChannelType(kind, is_array=True)).encode(array(kind, values), time_ns)
    seen = READERS[schema](message)
    assert (seen.name, seen.values.tolist()) == (name, values)
    assert packet_timestamp(schema, message) == time_ns


@given(names, kinds, st.data())
@settings(max_examples=300, deadline=None)
def test_every_table_goes_there_and_back(name: str, kind: ValueType, data: st.DataObject) -> None:
    values = data.draw(st.lists(elements(kind), min_size=1, max_size=20))
    stamps = data.draw(st.lists(times, min_size=len(values), max_size=len(values)))
    seen = deserialise_se00(SCHEMAS["nttable_se00"].encoder(name, TABLE).encode(table(kind, values, stamps), 0))
    assert (seen.name, seen.values.tolist(), seen.value_ts.tolist()) == (name, values, stamps)
    assert seen.timestamp_unix_ns == stamps[0]
