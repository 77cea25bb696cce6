"""What can become of a message on its way: pieces lost, doubled and exchanged, and bytes and numbers changed."""

import struct
from collections.abc import Callable, Iterator
from random import Random
from typing import TypeAlias

from tests.support.fuzz import with_number

Mutation: TypeAlias = Callable[[Random, bytes, bytes], bytes]
"""Makes another message of one, perhaps with pieces of a second one."""

_JSON_SIGNS = (
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"\\ud800",
    b"\\u0000",
)
_JSON_KEYS = (b'"cmd":', b'"streams":', b'"channel":', b'"converter":', b'"schema":', b'"topic":', b'"name":')
_JSON_TOKENS = _JSON_SIGNS + _JSON_KEYS


def mutated(random: Random, message: bytes, other: bytes) -> tuple[bytes, bool]:
    """A message that something happened to, mostly once, and whether it has pieces of the other one."""
    kinds = _JSON if message[:1] == b"{" and random.random() < 0.5 else _ANY
    mixed = False
    for _ in range(1 if random.random() < 0.7 else random.randint(2, 4)):
        kind = random.choice(kinds)
        mixed = mixed or kind in _MIXING
        message = kind(random, message, other)
    return message, mixed


def one_byte_changes(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Where, and what then: every bit turned, and what moves an offset or a length by a little or as far as can be."""
    for at, byte in enumerate(message):
        near = {byte + step & 0xFF for step in (-4, -1, 1, 4)}
        for changed in (near | {byte ^ 1 << bit for bit in range(8)} | {0, 0xFF}) - {byte}:
            yield at, message[:at] + bytes([changed]) + message[at + 1 :]


def _piece(random: Random, message: bytes) -> tuple[int, int]:
    """Start and end of a piece, which is short as often as it is long."""
    start = random.randint(0, len(message))
    longest = len(message) - start
    return start, start + random.randint(0, min(longest, random.choice([1, 4, 16, 64, longest])))


def _cut_end(random: Random, message: bytes, _: bytes) -> bytes:
    return message[: random.randint(0, len(message))]


def _cut_end_at_word(random: Random, message: bytes, _: bytes) -> bytes:
    return message[: 4 * random.randint(0, len(message) // 4)]


def _cut_beginning(random: Random, message: bytes, _: bytes) -> bytes:
    return message[random.randint(0, len(message)) :]


def _lose_piece(random: Random, message: bytes, _: bytes) -> bytes:
    start, end = _piece(random, message)
    return message[:start] + message[end:]


def _fill_piece(random: Random, message: bytes, _: bytes) -> bytes:
    start, end = _piece(random, message)
    filler = random.choice([b"\0", b"\0", b"\xff", b" ", b"A"])
    return message[:start] + filler * (end - start) + message[end:]


def _noise_in_piece(random: Random, message: bytes, _: bytes) -> bytes:
    start, end = _piece(random, message)
    return message[:start] + random.randbytes(end - start) + message[end:]


def _double_piece(random: Random, message: bytes, _: bytes) -> bytes:
    start, end = _piece(random, message)
    return message[:end] + message[start:]


def _move_piece(random: Random, message: bytes, _: bytes) -> bytes:
    start, end = _piece(random, message)
    rest = message[:start] + message[end:]
    to = random.randint(0, len(rest))
    return rest[:to] + message[start:end] + rest[to:]


def _piece_of_other(random: Random, message: bytes, other: bytes) -> bytes:
    """As when a buffer is used again."""
    start, end = _piece(random, message)
    return message[:start] + other[start:end] + message[end:]


def _end_of_other(random: Random, message: bytes, other: bytes) -> bytes:
    at = random.randint(0, len(message))
    return message[:at] + other[at:]


def _append_junk(random: Random, message: bytes, other: bytes) -> bytes:
    count = random.choice([1, 2, 4, 8, 20])
    return message + random.choice([bytes(count), random.randbytes(count), other[:count], other, b" " * count])


def _turn_bit(random: Random, message: bytes, _: bytes) -> bytes:
    if not message:
        return message
    at = random.randrange(len(message))
    return with_number(message, at, "B", message[at] ^ 1 << random.randrange(8))


def _change_byte(random: Random, message: bytes, _: bytes) -> bytes:
    if not message:
        return message
    return with_number(message, random.randrange(len(message)), "B", random.choice([0, 1, 2, 3, 4, 8, 0xFF]))


def _change_number(code: str) -> Mutation:
    """Of a word or half a word in line, such as offsets and lengths are."""
    width = struct.calcsize(code)

    def change(random: Random, message: bytes, _: bytes) -> bytes:
        count = len(message) // width
        if not count:
            return message
        # Half of the time near the beginning, which is where most builders put what leads to everything else.
        at = width * random.randrange(min(count, random.choice([16, count])))
        (number,) = struct.unpack_from(f"<{code}", message, at)
        from_elsewhere = struct.unpack_from(f"<{code}", message, width * random.randrange(count))[0]
        step = random.choice([1, 2, 4, 8, 12, 16, 20, 24, len(message)])
        return with_number(
            message, at, code, random.choice([number + step, number - step, -number, 0, from_elsewhere, number * 2])
        )

    return change


def _swap_words(random: Random, message: bytes, _: bytes) -> bytes:
    if len(message) < 8:
        return message
    one, two = (4 * random.randrange(len(message) // 4) for _ in range(2))
    changed = bytearray(message)
    changed[one : one + 4], changed[two : two + 4] = message[two : two + 4], message[one : one + 4]
    return bytes(changed)


def _put_token(random: Random, message: bytes, _: bytes) -> bytes:
    at = random.randint(0, len(message))
    return message[:at] + random.choice(_JSON_TOKENS) + message[at + random.choice([0, 0, 1, 4]) :]


def _lose_between_marks(random: Random, message: bytes, _: bytes) -> bytes:
    """From one sign of JSON to the next of its kind, which leaves more valid JSON than a loss anywhere."""
    mark = random.choice([b'"', b",", b"{", b"}", b":"])
    places = [at for at in range(len(message)) if message[at : at + 1] == mark]
    if len(places) < 2:
        return message
    first = random.randrange(len(places) - 1)
    last = min(first + random.choice([1, 1, 2, 4]), len(places) - 1)
    return message[: places[first]] + message[places[last] :]


_ANY: list[Mutation] = [
    _cut_end,
    _cut_end_at_word,
    _cut_beginning,
    _lose_piece,
    _fill_piece,
    _noise_in_piece,
    _double_piece,
    _move_piece,
    _piece_of_other,
    _end_of_other,
    _append_junk,
    _turn_bit,
    _turn_bit,
    _change_byte,
    _change_number("B"),
    _change_number("H"),
    _change_number("H"),
    _change_number("I"),
    _change_number("I"),
    _swap_words,
]
_MIXING = {_piece_of_other, _end_of_other, _append_junk}
_JSON: list[Mutation] = [_put_token, _put_token, _lose_between_marks, _lose_piece, _turn_bit, _cut_end]
