"""Which dialect a message is in is told by its bytes."""

import pytest
from streaming_data_types.forwarder_config_update_fc00 import serialise_fc00
from streaming_data_types.forwarder_config_update_rf5k import serialise_rf5k

from forwarder.commands import DIALECTS, UNKNOWN, Limits, dialect, parse
from forwarder.errors import BadCommand

MESSAGES = {
    "fc00": (serialise_fc00(2, []), "fc00"),
    "rf5k": (serialise_rf5k(2, []), "rf5k"),
    "json": (b'{"cmd": "exit"}', "json"),
    "json after space": (b'\n  {"cmd": "exit"}', "json"),
    "json after a byte order mark": (b'\xef\xbb\xbf{"cmd": "exit"}', "json"),
    "json with a key at the identifier's place": (b'{  "fc00": 1}', "json"),
    "only the identifier": (b"\0\0\0\0fc00", "fc00"),
    "another FlatBuffer": (b"\x0c\0\0\0f142" + bytes(16), UNKNOWN),
    "a JSON list": (b"[1]", UNKNOWN),
    "nothing": (b"", UNKNOWN),
    "a BOM alone": (b"\xef\xbb\xbf", UNKNOWN),
}


@pytest.mark.parametrize(("message", "name"), MESSAGES.values(), ids=MESSAGES)
def test_the_dialect_is_told(message: bytes, name: str) -> None:
    assert dialect(message) == name


def test_every_dialect_has_a_name_of_its_own() -> None:
    assert DIALECTS == ("fc00", "rf5k", "json")
    assert UNKNOWN not in DIALECTS


@pytest.mark.parametrize("message", [b"", b"[1]", b"\x0c\0\0\0f142" + bytes(16)])
def test_a_message_in_no_dialect_is_refused(message: bytes) -> None:
    with pytest.raises(BadCommand, match=f"^{len(message)} bytes in no known dialect"):
        parse(message)


def test_a_message_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(BadCommand, match=r"^a message of 11 bytes, where at most 10 are allowed"):
        parse(b" " * 11, Limits(message_bytes=10))
