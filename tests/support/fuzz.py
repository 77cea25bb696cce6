"""Genuine configuration messages of all writers, and what may be believed of them when they are damaged."""

import json
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, serialise_fc00
from streaming_data_types.forwarder_config_update_rf5k import StreamInfo as OldStreamInfo
from streaming_data_types.forwarder_config_update_rf5k import serialise_rf5k

from forwarder.commands import parse, state
from forwarder.errors import BadCommand
from forwarder.model import Add, Command, Exit, Pattern, Remove, RemoveAll, Replace, Stream
from tests.support import flatc

REFUSED = "refused"
SAME = "the same"
OTHER_NAMES = "other names or numbers"
FEWER = "fewer streams"
MORE = "more streams"
MIXED = "parts of two messages"


def believed(message: bytes) -> Command | None:
    """The command in a message, None if it is refused."""
    try:
        return parse(message)
    except BadCommand:
        return None


def items(command: Command) -> tuple[Stream, ...] | tuple[Pattern, ...]:
    """The streams or patterns of a command."""
    match command:
        case Add(streams) | Replace(streams):
            return streams
        case Remove(patterns):
            return patterns
        case RemoveAll() | Exit():
            return ()


@dataclass(frozen=True)
class Sample:
    """A genuine message."""

    name: str
    message: bytes

    @cached_property
    def command(self) -> Command:
        return parse(self.message)

    @cached_property
    def is_json(self) -> bool:
        return self.message.startswith(b"{")

    @cached_property
    def change_at(self) -> slice:
        """Where the two bytes of `config_change` are; empty if they are left out, which means ADD."""
        if self.is_json:
            return slice(0, 0)
        at = Anatomy(self.message).change_at
        return slice(at, at + 2) if at else slice(0, 0)

    def judge(self, damaged: bytes) -> str:
        """What a damaged form of this message is believed to be; raises AssertionError if that must not happen.

        One of the words above, or the name of another change.

        - A message cut short is refused.
        - A FlatBuffer keeps its number of streams, and changes what it does about them if and only if the bytes of
          `config_change` were hit.
        - JSON keeps what it does, and an add may be of fewer streams, which stops nothing.
        - The names are those that are in the message.
        """
        command = believed(damaged)
        if command is None:
            return REFUSED
        assert not self.message.rstrip().startswith(damaged) or damaged == self.message.rstrip(), "it is cut short"
        meant, found = items(self.command), items(command)
        if type(command) is not type(self.command):
            hit = len(damaged) == len(self.message) and damaged[self.change_at] != self.message[self.change_at]
            assert hit, f"a {type(self.command).__name__} is believed to be {command}"
        if len(found) != len(meant):
            assert self.is_json, f"{len(meant)} streams are believed to be {len(found)}"
            assert isinstance(command, Add), f"{meant} are believed to be {found}"
        _check_names(found, damaged)
        if command == self.command and [_periodic(each) for each in found] == [_periodic(each) for each in meant]:
            return SAME
        if len(found) != len(meant):
            return FEWER if len(found) < len(meant) else MORE
        return OTHER_NAMES if type(command) is type(self.command) else type(command).__name__.upper()


def judge_mixed(one: Sample, other: Sample, damaged: bytes) -> str:
    """As `Sample.judge`, of what was put together of two messages, which may be nearly the one or nearly the other.

    It never asks for less than one of them did.
    """
    with suppress(AssertionError):
        return one.judge(damaged)
    with suppress(AssertionError):
        outcome = other.judge(damaged)
        # A message without streams is easily come by; it has to be the other one as a whole.
        if items(other.command) or other.is_json or len(damaged) == len(other.message):
            return outcome
    command = believed(damaged)
    assert command is not None
    found = items(command)
    assert found, f"parts of {one.name} and {other.name} are believed to be {command}"
    assert type(command) in {type(one.command), type(other.command)}, f"they are believed to be {command}"
    assert len(found) in {len(items(one.command)), len(items(other.command))}, f"there are {len(found)} streams"
    return MIXED


def _periodic(item: Stream | Pattern) -> bool:
    return isinstance(item, Stream) and item.periodic


def _check_names(found: Iterable[Stream | Pattern], damaged: bytes) -> None:
    if damaged.startswith(b"{") and b"\\" in damaged:
        return
    for each in found:
        for name in (each.channel, None if each.schema == "tdct" else each.schema, each.topic):
            assert name is None or name.encode() in damaged, f"{name!r} is not in the message"


class Anatomy:
    """Where the parts of a genuine FlatBuffer are, found without what is tested."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self.root = self._word(0)
        self.vtables = {self._vtable(self.root)}
        self.change_at = self._field(self.root, 0)
        """0 if it is not there."""
        self.streams_slot = self._vtable(self.root) + 6
        to_list = self._field(self.root, 1)
        self.list_at = self._follow(to_list) if to_list else 0
        self.places = [self.list_at + 4 + 4 * i for i in range(self._word(self.list_at) if to_list else 0)]
        """Of the offsets in the list."""
        self.tables = [self._follow(place) for place in self.places]
        self.vtables |= {self._vtable(table) for table in self.tables}

    def slots(self) -> list[int]:
        """Where the vtables keep their numbers."""
        return [at for vtable in self.vtables for at in range(vtable, vtable + self._half(vtable), 2)]

    def number(self, at: int, code: str) -> int:
        return struct.unpack_from(f"<{code}", self._message, at)[0]

    def _word(self, at: int) -> int:
        return self.number(at, "I")

    def _half(self, at: int) -> int:
        return self.number(at, "H")

    def _follow(self, at: int) -> int:
        return at + self._word(at)

    def _vtable(self, table: int) -> int:
        return table - self.number(table, "i")

    def _field(self, table: int, slot: int) -> int:
        vtable = self._vtable(table)
        offset = self._half(vtable + 4 + 2 * slot) if 4 + 2 * slot < self._half(vtable) else 0
        return table + offset if offset else 0


def infos(count: int) -> list[StreamInfo]:
    """Streams as an instrument has them."""
    topics = ("DEMO_sampleEnv", "DEMO_runLog", "//kafka.example:9092/DEMO_sampleEnv")
    return [
        StreamInfo(f"IN:DEMO:CS:SB:{'block'[: i % 6]}{i}", ("f144", "f142", "tdct")[i % 3], topics[i % 3], i % 2, i % 2)
        for i in range(count)
    ]


def samples() -> list[Sample]:
    """Small ones, and some of hundreds of streams."""
    found: dict[str, bytes] = {
        "fc00 REMOVEALL": serialise_fc00(UpdateType.REMOVEALL, []),
        "fc00 REPLACE 0": serialise_fc00(UpdateType.REPLACE, []),
        "rf5k REMOVEALL": serialise_rf5k(UpdateType.REMOVEALL, []),
        "own REPLACE 0": state.encode([]),
        "flatc REPLACE 0": flatc.from_json("fc00", {"config_change": "REPLACE", "streams": []}),
        "json stop_channel": b'{"cmd": "stop_channel", "channel": "IN:DEMO:CS:SB:block1"}',
        "json stop_all": b'{"cmd": "stop_all"}',
        "json exit": b'{"cmd": "exit"}\n',
        "fc00 REMOVE patterns": serialise_fc00(
            UpdateType.REMOVE, [StreamInfo("IN:*", "", "", 0, 0), StreamInfo("", "f142", "DEMO_?", 1, 0)]
        ),
    }
    for count in (1, 2, 3, 5, 20, 100, 300):
        streams = infos(count)
        old = [OldStreamInfo(*each[:4]) for each in streams]
        for change in ("ADD", "REMOVE", "REPLACE"):
            found[f"fc00 {change} {count}"] = serialise_fc00(getattr(UpdateType, change), streams)
            if change != "REPLACE":
                found[f"rf5k {change} {count}"] = serialise_rf5k(getattr(UpdateType, change), old)
            if count in (1, 5):
                found |= by_flatc(change, streams)
        found[f"own REPLACE {count}"] = state.encode(items(parse(found[f"fc00 REPLACE {count}"])))
        found |= as_json(streams)
    return [Sample(name, message) for name, message in found.items()]


def by_flatc(change: str, streams: list[StreamInfo]) -> dict[str, bytes]:
    """With fields left out that have their default, and with all of them."""
    content = {"config_change": change, "streams": [each._asdict() for each in streams]}
    return {
        f"flatc {change} {len(streams)}": flatc.from_json("fc00", content),
        f"flatc all {change} {len(streams)}": flatc.from_json("fc00", content, "--force-defaults"),
    }


def as_json(streams: list[StreamInfo]) -> dict[str, bytes]:
    """An add of these with one converter each, and one with two."""
    described = [
        {
            "channel": each.channel,
            "channel_provider_type": ("pva", "ca")[each.protocol],
            "converter": {"schema": each.schema, "topic": each.topic},
        }
        for each in streams
    ]
    twice = [
        {"channel": each["channel"], "converter": [each["converter"], {"schema": "TdcTime", "topic": "t", "name": "n"}]}
        for each in described
    ]
    return {
        f"json add {len(streams)}": json.dumps({"cmd": "add", "streams": described}).encode(),
        f"json add twice {len(streams)}": json.dumps({"streams": twice, "cmd": "add"}, separators=(",", ":")).encode(),
    }


def with_number(message: bytes, at: int, code: str, number: int) -> bytes:
    """The message with a number put in place, whatever is too much for it cut off."""
    width = struct.calcsize(code)
    cut = number & (1 << 8 * width) - 1
    return message[:at] + struct.pack(f"<{code}", cut) + message[at + width :]
