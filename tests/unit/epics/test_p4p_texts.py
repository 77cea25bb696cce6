"""Strings that are not UTF-8, and arrays of them, from values that p4p itself has made."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from p4p import Type, Value
from p4p.nt import NTEnum, NTScalar

from forwarder.chars import decoded
from forwarder.epics.pva_texts import text, text_or_texts, texts

ARRAY = NTScalar("as").type


def array(*strings: str | bytes) -> Any:
    return Value(ARRAY, {"value": strings})


def test_every_byte_comes_back() -> None:
    strings = [bytes([n]) + b"\xb0" + bytes([n]) + b"." for n in range(256)]
    assert texts(array(*strings), b"value") == [decoded(string) for string in strings]


STRANGE = {
    "quotes": [b'\xb0"', b'"', b'""', b"'", b'", "'],
    "backslashes": [b"\xb0\\", b"\\", b'\\"', b"\\x41", b"\\n", b"\\\\"],
    "digits behind an escape": [b"\xb0" + b"41", b"\x01" + b"f"],
    "brackets": [b"\xb0]", b"[", b"{2}[", b"]\n    string[] value = {1}["],
    "nothing": [b"", b"\xb0", b"", b""],
    "NUL": [b"a\0b", b"\xb0"],
    "separators of lines": [b"\xb0", b"\n", "\u2028".encode(), b"\x85", b"\r", b"\x1c"],
}


@pytest.mark.parametrize("strings", STRANGE.values(), ids=STRANGE)
def test_what_looks_like_the_print_around_it_is_read_as_it_is(strings: list[bytes]) -> None:
    assert texts(array(*strings), b"value") == [decoded(string) for string in strings]


@given(st.lists(st.binary(max_size=12).map(lambda string: string.replace(b"\0", b"0")), max_size=8))
def test_any_strings_come_back(strings: list[bytes]) -> None:
    # Without NULs: where all is UTF-8 the library gives some strings with a NUL as empty ones.
    assert texts(array(*strings), b"value") == [decoded(string) for string in strings]


def test_a_long_array_is_whole() -> None:
    assert texts(array(*[b"\xb0C"] * 20_000), b"value") == ["°C"] * 20_000


def test_an_array_that_was_never_set_is_empty() -> None:
    assert texts(Value(ARRAY), b"value") == []


def test_the_field_that_is_asked_for_is_read_and_none_of_the_same_name() -> None:
    inner = ("S", None, [("value", "as")])
    fields = Value(Type([("before", inner), ("value", "as"), ("any", "v")]))
    fields["before.value"] = [b"\xb0inner"]
    fields["value"] = [b"\xb0"]
    fields["any"] = [b"\xb0any", "µ"]
    assert texts(fields, b"value") == ["°"]
    assert texts(fields, b"before.value") == ["°inner"]
    assert text_or_texts(fields, b"any") == ["°any", "µ"]


def test_enum_strings() -> None:
    fields = Value(NTEnum().type, {"value": {"index": 0, "choices": [b"\xb0C", "µm", b"x" * 24 + b"\xc2"]}})
    assert texts(fields, b"value.choices", 26) == ["°C", "µm", "x" * 24]


@pytest.mark.parametrize(("value", "expected"), [(b"\xb0", "°"), ("µ", "µ"), (1.5, 1.5), (["a"], ["a"])])
def test_a_field_of_any_type(value: Any, expected: Any) -> None:
    assert text_or_texts(Value(Type([("x", "v")]), {"x": value}), b"x") == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(b"x" * 38 + b"\xc2", "x" * 38), (b"\xc5", "Å"), (b"y" * 60 + b"\xc5", "y" * 60 + "Å"), (b"\xc2\xb5\xc2", "µ")],
    ids=["cut by a field", "Latin-1", "longer than a field", "UTF-8 before"],
)
def test_a_string_that_was_cut_ends_with_a_whole_character(raw: bytes, expected: str) -> None:
    assert text(Value(Type([("value", "s")]), {"value": raw}), b"value") == expected
