"""Value messages of every type, made by caproto and read by us."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.chars import asks_for_text
from forwarder.chars import text as text_of
from forwarder.epics.ca import events
from forwarder.model import ChannelType, Value, ValueType
from tests.support.ca_client import plain
from tests.support.ca_messages import EPICS_EPOCH_NS, NATIVE, TIME_NS, event, properties

F32 = 3.4028234663852886e38

CASES: dict[str, tuple[str, list[Any], ValueType]] = {
    "INT": ("INT", [-32768, 0, 32767], ValueType.INT16),
    "FLOAT": ("FLOAT", [-1.5, F32, float("inf")], ValueType.FLOAT32),
    "ENUM": ("ENUM", [0, 15, 65535], ValueType.ENUM),
    "CHAR": ("CHAR", [0, 127, 255], ValueType.UINT8),
    "LONG": ("LONG", [-(2**31), 0, 2**31 - 1], ValueType.INT32),
    "DOUBLE": ("DOUBLE", [0.1, -1e308, float("-inf")], ValueType.FLOAT64),
    "STRING": ("STRING", ["", "on", "x" * 39], ValueType.STRING),
}
DTYPES = {"INT": "<i2", "FLOAT": "<f4", "ENUM": "<u2", "CHAR": "|u1", "LONG": "<i4", "DOUBLE": "<f8"}


def wire(name: str, values: list[Any]) -> list[Any]:
    return [value.encode() for value in values] if name == "STRING" else values


def read(message: bytes) -> tuple[Value, int, int, int]:
    _, size, data_type, count, _, _ = struct.unpack_from(">HHHHII", message)
    return events.decode(data_type, count, message, 16, size)


@pytest.mark.parametrize(("name", "values", "element"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_arrays_of_every_type_and_length_are_read(
    name: str, values: list[Any], element: ValueType, length: int
) -> None:
    sent = values[-length:] if length else []
    value, time_ns, status, severity = read(event(1, wire(name, sent), NATIVE[name], status=3, severity=2))
    if length:
        assert plain(value) == sent
    else:
        assert len(plain(value)) == 0
    if name != "STRING":
        assert isinstance(value, np.ndarray)
        assert value.dtype == np.dtype(DTYPES[name])
        assert value.flags.c_contiguous
        assert value.flags.owndata, "an array must not hold on to the buffer it came in"
    assert (time_ns, status, severity) == (TIME_NS, 3, 2)
    assert events.NATIVE_TYPES[NATIVE[name]].element is element


@pytest.mark.parametrize(("name", "values", "element"), CASES.values(), ids=CASES)
def test_one_element_of_every_type_becomes_a_python_scalar(name: str, values: list[Any], element: ValueType) -> None:
    for sent in values:
        value = events.one_element(read(event(1, wire(name, [sent]), NATIVE[name]))[0])
        assert value == sent
        assert type(value) is {"STRING": str, "FLOAT": float, "DOUBLE": float}.get(name, int)


def test_not_a_number_stays_none() -> None:
    value, *_ = read(event(1, [float("nan")]))
    assert np.isnan(value).all()


@given(seconds=st.integers(0, 2**32 - 1), nanoseconds=st.integers(0, 999_999_999))
def test_times_are_exact_to_the_nanosecond(seconds: int, nanoseconds: int) -> None:
    message = event(1, [1.5], seconds=seconds, nanoseconds=nanoseconds)
    assert read(message)[1] == EPICS_EPOCH_NS + seconds * 10**9 + nanoseconds
    unpack, size = events.SCALAR_FRAMES[struct.unpack_from(">Q", message)[0]]
    ((_, _, _, _, _, *time, _),) = unpack(memoryview(message))
    assert time == [seconds, nanoseconds]
    assert size == len(message)


def test_a_record_that_never_processed_has_the_time_of_the_epoch() -> None:
    assert read(event(1, [1.5], seconds=0, nanoseconds=0))[1] == EPICS_EPOCH_NS


@pytest.mark.parametrize("severity", range(4))
@pytest.mark.parametrize("status", [0, 3, 17, 21])
def test_alarm_numbers_are_those_of_epics(status: int, severity: int) -> None:
    assert read(event(1, [1.5], status=status, severity=severity))[2:] == (status, severity)


TEXTS = {
    "empty": (b"", ""),
    "plain": (b"on", "on"),
    "junk behind the first NUL": (b"on\0\xffold text", "on"),
    "UTF-8": ("5 µm".encode(), "5 µm"),
    "not UTF-8": (b"5 \xb5m", "5 µm"),
    "full": (b"x" * 40, "x" * 40),
    "a character cut": (b"x" * 38 + b"\xc2", "x" * 38),
    "a character cut, without a NUL": (b"x" * 38 + b"\xe2\x82", "x" * 38),
    "another character, then one cut": ("5 µ".encode() + b"\xc2", "5 µ"),
    "a letter of Latin-1 that looks cut": (b"5 \xc5", "5 Å"),
}


@pytest.mark.parametrize(("raw", "text"), TEXTS.values(), ids=TEXTS)
def test_strings_end_at_the_first_nul_and_are_never_refused(raw: bytes, text: str) -> None:
    frame = bytearray(event(1, [b"x" * 40, b"last"], NATIVE["STRING"]))
    frame[28:68] = raw.ljust(40, b"\0")
    value, *_ = read(bytes(frame))
    assert value == [text, "last"]


@given(st.binary(max_size=40))
def test_any_bytes_are_some_text(raw: bytes) -> None:
    text = text_of(raw)
    assert "\0" not in text
    assert text == raw.split(b"\0")[0].decode(errors="replace") or b"\xef\xbf\xbd" not in raw


@pytest.mark.parametrize("length", [0, 1, 5, 40])
def test_a_single_string_may_be_cut_behind_its_text(length: int) -> None:
    payload = event(1, [b""], NATIVE["STRING"])[16:28] + b"x" * length
    value, *_ = events.decode(14, 1, payload, 0, len(payload))
    assert value == ["x" * length]


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize("count", [2, 1000, 2**32 - 1])
def test_a_count_that_the_payload_does_not_hold_is_refused(name: str, count: int) -> None:
    message = event(1, wire(name, CASES[name][1][:1]), NATIVE[name])
    with pytest.raises(ValueError, match="too short"):
        # 8 elements of CHAR would fit the padding of one.
        events.decode(NATIVE[name] + 14, count * 8, message, 16, len(message) - 16)


@pytest.mark.parametrize("data_type", [0, 6, 13, 21, 34, 38, 0xFFFF])
def test_a_type_that_was_not_asked_for_is_refused(data_type: int) -> None:
    with pytest.raises(ValueError, match=f"DBR type {data_type},"):
        events.decode(data_type, 1, bytes(64), 0, 64)


@given(st.integers(0, 40), st.integers(0, 2**32 - 1), st.binary(max_size=100))
def test_damaged_payloads_are_refused_and_nothing_else(data_type: int, count: int, payload: bytes) -> None:
    try:
        value, *_ = events.decode(data_type, count, payload, 0, len(payload))
    except ValueError:
        return
    assert len(plain(value)) == count


@pytest.mark.parametrize(("largest", "is_array"), [(0, True), (1, False), (2, True), (70_000, True)])
def test_a_channel_is_an_array_unless_its_largest_count_is_one(largest: int, is_array: bool) -> None:
    kind = events.channel_type(events.NATIVE_TYPES[6], largest, "PV$")
    assert kind == ChannelType(ValueType.FLOAT64, is_array)


@pytest.mark.parametrize("largest", [0, 1, 256])
def test_characters_are_a_text_where_the_name_says_so(largest: int) -> None:
    characters = events.NATIVE_TYPES[4]
    assert events.channel_type(characters, largest, "PV.DESC$") == ChannelType(ValueType.STRING, is_array=False)
    assert events.channel_type(characters, largest, "PV.DESC").element is ValueType.UINT8


@pytest.mark.parametrize(
    ("name", "is_text"),
    [
        ("PV.DESC$", True),
        ("PV.VAL$", True),
        ('PV.DESC${"dbnd":{"d":1}}', True),
        ("PV.VAL$[0:5]", True),
        ('PV.DESC{"dbnd":{"d":1}}', False),
        ("PV.VAL[0:5]", False),
        ('PV{"sync":{"while":"$[0]"}}', False),
        ('PV.VAL{"sync":{"while":".a$[0]"}}', False),
        ("XF:{Dif$[1]-Ax:Del}Mtr.RBV", False),
        ("XF:{Dif-Ax:Del}Mtr.DESC${}", True),
    ],
)
def test_a_name_asks_for_text_before_its_filter(name: str, is_text: bool) -> None:
    assert asks_for_text(name) == is_text


@pytest.mark.parametrize("native", ["INT", "FLOAT", "CHAR", "LONG", "DOUBLE"])
@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        (b"mm\0\xffold", "mm"),
        ("5 µm".encode(), "5 µm"),
        (b"5 \xb5m", "5 µm"),
        (b"\xc5", "Å"),
        (b"sixsix\xc2", "sixsix"),
        (b"sixsix7\xc2", "sixsix7"),
    ],
)
def test_units_of_every_type(native: str, raw: bytes, text: str) -> None:
    payload = properties(1, NATIVE[native], units=raw)[16:]
    assert events.description(NATIVE[native] + 28, payload) == (text, ())


@pytest.mark.parametrize("choices", [(), ("off", "on"), ("5 µm", "", "x" * 25), tuple("abcdefghijklmnop")], ids=len)
def test_enum_strings(choices: tuple[str, ...]) -> None:
    payload = properties(1, NATIVE["ENUM"], choices=[choice.encode("latin-1") for choice in choices])[16:]
    assert events.description(31, payload) == ("", choices)


def test_an_enum_string_that_was_cut_ends_with_a_whole_character() -> None:
    payload = properties(1, NATIVE["ENUM"], choices=[b"x" * 24 + b"\xc2", b"y" * 25 + b"\xc2", b"1 \xc5"])[16:]
    assert events.description(31, payload) == ("", ("x" * 24, "y" * 25, "1 Å"))


def test_more_enum_strings_than_there_is_room_for_are_as_many_as_there_is_room_for() -> None:
    payload = bytearray(properties(1, NATIVE["ENUM"], choices=[b"a"] * 16)[16:])
    struct.pack_into(">H", payload, 4, 0xFFFF)
    assert events.description(31, bytes(payload)) == ("", ("a",) * 16)


@given(st.integers(0, 40), st.binary(max_size=500))
def test_damaged_properties_are_refused_and_nothing_else(data_type: int, payload: bytes) -> None:
    try:
        units, choices = events.description(data_type, payload)
    except ValueError:
        return
    assert "\0" not in units + "".join(choices)
    assert data_type in (29, 30, 31, 32, 33, 34)


def test_an_empty_message_for_a_scalar_is_refused() -> None:
    with pytest.raises(ValueError, match="without an element"):
        events.one_element(np.array([]))
