"""ad00 messages, judged by flatc with our schema and by ess-streaming-data-types."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from streaming_data_types.area_detector_ad00 import deserialise_ad00

from forwarder.encode import ad00
from forwarder.errors import CannotEncode
from forwarder.model import Attribute, ChannelType, Image, ValueType
from tests.support import flatc

from .values import NAME, TIME_NS, names, texts, times

IMAGE = ChannelType(ValueType.IMAGE, is_array=False)
TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def image(pixels: "np.ndarray[Any, Any]", *attributes: Attribute, unique_id: int = 42) -> Image:
    """As NTNDArray has it: flat, and with the dimension that varies fastest first."""
    return Image(unique_id, pixels.shape[::-1], pixels.reshape(-1), attributes)


@pytest.mark.parametrize("dtype", TYPES)
def test_an_image_is_what_both_judges_read(dtype: str) -> None:
    pixels = np.arange(6, dtype=dtype).reshape(2, 3)
    message = ad00.encoder(NAME, IMAGE).encode(image(pixels), TIME_NS)
    seen = deserialise_ad00(message)
    assert (seen.source_name, seen.unique_id, seen.timestamp_ns) == (NAME, 42, TIME_NS)
    assert (seen.dimensions, seen.data.dtype.name, seen.data.tolist()) == ((2, 3), dtype, pixels.tolist())
    assert flatc.to_json("ad00", message) == {
        "source_name": NAME,
        "id": 42,
        "timestamp": TIME_NS,
        "dimensions": [2, 3],
        "data_type": dtype,
        "data": list(pixels.tobytes()),
        "attributes": [],
    }


ATTRIBUTES: list[tuple[Any, str, Any]] = [
    ("Å", "c_string", "Å"),
    (-7, "int64", -7),
    (2**64 - 1, "uint64", 2**64 - 1),
    (1.5, "float64", 1.5),
    (True, "uint8", 1),
    (np.array([1, 2], "u2"), "uint16", [1, 2]),
]


@pytest.mark.parametrize(("value", "data_type", "expected"), ATTRIBUTES)
def test_an_attribute_is_what_both_judges_read(value: Any, data_type: str, expected: Any) -> None:
    attributes = (Attribute("ColorMode", value, "how to look", "SIM:PV"), Attribute("plain", 1))
    message = ad00.encoder(NAME, IMAGE).encode(image(np.zeros((1, 1)), *attributes), TIME_NS)
    seen, plain = deserialise_ad00(message).attributes
    assert (seen.name, seen.description, seen.source) == ("ColorMode", "how to look", "SIM:PV")
    assert (plain.name, plain.description, plain.source, plain.data) == ("plain", "", "", 1)
    assert (seen.data.tolist() if isinstance(seen.data, np.ndarray) else seen.data) == expected
    judged = flatc.to_json("ad00", message)["attributes"]
    assert [each["name"] for each in judged] == ["ColorMode", "plain"]
    assert judged[0]["data_type"] == data_type


def test_an_attribute_of_many_texts_is_left_out() -> None:
    pixels = image(np.zeros((1, 1)), Attribute("many", ["a", "b"]), Attribute("one", "a"))
    message = ad00.encoder(NAME, IMAGE).encode_with_alarm(pixels, TIME_NS, 3, 2)
    assert [each.name for each in deserialise_ad00(message).attributes] == ["one"]


def test_the_count_of_images_may_be_below_zero_and_pixels_true_or_false() -> None:
    seen = deserialise_ad00(ad00.encoder(NAME, IMAGE).encode(image(np.array([[True, False]]), unique_id=-1), TIME_NS))
    assert (seen.unique_id, seen.data.tolist()) == (-1, [[1, 0]])


def test_an_image_without_pixels_is_sent() -> None:
    message = ad00.encoder(NAME, IMAGE).encode(image(np.zeros((0, 3), "u2")), TIME_NS)
    judged = flatc.to_json("ad00", message)
    assert (judged["dimensions"], judged["data"]) == ([0, 3], [])


def test_a_compressed_image_is_refused_by_name() -> None:
    compressed = Image(1, (100, 100), np.zeros(17, "u1"), codec="lz4")
    with pytest.raises(CannotEncode, match=f"{NAME}: ad00 has no place for an image compressed by lz4"):
        ad00.encoder(NAME, IMAGE).encode(compressed, TIME_NS)


def test_an_image_of_another_size_than_its_dimensions_is_refused_by_name() -> None:
    with pytest.raises(CannotEncode, match=rf"{NAME}: ad00 has no place for 5 pixels"):
        ad00.encoder(NAME, IMAGE).encode(Image(1, (3, 2), np.zeros(5)), TIME_NS)


@pytest.mark.parametrize("kind", [ValueType.FLOAT64, ValueType.TABLE, ValueType.UNKNOWN])
def test_a_type_without_a_place_is_refused_by_name(kind: ValueType) -> None:
    with pytest.raises(CannotEncode, match=f"{NAME}: ad00 has no place for {kind.value}"):
        ad00.encoder(NAME, ChannelType(kind, is_array=False))


pictures = st.sampled_from(TYPES).flatmap(
    lambda dtype: arrays.arrays(np.dtype(dtype), arrays.array_shapes(max_dims=3, max_side=5))
)
attributes = st.builds(Attribute, texts, st.one_of(texts, st.integers(-(2**63), 2**63 - 1)), texts, texts)


@given(names, times, pictures, st.integers(-(2**31), 2**31 - 1), st.lists(attributes, max_size=3))
@settings(max_examples=300, deadline=None)
def test_every_image_goes_there_and_back(
    name: str, time_ns: int, pixels: "np.ndarray[Any, Any]", unique_id: int, said: list[Attribute]
) -> None:
    message = ad00.encoder(name, IMAGE).encode(image(pixels, *said, unique_id=unique_id), time_ns)
    seen = deserialise_ad00(message)
    assert (seen.source_name, seen.unique_id, seen.timestamp_ns) == (name, unique_id, time_ns)
    np.testing.assert_array_equal(seen.data, pixels)
    assert [(a.name, a.data, a.description, a.source) for a in seen.attributes] == [
        (a.name, a.value, a.description, a.source) for a in said
    ]
