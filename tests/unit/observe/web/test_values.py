"""Any value becomes JSON that says what it was."""

import json
from typing import Any

import numpy as np
import pytest

from forwarder.model import Image, Table, Value
from forwarder.observe.web.values import shown, utc


def seen(value: Value, choices: tuple[str, ...] = ()) -> dict[str, Any]:
    return json.loads(json.dumps(shown(value, choices, elements=3, characters=20), allow_nan=False))


@pytest.mark.parametrize(
    ("value", "text", "number"),
    [
        (1.5, "1.5", 1.5),
        (0.1 + 0.2, "0.30000000000000004", 0.30000000000000004),
        (float("nan"), "NaN", None),
        (float("inf"), "Infinity", None),
        (float("-inf"), "-Infinity", None),
        (-7, "-7", -7),
        (2**63, "9223372036854775808", 2.0**63),
        (True, "True", 1),
        (np.float32(0.5), "0.5", 0.5),
        ("warm", "warm", None),
        ("", "", None),
        ("x" * 21, "x" * 20 + "…", None),
        ("<b>&\"'\0\ud800", "<b>&\"'\0\ud800", None),
    ],
)
def test_scalars(value: Value, text: str, number: float | None) -> None:
    found = seen(value)
    assert (found["text"], found["number"]) == (text, number)
    assert found["cut"] is text.endswith("…")
    assert (found["elements"], found["length"]) == (None, None)


def test_an_enum_shows_its_text_and_index() -> None:
    assert seen(1, ("OFF", "ON")) == {"text": "ON", "number": 1, "elements": None, "length": None, "cut": False}
    assert (seen(2, ("OFF", "ON"))["text"], seen(0, ("", "ON"))["text"]) == ("2", "0")


def test_arrays_are_cut_and_say_so() -> None:
    found = seen(np.array([1.0, np.nan, np.inf, 4.0]))
    assert found == {
        "text": "[1.0, NaN, Infinity, …]",
        "number": None,
        "elements": [1.0, None, None],
        "length": 4,
        "cut": True,
    }
    assert seen(np.array([2**64 - 1], np.uint64))["text"] == "[18446744073709551615]"
    assert seen(np.array([7], np.int16)) | {"text": ""} == {
        "text": "",
        "number": None,
        "elements": [7],
        "length": 1,
        "cut": False,
    }
    assert seen(np.empty(0))["text"] == "[]"
    assert seen(["a", "b" * 30])["elements"] == ["a", "b" * 20 + "…"]


def test_tables_and_images_are_described() -> None:
    table = shown(Table({"value": np.zeros(3), "name": ["a"]}), elements=1, characters=100)
    assert table["text"] == "table: value (3 rows), name (1 rows)"
    image = shown(Image(7, (4, 2), np.zeros(8, np.uint16)), elements=1, characters=100)
    assert image["text"] == "image 7: 4 × 2, uint16"


def test_times_have_all_their_digits() -> None:
    assert utc(1_784_000_000_123_456_789) == "2026-07-14T03:33:20.123456789Z"
    assert utc(2**63 - 1) == "2262-04-11T23:47:16.854775807Z"
    assert utc(0) is None
    assert utc(None) is None
