"""FlatBuffers that are put together by hand, so that they are as no writer or as only a rare writer makes them."""

import struct
from collections.abc import Callable

import flatbuffers
import pytest
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, serialise_fc00

from forwarder.commands import parse
from forwarder.errors import BadCommand
from forwarder.model import Add, Stream, Transport

GENUINE = serialise_fc00(UpdateType.ADD, [StreamInfo("pv-two", "f142", "topic", 1, 1)])


def built(
    *,
    streams: int = 1,
    same_table: bool = False,
    shared_strings: bool = False,
    channel: bytes = b"pv",
    extra_slot: bool = False,
    identifier: bytes = b"fc00",
) -> bytes:
    """An ADD whose streams all have the same names."""
    builder = flatbuffers.Builder(0)
    tables: list[int] = []
    for _ in range(1 if same_table else streams):
        string = builder.CreateSharedString if shared_strings else builder.CreateString
        names = [string(channel.decode("latin-1"))] if shared_strings else [builder.CreateByteVector(channel + b"\0")]
        names += [string("f142"), string("t")]
        builder.StartObject(6)
        for slot, name in enumerate(names):
            builder.PrependUOffsetTRelativeSlot(slot, name, 0)
        if extra_slot:
            builder.PrependInt32Slot(5, 1, 0)
        tables.append(builder.EndObject())
    builder.StartVector(4, streams, 4)
    for i in range(streams):
        builder.PrependUOffsetTRelative(tables[0 if same_table else i])
    vector = builder.EndVector()
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(1, vector, 0)
    builder.Finish(builder.EndObject(), file_identifier=identifier)
    message = bytearray(builder.Output())
    if not shared_strings:
        # A string is a byte vector whose length leaves its NUL out.
        with_nul = struct.pack("<I", len(channel) + 1) + channel + b"\0"
        without = struct.pack("<I", len(channel)) + channel + b"\0"
        message = message.replace(with_nul, without)
    return bytes(message)


def changed(find: bytes, put: bytes) -> bytes:
    assert GENUINE.count(find) == 1
    return GENUINE.replace(find, put)


def word_changed(at: int, by: int) -> bytes:
    message = bytearray(GENUINE)
    struct.pack_into("<I", message, at, struct.unpack_from("<I", message, at)[0] + by & 0xFFFFFFFF)
    return bytes(message)


STREAM = Stream("pv", Transport.PVA, "f142", "t")
RARE: dict[str, tuple[Callable[[], bytes], int]] = {
    "as a builder makes it": (built, 1),
    "strings shared by several streams": (lambda: built(streams=3, shared_strings=True), 3),
}


@pytest.mark.parametrize(("message", "count"), RARE.values(), ids=RARE)
def test_what_a_builder_may_do_is_read(message: Callable[[], bytes], count: int) -> None:
    assert parse(message()) == Add((STREAM,) * count)


BAD: dict[str, tuple[bytes, str]] = {
    "one table twice in the list": (built(streams=2, same_table=True), "two of its parts claim byte"),
    "a field of a later version": (built(extra_slot=True), "stream 1 of 1: the vtable .* field that is not known"),
    "fc00 that says rf5k": (GENUINE.replace(b"fc00", b"rf5k"), "rf5k of .* stream 1 of 1: .* field that is not known"),
    "NUL in a string": (built(channel=b"p\0v"), "stream 1 of 1: the text of channel does not end with its NUL"),
    "no NUL behind a string": (changed(b"topic\0", b"topic!"), "the text of topic does not end with its NUL"),
    "a longer string": (changed(b"\5\0\0\0topic", b"\6\0\0\0topic"), "the text of topic does not end with its NUL"),
    "a huge string": (changed(b"\5\0\0\0topic", b"\xff\xff\xff\xfftopic"), "the text of topic runs past the end"),
    "not UTF-8": (changed(b"topic", b"top\xedc"), "stream 1 of 1: the text of topic is not UTF-8"),
    "root nowhere": (word_changed(0, 1 << 20), "an offset leads to a table at byte 10"),
    "root out of line": (word_changed(0, 1), "outside of the message or out of line"),
    "root before its place": (word_changed(0, -4), "damaged"),
    "nothing behind the identifier": (GENUINE[:8], "damaged: an offset leads to a table"),
    "shorter than a word more": (GENUINE[:-1], "its length is not a multiple of 4"),
    "zeros and the identifier": (
        b"\0\0\0\0fc00" + bytes(56),
        "the vtable at byte 0 has an impossible length of 0 bytes",
    ),
}


@pytest.mark.parametrize(("message", "reason"), BAD.values(), ids=BAD)
def test_what_no_writer_makes_is_refused_with_the_reason(message: bytes, reason: str) -> None:
    with pytest.raises(BadCommand, match=reason):
        parse(message)


def test_a_list_of_a_thousand_million_streams_costs_nothing() -> None:
    vector = GENUINE.index(b"\1\0\0\0")
    with pytest.raises(BadCommand, match="list of 1000000000 streams runs past the end"):
        parse(GENUINE[:vector] + struct.pack("<I", 1_000_000_000) + GENUINE[vector + 4 :])
