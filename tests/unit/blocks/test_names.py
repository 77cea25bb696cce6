"""What the block server says is looked at before it is believed."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.blocks.names import LONGEST_NAME, MOST_BLOCKS, MOST_BYTES, BadBlocks, Fault, block_names
from tests.support.block_server import packed


def packed_json(value: object) -> bytes:
    return zlib.compress(json.dumps(value).encode()).hex().encode()


NAMES = st.lists(st.from_regex(r"[A-Za-z0-9_]{1,40}", fullmatch=True), unique=True)


@given(NAMES, st.binary())
def test_what_is_behind_the_first_nul_is_of_an_older_value(names: list[str], junk: bytes) -> None:
    assert block_names(packed(names) + b"\0" + junk) == (tuple(names), 0, "")


def test_ten_thousand_blocks_and_none_are_fine() -> None:
    many = [f"BLOCK_{number}" for number in range(10_000)]
    assert block_names(packed(many)).names == tuple(many)
    assert block_names(packed([])).names == ()
    assert block_names(packed(["A", "B", "A"])).names == ("A", "B")


@pytest.mark.parametrize("odd", [1, None, "", "*", "A B", "TEMP_\u00b0C", "A" * (LONGEST_NAME + 1), ["A"]])
def test_one_odd_name_keeps_no_other_block_out(odd: object) -> None:
    names, bad, first = block_names(packed_json(["A", odd, "B", odd]))
    assert names == ("A", "B")
    assert bad == 2
    assert first.startswith("name 2 of 4 is ")
    assert len(first) < 300


@pytest.mark.parametrize(
    ("raw", "fault", "expected"),
    [
        (b"", Fault.ZLIB, "where zlib is expected"),
        (b"xyz", Fault.HEX, "where hex is expected"),
        ("ä".encode(), Fault.HEX, "where hex is expected"),
        (b"deadbeef", Fault.ZLIB, "where zlib is expected"),
        (packed(["A"])[:-8], Fault.ZLIB, "its end is missing"),
        (zlib.compress(b"\0" * (MOST_BYTES + 1)).hex().encode(), Fault.SIZE, f"more than {MOST_BYTES}"),
        (zlib.compress(b'["A"').hex().encode(), Fault.JSON, "a JSON list of names is expected"),
        (zlib.compress(b"[" * 100_000).hex().encode(), Fault.JSON, "a JSON list of names is expected"),
        (zlib.compress(b"\xff").hex().encode(), Fault.JSON, "a JSON list of names is expected"),
        (packed_json({"A": 1}), Fault.JSON, "a list of names is expected"),
        (packed_json([1, "?"]), Fault.NAMES, "name 1 of 2 is 1"),
        (packed_json([""]), Fault.NAMES, "name 1 of 1 is ''"),
        (packed_json(["*"]), Fault.NAMES, "name 1 of 1 is '*'"),
        (packed_json(["A B"]), Fault.NAMES, "name 1 of 1"),
        (packed_json(["A" * (LONGEST_NAME + 1)]), Fault.NAMES, f"up to {LONGEST_NAME} characters"),
        (packed_json(["A"] * (MOST_BLOCKS + 1)), Fault.NAMES, f"at most {MOST_BLOCKS}"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(raw: bytes, fault: Fault, expected: str) -> None:
    with pytest.raises(BadBlocks) as raised:
        block_names(raw)
    assert raised.value.fault is fault
    assert expected in str(raised.value)
    assert len(str(raised.value)) < 300
    assert "\n" not in str(raised.value)


@given(st.binary(max_size=200))
def test_nothing_else_is_ever_raised(raw: bytes) -> None:
    for each in (raw, raw.hex().encode(), zlib.compress(raw).hex().encode()):
        try:
            block_names(each)
        except BadBlocks:
            continue
