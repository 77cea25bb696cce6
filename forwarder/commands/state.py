"""The stored state: all that is forwarded, as an fc00 REPLACE, which is where older tools look for it.

What does not fit into one message of the broker's size is several, each a REPLACE with a part of the streams. The
headers of each message say what it is a part of, and up to where in the config topics the state is true.

The message is laid out by hand, at a tenth of the time that the builder of FlatBuffers takes:

    root | vtable of the root | root table | list of streams | vtable of the streams | stream tables | texts

A text is there once however many streams have it, and every number is four bytes wide and aligned to that.
Format: schemas/fc00.fbs, https://flatbuffers.dev/internals/
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from struct import Struct, pack
from typing import Any, TypeAlias, cast

from forwarder.errors import BadCommand
from forwarder.model import Replace, Stream

from . import fc00
from .config_update import Change
from .limits import DEFAULT, Limits

Offsets: TypeAlias = Mapping[str, Mapping[int, int]]
"""Config topic -> partition -> offset of the first command that is not in the state."""
Headers: TypeAlias = list[tuple[str, bytes | None]]
"""As Kafka has them; a header may have no value."""

_HEAD = Struct("<I4s4HiIHHI")
_HEAD_SIZE = _HEAD.size
_ROOT_AT, _ROOT_VTABLE_AT, _LIST_AT = 16, 8, 28
_STREAM_VTABLE = pack("<8H", 14, 24, 4, 8, 12, 16, 20, 0)
"""Its own length, the table's, where the fields are in it, and two bytes up to the next word."""
_TABLE_SIZE = 24
_PERIODIC = 1


def encode(streams: Sequence[Stream]) -> bytes:
    """The message for these streams."""
    count = len(streams)
    # A vtable that no table has would be taken for the remains of a stream.
    vtable = _STREAM_VTABLE if count else b""
    vtable_at = _HEAD_SIZE + 4 * count
    tables_at = vtable_at + len(vtable)
    end = tables_at + _TABLE_SIZE * count
    texts: list[bytes] = []
    known: dict[str, int] = {}
    tables: list[int] = []
    at = tables_at
    for stream in streams:
        tables.append(at - vtable_at)
        for text in (stream.channel, stream.schema, _topic(stream)):
            at += 4
            place = known.get(text)
            if place is None:
                place = known[text] = end
                laid = _text(text)
                texts.append(laid)
                end += len(laid)
            tables.append(place - at)
        tables.append(stream.transport.value)
        tables.append(_PERIODIC if stream.periodic else 0)
        at += 12
    head = _HEAD.pack(
        _ROOT_AT, fc00.NAME.encode(),
        8, 12, 8, 4,
        _ROOT_AT - _ROOT_VTABLE_AT, _LIST_AT - (_ROOT_AT + 4), Change.REPLACE.value, 0,
        count,
    )  # fmt: skip
    # Each counts from its own place in the list, four bytes after the one before it.
    first = tables_at - _HEAD_SIZE
    places = range(first, first + (_TABLE_SIZE - 4) * count, _TABLE_SIZE - 4)
    return b"".join((head, pack(f"<{count}I", *places), vtable, pack(f"<{6 * count}I", *tables), *texts))


def decode(message: bytes, limits: Limits = DEFAULT) -> tuple[Stream, ...]:
    """The streams in a message; raises BadCommand."""
    command = fc00.parse(message, limits)
    if not isinstance(command, Replace):
        raise BadCommand(f"fc00: a state is a REPLACE, and this is {type(command).__name__.upper()}")
    return command.streams


def split(streams: Sequence[Stream], max_bytes: int, limits: Limits = DEFAULT) -> list[Sequence[Stream]]:
    """The streams in as few runs as make messages of at most so many bytes, and such as can be read again.

    A stream that is larger on its own is a run on its own. No streams are one run too.
    """
    max_bytes = min(max_bytes, limits.message_bytes)
    empty = _HEAD_SIZE + len(_STREAM_VTABLE)
    starts = [0]
    size = empty
    known: set[str] = set()
    for number, stream in enumerate(streams):
        texts = {stream.channel, stream.schema, _topic(stream)}
        more = _TABLE_SIZE + 4 + sum(map(_text_size, texts - known))
        count = number - starts[-1]
        if count and (size + more > max_bytes or count == limits.streams):
            starts.append(number)
            size = empty
            known.clear()
            more = _TABLE_SIZE + 4 + sum(map(_text_size, texts))
        size += more
        known |= texts
    return [streams[start:end] for start, end in zip(starts, [*starts[1:], len(streams)], strict=True)]


def _topic(stream: Stream) -> str:
    return f"{stream.broker}/{stream.topic}" if stream.broker else stream.topic


def _text(text: str) -> bytes:
    """Length, text, and the NUL that ends it with as many more as fill the last word."""
    raw = text.encode()
    size = len(raw)
    return size.to_bytes(4, "little") + raw.ljust((size // 4 + 1) * 4, b"\0")


def _text_size(text: str) -> int:
    return 4 + (len(text.encode()) // 4 + 1) * 4


_FORMAT = b"1"
_FORMAT_HEADER, _SERVICE_HEADER, _GENERATION_HEADER, _STATE_HEADER, _PART_HEADER, _PARTS_HEADER, _OFFSETS_HEADER = (
    "state-format",
    "service-id",
    "generation",
    "state-id",
    "part",
    "parts",
    "config-offsets",
)
_PART_KEY = re.compile(rb"/[01]/[0-9]+")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Label:
    """What the headers of one message say of it."""

    service_id: str
    """Whose state it is."""
    generation: int
    """Larger than that of any earlier state of this service."""
    state_id: str
    """The same in all parts of a state, and in no other state."""
    part: int
    """From 1 to `parts`."""
    parts: int
    offsets: Offsets

    def key(self) -> bytes:
        """Kafka's key: a compacted topic keeps the last message of each.

        Parts of two states in a row have different keys: while the later is not complete, the earlier is.
        """
        key = self.service_id if self.parts == 1 else f"{self.service_id}/{self.generation % 2}/{self.part}"
        return key.encode()

    def headers(self) -> Headers:
        offsets = {topic: {str(k): v for k, v in of_topic.items()} for topic, of_topic in self.offsets.items()}
        return [
            (_FORMAT_HEADER, _FORMAT),
            (_SERVICE_HEADER, self.service_id.encode()),
            (_GENERATION_HEADER, b"%d" % self.generation),
            (_STATE_HEADER, self.state_id.encode()),
            (_PART_HEADER, b"%d" % self.part),
            (_PARTS_HEADER, b"%d" % self.parts),
            (_OFFSETS_HEADER, json.dumps(offsets, separators=(",", ":")).encode()),
        ]


def may_be_of(service_id: str, key: bytes, headers: Headers) -> bool:
    """Whether a message belongs to a service, readable or not, as far as its key and headers tell."""
    own = service_id.encode()
    if key != own and not (key.startswith(own) and _PART_KEY.fullmatch(key, len(own))):
        return False
    # The key of a part may be another service's own name.
    return dict(headers).get(_SERVICE_HEADER, own) == own


def read_label(headers: Headers) -> Label:
    """What the headers say; raises BadCommand if they are not all there in the format that is known here."""
    found = dict(headers)
    if (version := found.get(_FORMAT_HEADER)) != _FORMAT:
        says = f"is {version!r}" if version is not None else "is missing"
        raise BadCommand(f"the header {_FORMAT_HEADER} {says}, where {_FORMAT!r} is known here")
    label = Label(
        _header(found, _SERVICE_HEADER),
        _number(found, _GENERATION_HEADER),
        _header(found, _STATE_HEADER),
        _number(found, _PART_HEADER),
        _number(found, _PARTS_HEADER),
        _offsets(_header(found, _OFFSETS_HEADER)),
    )
    if not 1 <= label.part <= label.parts:
        raise BadCommand(f"the headers say part {label.part} of {label.parts}")
    return label


def _header(headers: Mapping[str, bytes | None], name: str) -> str:
    value = headers.get(name)
    if value is None:
        raise BadCommand(f"the header {name} is missing")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadCommand(f"the header {name} is not UTF-8") from None


def _number(headers: Mapping[str, bytes | None], name: str) -> int:
    text = _header(headers, name)
    if not _NUMBER.fullmatch(text):
        raise BadCommand(f"the header {name} is {text[:80]!a}, where a number is expected")
    return int(text)


def _offsets(text: str) -> Offsets:
    try:
        loaded: Any = json.loads(text)
        return {
            topic: {_natural(int(partition)): _natural(offset) for partition, offset in of_topic.items()}
            for topic, of_topic in cast("dict[str, dict[str, Any]]", loaded).items()
        }
    except (ValueError, AttributeError, RecursionError):
        raise BadCommand(f"the header {_OFFSETS_HEADER} is not the JSON of offsets by topic and partition") from None


def _natural(number: object) -> int:
    if type(number) is not int or number < 0:
        raise ValueError
    return number


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message is, and what Kafka says of its time, in milliseconds since the Unix epoch."""

    partition: int
    offset: int
    timestamp_ms: int

    def __str__(self) -> str:
        return f"[{self.partition}]@{self.offset}"

    def after(self, other: "Place") -> bool:
        if self.partition == other.partition:
            return self.offset > other.offset
        return self.timestamp_ms > other.timestamp_ms


class Index:
    """Which states a topic holds and where, without their bytes."""

    def __init__(self, service_id: str) -> None:
        self.newest_generation = 0
        """Of any message of this service, be its state complete or not."""
        self.foreign: Place | None = None
        """The newest message without a key that is a state as far as its first bytes tell: another forwarder's."""
        self.others = 0
        """Messages without a key that are nobody's state."""
        self._service_id = service_id
        self._states: dict[str, dict[int, tuple[Label, Place]]] = {}
        self._unreadable: dict[int, tuple[Place, str]] = {}
        """The newest of each partition."""
        self._cleared: dict[int, Place] = {}
        """The newest tombstone of each partition: no message of this service before it is meant to be there."""

    def note(self, place: Place, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """One message of the topic; they may come in any order."""
        if not key:
            if not value or value[4:8] != fc00.NAME.encode():
                self.others += 1
            elif self.foreign is None or place.after(self.foreign):
                self.foreign = place
        elif may_be_of(self._service_id, key, headers):
            if value is not None:
                self._note_part(place, headers)
            elif (known := self._cleared.get(place.partition)) is None or place.after(known):
                self._cleared[place.partition] = place

    def _note_part(self, place: Place, headers: Headers) -> None:
        try:
            label = read_label(headers)
        except BadCommand as error:
            self.cannot_read(place, str(error))
        else:
            self.newest_generation = max(self.newest_generation, label.generation)
            self._states.setdefault(label.state_id, {})[label.part] = (label, place)

    def cannot_read(self, place: Place, reason: str) -> None:
        """There is something at this place that is a state, or may be one."""
        known = self._unreadable.get(place.partition)
        if known is None or place.after(known[0]):
            self._unreadable[place.partition] = (place, reason)

    def unreadable_after(self, place: Place | None) -> str:
        """What can't be read and is newer than this, or than nothing; empty if there is no such message."""
        for where, reason in self._unreadable.values():
            if (place is None or not place.after(where)) and not self._is_cleared(where):
                return f"the state at {where} can't be read: {reason}"
        return ""

    def complete(self) -> list[list[tuple[Label, Place]]]:
        """The parts of each complete state in their order, the newest state first."""
        states = [
            [parts[number] for number in sorted(parts)]
            for parts in self._states.values()
            if len(parts) == next(iter(parts.values()))[0].parts
            and not any(self._is_cleared(place) for _, place in parts.values())
        ]
        return sorted(states, key=lambda parts: (parts[0][0].generation, parts[0][1].timestamp_ms), reverse=True)

    def has_complete(self, partition: int) -> bool:
        """Whether a part of a complete state is in this partition."""
        return any(place.partition == partition for parts in self.complete() for _, place in parts)

    def _is_cleared(self, place: Place) -> bool:
        return any(tombstone.after(place) for tombstone in self._cleared.values())
