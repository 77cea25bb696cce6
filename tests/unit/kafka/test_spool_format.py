"""The bytes of a row: what is packed comes back, and nothing else ever does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.kafka.spool_format import DamagedRow, check, label, pack, size_of, unpack
from forwarder.model import Message
from tests.unit.kafka.test_spool_rig import some_messages

LABEL = label(7, "broker:9092", "topic", 10)


@given(st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=300), st.integers(-(2**63), 2**63 - 1))))
def test_what_is_packed_comes_back(messages: list[Message]) -> None:
    packed = bytes(pack(messages, LABEL))
    assert unpack(packed, LABEL) == messages
    assert len(packed) == size_of(messages)


@pytest.mark.parametrize("count", [999, 1000, 1001, 5000])
def test_rows_of_several_pieces(count: int) -> None:
    messages = some_messages(count)
    pauses: list[None] = []
    packed = bytes(pack(messages, LABEL, lambda: pauses.append(None)))
    assert unpack(packed, LABEL, lambda: pauses.append(None)) == messages
    assert len(pauses) >= 2 * count / 1000


def test_equal_keys_are_one_object() -> None:
    messages = unpack(bytes(pack(some_messages(100), LABEL)), LABEL)
    assert len({id(key) for key, _, _ in messages}) == len({key for key, _, _ in messages}) == 5


def test_every_flipped_bit_is_found() -> None:
    packed = pack(some_messages(3), LABEL)
    for bit in range(8 * len(packed)):
        packed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedRow):
            unpack(bytes(packed), LABEL)
        packed[bit // 8] ^= 1 << bit % 8
    assert unpack(bytes(packed), LABEL) == some_messages(3)


def test_every_other_length_is_found() -> None:
    packed = bytes(pack(some_messages(3), LABEL))
    for length in range(len(packed)):
        with pytest.raises(DamagedRow):
            check(packed[:length], LABEL)
    with pytest.raises(DamagedRow):
        check(packed + b"\0", LABEL)


@pytest.mark.parametrize(
    "other",
    [label(8, "broker:9092", "topic", 10), label(7, "", "topic", 10), label(7, "broker:9092", "t", 10), LABEL[:-1]],
)
def test_the_bytes_of_another_row_are_damaged(other: bytes) -> None:
    with pytest.raises(DamagedRow, match="CRC"):
        unpack(bytes(pack(some_messages(), LABEL)), other)


def test_another_version_is_not_guessed_at() -> None:
    packed = pack(some_messages(), LABEL)
    packed[3] += 1
    with pytest.raises(DamagedRow, match="spl"):
        unpack(bytes(packed), LABEL)
