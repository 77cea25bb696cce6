"""Damaged FlatBuffers: what can be seen to be damaged is refused, and the rest never reads as fewer streams.

Not to be seen by anyone: another letter in a name, another number for the change, the transport or `periodic`.
"""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, serialise_fc00
from streaming_data_types.forwarder_config_update_rf5k import StreamInfo as OldStreamInfo
from streaming_data_types.forwarder_config_update_rf5k import serialise_rf5k

from forwarder.commands import parse
from forwarder.errors import BadCommand
from forwarder.model import Command, RemoveAll
from tests.support import flatc
from tests.support.fuzz import believed, items

STREAMS = [StreamInfo("IN:T1", "f142", "D_env", 1, 0), StreamInfo("IN:D:PR", "f144", "D_log", 0, 1)]

MESSAGES = {
    "fc00 add": serialise_fc00(UpdateType.ADD, STREAMS),
    "fc00 replace": serialise_fc00(UpdateType.REPLACE, STREAMS),
    "fc00 remove": serialise_fc00(UpdateType.REMOVE, STREAMS),
    "fc00 replace by nothing": serialise_fc00(UpdateType.REPLACE, []),
    "fc00 remove all": serialise_fc00(UpdateType.REMOVEALL, []),
    "rf5k add": serialise_rf5k(UpdateType.ADD, [OldStreamInfo(*each[:4]) for each in STREAMS]),
    "rf5k remove all": serialise_rf5k(UpdateType.REMOVEALL, []),
    "fc00 replace by flatc": flatc.from_json(
        "fc00", {"config_change": "REPLACE", "streams": [each._asdict() for each in STREAMS]}
    ),
}
REPLACES = {name: MESSAGES[name] for name in ("fc00 replace", "fc00 replace by flatc")}


def names(command: Command) -> list[tuple[str | None, str | None, str | None]]:
    return [(each.channel, each.schema, each.topic) for each in items(command)]


def with_one_byte_changed(message: bytes) -> Iterator[bytes]:
    """Every bit turned, and the changes that move an offset or a length by a little or as far as a byte can."""
    for at, byte in enumerate(message):
        near = {byte + step & 0xFF for step in (-8, -4, -2, -1, 1, 2, 4, 8)}
        for other in (near | {byte ^ 1 << bit for bit in range(8)} | {0, 0xFF}) - {byte}:
            yield message[:at] + bytes([other]) + message[at + 1 :]


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_message_cut_anywhere_is_refused(message: bytes) -> None:
    for length in range(len(message)):
        with pytest.raises(BadCommand):
            parse(message[:length])


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_message_that_lost_its_beginning_is_refused(message: bytes) -> None:
    for length in range(1, len(message)):
        with pytest.raises(BadCommand):
            parse(message[length:])


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
@pytest.mark.parametrize("junk", [b"\0", bytes(4), bytes(8), b"\0\0\0\1", b"junk" * 3], ids=repr)
def test_a_message_with_junk_behind_it_is_refused(message: bytes, junk: bytes) -> None:
    with pytest.raises(BadCommand):
        parse(message + junk)
    with pytest.raises(BadCommand):
        parse(message + message + junk)


@pytest.mark.parametrize("message", REPLACES.values(), ids=REPLACES)
def test_no_one_byte_makes_a_replace_drop_a_stream(message: bytes) -> None:
    meant = names(parse(message))
    for damaged in with_one_byte_changed(message):
        command = believed(damaged)
        if command is not None:
            wrong = [letters for letters in zip(meant, names(command), strict=True) if letters[0] != letters[1]]
            assert len(wrong) <= 1
            for before, after in wrong:
                differing = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
                assert [len(was or "") == len((now or "").encode()) for was, now in differing] == [True], damaged


@pytest.mark.parametrize("change", [UpdateType.ADD, UpdateType.REMOVE, UpdateType.REPLACE])
def test_no_one_byte_makes_a_message_with_streams_a_remove_all(change: int) -> None:
    for damaged in with_one_byte_changed(serialise_fc00(change, STREAMS)):
        assert not isinstance(believed(damaged), RemoveAll)


@pytest.mark.parametrize("message", REPLACES.values(), ids=REPLACES)
@pytest.mark.parametrize("filler", [b"\0", b"\xff", b""], ids=["zeros", "ones", "nothing"])
def test_no_lost_piece_makes_a_replace_drop_a_stream(message: bytes, filler: bytes) -> None:
    for start in range(len(message)):
        for end in range(start + 1, len(message) + 1):
            damaged = message[:start] + filler * (end - start) + message[end:]
            if damaged != message and (command := believed(damaged)) is not None:
                assert len(items(command)) == len(STREAMS), damaged


@given(st.data(), st.sampled_from(sorted(MESSAGES)))
def test_a_much_damaged_message_is_read_or_refused(data: st.DataObject, name: str) -> None:
    message = bytearray(MESSAGES[name])
    for _ in range(data.draw(st.integers(1, 6))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(message)))
    believed(bytes(message[:cut]))
    believed(bytes(message) + data.draw(st.binary(max_size=20)))


@given(st.sampled_from([b"fc00", b"rf5k"]), st.binary(max_size=200))
def test_random_bytes_are_read_or_refused(identifier: bytes, rest: bytes) -> None:
    believed(rest[:4] + identifier + rest[4:])
    believed(rest)
