"""Configuration messages that are made to cost as much time or memory as they can."""

import struct
from collections.abc import Callable
from typing import Any

from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, serialise_fc00

from forwarder.commands import Limits, state
from forwarder.model import Stream, Transport
from tests.support.fuzz import Anatomy, with_number


def sharing(count: int, **names: Any) -> bytes:
    """A REPLACE of so many streams that all have the same names, each of which is in the message once."""
    stream = Stream(**{"channel": "A", "transport": Transport.CA, "schema": "f144", "topic": "t"} | names)
    return state.encode([stream] * count)


def with_one_table(count: int) -> bytes:
    """A list that names one stream again and again, at four bytes each."""
    message = sharing(count)
    anatomy = Anatomy(message)
    offsets = struct.pack(f"<{count}I", *(anatomy.tables[0] - place for place in anatomy.places))
    start = anatomy.places[0]
    return message[:start] + offsets + message[start + len(offsets) :]


def with_vtables(count: int) -> bytes:
    """Each of the streams has a vtable of its own, and bytes at the end belong to nothing."""
    head = struct.pack("<I4s4HiIHHI", 16, b"fc00", 8, 12, 8, 4, 8, 8, 3, 0, count)
    first, size = len(head) + 4 * count, 28
    texts = first + size * count
    tables = [first + size * i + 12 for i in range(count)]
    offsets = (table - (len(head) + 4 * i) for i, table in enumerate(tables))
    streams = (
        struct.pack("<6Hi3I", 10, 16, 4, 8, 12, 0, 12, texts - (at + 4), texts + 8 - (at + 8), texts + 20 - (at + 12))
        for at in tables
    )
    named = struct.pack("<I4sI8sI4s", 1, b"A", 4, b"f144", 1, b"t")
    return b"".join((head, struct.pack(f"<{count}I", *offsets), *streams, named, b"\1\1\1\1"))


def hostile(most_streams: int) -> dict[str, Callable[[], bytes]]:
    """What nobody sends who means well: each is to be refused, at a cost that its size bounds."""
    most = Limits().message_bytes
    many = 100_000
    long = "A" * 100_000
    exiting = b'{"cmd":"exit","x":['
    described = '{"cmd":"add","streams":[{"channel":"A","converter":[%s]}]}'
    return {
        "json too long": lambda: b"{" + bytes(most),
        "json nested lists": lambda: b'{"cmd":"exit","x":' + b"[" * (most - 20),
        "json nested objects": lambda: b'{"x":' * (most // 5),
        "json many lists": lambda: exiting + b"[]," * many + b"[]]}",
        "json many objects": lambda: b'{"cmd":"add","streams":[' + b"{}," * many + b"{}]}",
        "json many small objects": lambda: exiting + b'{"":0},' * (many) + b"{}]}",
        "json many keys": lambda: b'{"cmd":"exit",' + b",".join(b'"%x":0' % i for i in range(many)) + b"}",
        "json one key often": lambda: b'{"cmd":"exit",' + b'"a":0,' * many + b'"a":0}',
        "json long number": lambda: b'{"cmd":"exit","x":' + b"9" * (most - 40) + b"}",
        "json large number": lambda: b'{"cmd":"exit","x":1e' + b"9" * (most - 40) + b"}",
        "json large number as a name": lambda: b'{"cmd":"stop_channel","channel":1e999}',
        "json long name": lambda: b'{"cmd":"stop_channel","channel":"' + b"A" * (most - 40) + b'"}',
        "json name over the limit": lambda: b'{"cmd":"stop_channel","channel":"' + b"A" * 1025 + b'"}',
        "json spaces": lambda: b"{" + b" " * (most - 2) + b"}",
        "json spaces before": lambda: b" " * (most - 2) + b"{}",
        "json half a character as a name": lambda: b'{"cmd":"stop_channel","channel":"\\ud800"}',
        "json half a character as a command": lambda: b'{"cmd":"\\ud800"}',
        "json half a character as a key": lambda: b'{"\\ud800":1,"\\ud800":2}',
        "json half a character as a topic": lambda: (described % r'{"schema":"f144","topic":"\udfff"}').encode(),
        "json half a character as a schema": lambda: (described % r'{"schema":"\udfff","topic":"t"}').encode(),
        "json many converters": lambda: (
            described % ",".join(['{"schema":"f144","topic":"t"}'] * (most_streams + 1))
        ).encode(),
        "json stop_all with a channel": lambda: b'{"cmd":"stop_all","channel":"A"}',
        "json exit with streams": lambda: b'{"cmd":"exit","streams":[{}]}',
        "fc00 zeros": lambda: b"\x10\0\0\0fc00" + bytes(most - 8),
        "fc00 ones": lambda: b"\x10\0\0\0fc00" + b"\xff" * (most - 8),
        "fc00 longest list": lambda: with_number(sharing(1), 28, "I", 0xFFFFFFFF),
        "fc00 too many streams": lambda: sharing(most_streams + 1),
        "fc00 one table often": lambda: with_one_table(most_streams),
        "fc00 a vtable each": lambda: with_vtables(most_streams),
        "fc00 a long channel shared": lambda: sharing(most_streams, channel=long),
        "fc00 a long schema shared": lambda: sharing(most_streams, schema=long),
        "fc00 a long topic shared": lambda: sharing(most_streams, topic=long),
        "fc00 a long broker shared": lambda: sharing(most_streams, broker=long),
        "fc00 name over the limit": lambda: sharing(1, channel="A" * 1025),
        "fc00 many wildcards": lambda: serialise_fc00(UpdateType.REMOVE, [StreamInfo("*A*", "", "", 0, 0)] * 1001),
    }
