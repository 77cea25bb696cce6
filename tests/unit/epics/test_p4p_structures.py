"""Reading values of every structure, made with p4p itself."""

from typing import Any

import numpy as np
import pytest
from p4p import Type, Value
from p4p.nt import NTEnum, NTNDArray, NTScalar, NTTable

from forwarder.epics.pva_structures import Layout, layout_of
from forwarder.model import Attribute, ChannelType, Image, Table, ValueType
from tests.support.pva import ALARM, NEW_YEAR_S, TIME, stamped


def layout(fields: Value) -> Layout:
    return layout_of(fields.type().aspy())


def read(fields: Value) -> tuple[ChannelType, Any, int, int]:
    of = layout(fields)
    return of.kind, *of.read(fields)


SCALARS = [
    ("?", ValueType.BOOL, True),
    ("b", ValueType.INT8, -128),
    ("B", ValueType.UINT8, 255),
    ("h", ValueType.INT16, -(2**15)),
    ("H", ValueType.UINT16, 2**16 - 1),
    ("i", ValueType.INT32, -(2**31)),
    ("I", ValueType.UINT32, 2**32 - 1),
    ("l", ValueType.INT64, -(2**63)),
    ("L", ValueType.UINT64, 2**64 - 1),
    ("f", ValueType.FLOAT32, -1.5),
    ("d", ValueType.FLOAT64, 1e300),
    ("s", ValueType.STRING, "on µ"),
]
BY_CODE = [code for code, *_ in SCALARS]


@pytest.mark.parametrize(("code", "element", "value"), SCALARS, ids=BY_CODE)
def test_scalars(code: str, element: ValueType, value: Any) -> None:
    got = read(stamped(NTScalar(code).type, value))
    assert got == (ChannelType(element, is_array=False), value, NEW_YEAR_S, 123_456_789)
    assert type(got[1]) is type(value)


@pytest.mark.parametrize(("code", "element", "value"), SCALARS, ids=BY_CODE)
@pytest.mark.parametrize("length", [0, 1, 3])
def test_arrays(code: str, element: ValueType, value: Any, length: int) -> None:
    values: Any = [value] * length
    if code != "s":
        values = np.array(values, "?" if code == "?" else element.value)
    kind, array, seconds, nanoseconds = read(stamped(NTScalar(f"a{code}").type, values))
    assert (kind, seconds, nanoseconds) == (ChannelType(element, is_array=True), NEW_YEAR_S, 123_456_789)
    if code == "s":
        assert array == values
    else:
        assert array.dtype == np.dtype("u1" if code == "?" else element.value).newbyteorder("<")
        assert array.ndim == 1
        assert array.tolist() == [value] * length


@pytest.mark.parametrize("code", BY_CODE)
def test_an_array_that_was_never_set_is_empty(code: str) -> None:
    _, array, _, _ = read(Value(NTScalar(f"a{code}").type))
    assert len(array) == 0
    assert code == "s" or array.dtype == np.dtype("u1" if code == "?" else code).newbyteorder("<")


def test_an_enum_is_its_index() -> None:
    fields = stamped(NTEnum().type, {"index": 2, "choices": ["a", "b", "c"]})
    assert read(fields)[:2] == (ChannelType(ValueType.ENUM, is_array=False), 2)
    assert layout(fields).choices == b"value.choices"


@pytest.mark.parametrize("code", ["d", "ai", "s"])
def test_a_bare_structure_has_no_time_and_no_alarm(code: str) -> None:
    of = layout(Value(Type([("value", code)])))
    assert of.read(Value(Type([("value", code)])))[1:] == (0, 0)
    assert (of.severity, of.message, of.units, of.choices) == (None, None, None, None)


def test_an_alarm_may_have_no_message() -> None:
    of = layout(Value(Type([("value", "d"), ("alarm", ("S", None, [("severity", "i")]))])))
    assert (of.severity, of.message) == (b"alarm.severity", None)


def test_a_string_that_is_not_utf8_is_latin1() -> None:
    assert read(stamped(NTScalar("s").type, b"20 \xb0C"))[1] == "20 °C"


def test_an_array_of_strings_may_have_some_that_are_not_utf8() -> None:
    fields = stamped(NTScalar("as").type, ["µ", b"20 \xb0C", b"x" * 38 + b"\xc2"])
    assert read(fields) == (
        ChannelType(ValueType.STRING, is_array=True),
        ["µ", "20 °C", "x" * 38],
        NEW_YEAR_S,
        123_456_789,
    )


def test_texts_of_tables_and_images_may_be_latin1() -> None:
    table = NTTable([("n", "d"), ("name", "s")]).wrap([{"n": 1.5, "name": b"\xb0"}])
    table["labels"] = ["n", b"\xb5m"]
    assert read(table)[1] == Table({"n": [1.5], "µm": ["°"]})
    image = NTNDArray().wrap(np.arange(6).reshape(2, 3))
    image["attribute"] = [{"name": "one", "value": b"\xb0"}, {"name": "two", "value": ["µ", b"\xb0"]}]
    assert read(image)[1].attributes == (Attribute("one", "°"), Attribute("two", ["µ", "°"]))


def test_a_table_by_its_labels() -> None:
    table = NTTable([("t", "d"), ("name", "s"), ("on", "?"), ("n", "L")])
    fields = table.wrap(
        [{"t": 1.5, "name": "a", "on": True, "n": 2**64 - 1}, {"t": 2, "name": "b", "on": False, "n": 0}]
    )
    fields["labels"] = ["time", "name", "is on", "count"]
    kind, value, *_ = read(fields)
    assert kind == ChannelType(ValueType.TABLE, is_array=False)
    assert isinstance(value, Table)
    columns = {label: list(column) for label, column in value.columns.items()}
    assert columns == {"time": [1.5, 2], "name": ["a", "b"], "is on": [1, 0], "count": [2**64 - 1, 0]}
    assert [getattr(column, "dtype", str) for column in value.columns.values()] == ["f8", str, "u1", "u8"]


def test_a_table_without_labels_or_rows() -> None:
    _, value, *_ = read(Value(NTTable([("a", "d"), ("b", "s")]).type))
    assert {label: len(column) for label, column in value.columns.items()} == {"a": 0, "b": 0}


@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "i8", "f4", "f8", "?"])
def test_an_image(dtype: str) -> None:
    fields = NTNDArray().wrap(np.arange(6).reshape(2, 3).astype(dtype))
    fields["uniqueId"] = 42
    fields["attribute"] = [
        {"name": "gain", "value": 1.5, "descriptor": "of the camera", "source": "CAM:GAIN"},
        {"name": "texts", "value": ["a", "b"]},
        {"name": "nothing"},
    ]
    kind, image, *_ = read(fields)
    assert kind == ChannelType(ValueType.IMAGE, is_array=False)
    assert isinstance(image, Image)
    assert (image.unique_id, image.dimensions, image.codec) == (42, (3, 2), "")
    assert image.data.dtype == np.dtype("u1" if dtype == "?" else dtype)
    assert image.data.tolist() == np.arange(6).astype(dtype).tolist()
    assert image.attributes == (Attribute("gain", 1.5, "of the camera", "CAM:GAIN"), Attribute("texts", ["a", "b"]))


def test_an_image_that_is_compressed() -> None:
    fields = Value(NTNDArray().type)
    fields["value"] = ("ubyteValue", np.frombuffer(b"\1\2\3", np.uint8))
    fields["codec.name"] = "lz4"
    fields["dimension"] = [{"size": 100}, {"size": 50}]
    _, image, *_ = read(fields)
    assert (image.codec, image.dimensions, image.data.tobytes()) == ("lz4", (100, 50), b"\1\2\3")


def test_an_image_that_was_never_taken() -> None:
    _, image, *_ = read(Value(NTNDArray().type))
    assert (image.data.size, image.dimensions, image.attributes) == (0, (), ())


@pytest.mark.parametrize(
    "structure",
    [
        Type([]),
        Type([("x", "d")]),
        Type([("value", "v")]),
        Type([("value", ("S", None, [("x", "d")])), ("display", ("S", None, [("units", "s")]))]),
        Type([("value", ("U", None, [("x", "d")]))], id="epics:nt/NTUnion:1.0"),
        Type([("labels", "as")], id="epics:nt/NTTable:1.0"),
    ],
)
def test_a_structure_that_is_not_known_has_nothing_for_a_value(structure: Type) -> None:
    of = layout(Value(structure))
    assert (of.kind, of.properties) == (ChannelType(ValueType.UNKNOWN, is_array=False), ())
    assert of.read(Value(structure)) == ("", 0, 0)


def test_a_structure_that_is_not_known_may_have_an_alarm_and_a_time() -> None:
    structure = Type([("x", "d"), ("alarm", ALARM), ("timeStamp", TIME)])
    of = layout(Value(structure))
    assert of.read(Value(structure, {"timeStamp": {"secondsPastEpoch": 5, "nanoseconds": 6}})) == ("", 5, 6)
    assert (of.severity, of.message) == (b"alarm.severity", b"alarm.message")


def test_what_says_that_only_the_properties_changed() -> None:
    of = layout(Value(NTScalar("d", display=True, control=True, valueAlarm=True).type))
    assert (of.properties, of.units) == ((b"display", b"control", b"valueAlarm"), b"display.units")
    assert of.news == (b"value", b"alarm", b"timeStamp")
    of = layout(Value(NTEnum(display=True).type))
    assert of.properties == (b"display", b"value.choices")
    assert of.news == (b"value.index", b"alarm", b"timeStamp")
