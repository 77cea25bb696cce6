"""A topic read back by somebody who shares no code with the forwarder, fast enough for tens of millions of records.

Messages are decoded by following the offsets inside each of them, as any FlatBuffers reader does, but for all messages
of one length at once with numpy.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

_CHUNK = 20_000
_POLL_S = 0.2
_PATIENCE_S = 20.0
# Slots of a table's fields, in the order of the schemas: name, type and place of the value, time stamp.
_SLOTS = {b"f142": (1, 2, 3), b"f144": (2, 3, 1)}
_DOUBLE, _ARRAY_DOUBLE = 10, 20

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@dataclass(slots=True)
class Records:
    """All log data of a topic, one row a record, in the order of the topic."""

    names: dict[bytes, int] = field(default_factory=dict)
    """Key of the record -> number of the PV."""
    pv: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    value: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """Of an array, its first element."""
    time_ns: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    """Time stamp of the update, given by EPICS."""
    appended_ms: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    """When the broker took it, if the topic says LogAppendTime."""
    offset: Ints = field(default_factory=lambda: np.empty(0, np.int64))


def consumer(address: str) -> Consumer:
    """A consumer for partitions assigned by hand; it fetches nothing before."""
    return Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "unused: the partition is assigned by hand",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 20,
            "fetch.max.bytes": 50_000_000,
            "max.partition.fetch.bytes": 20_000_000,
            "check.crcs": False,
        }
    )


def from_beginning(address: str, topic: str) -> Consumer:
    """Reads partition 0 of the topic from its beginning."""
    made = consumer(address)
    made.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    return made


def end_offset(reader: Consumer, topic: str) -> int:
    """How many records were ever appended to the topic."""
    return reader.get_watermark_offsets(TopicPartition(topic, 0), _PATIENCE_S, cached=False)[1]


def read(address: str, topic: str) -> Records:
    """The topic as it is now."""
    names: dict[bytes, int] = {}
    reader = from_beginning(address, topic)
    try:
        parts = list(_parts(reader, end_offset(reader, topic), names))
    finally:
        reader.close()
    if not parts:
        return Records()
    pv, value, time_ns, appended_ms, offset = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Records(names, pv, value, time_ns, appended_ms, offset)


def _parts(reader: Consumer, end: int, names: dict[bytes, int]) -> Iterator[tuple[npt.NDArray, ...]]:
    at = 0
    give_up = time.monotonic() + _PATIENCE_S
    while at < end:
        # Waits for a whole chunk or for so long.
        messages = reader.consume(min(_CHUNK, end - at), _POLL_S)
        if not messages:
            if time.monotonic() > give_up:
                raise TimeoutError(f"the topic ends at {end}, and nothing came after {at}")
            continue
        give_up = time.monotonic() + _PATIENCE_S
        for message in messages:
            if message.error() is not None:
                raise KafkaException(message.error())
        payloads = [message.value() for message in messages]
        lengths = np.array([len(payload) for payload in payloads])
        pv = np.array([names.setdefault(message.key(), len(names)) for message in messages], np.int64)
        appended = np.array([message.timestamp()[1] for message in messages], np.int64)
        offset = np.array([message.offset() for message in messages], np.int64)
        value, time_ns = np.empty(len(messages)), np.zeros(len(messages), np.int64)
        for length in np.unique(lengths):
            (rows,) = np.nonzero(lengths == length)
            same = np.frombuffer(b"".join([payloads[row] for row in rows]), np.uint8).reshape(len(rows), length)
            value[rows], time_ns[rows] = decode(same)
        # Connection events and the like have no value, and no time here.
        log_data = time_ns > 0
        yield tuple(column[log_data] for column in (pv, value, time_ns, appended, offset))
        at = int(offset[-1]) + 1


def decode(messages: Bytes) -> tuple[npt.NDArray[np.float64], Ints]:
    """First values and time stamps of messages of one length, one a row; time 0 for what is not log data."""
    value, time_ns = np.full(len(messages), np.nan), np.zeros(len(messages), np.int64)
    for schema, slots in _SLOTS.items():
        (rows,) = np.nonzero((messages[:, 4:8] == np.frombuffer(schema, np.uint8)).all(axis=1))
        if len(rows):
            value[rows], time_ns[rows] = _log_data(messages[rows], *slots)
    return value, time_ns


def _log_data(messages: Bytes, type_slot: int, value_slot: int, time_slot: int) -> tuple[npt.NDArray, npt.NDArray]:
    table = _number(messages, np.zeros(len(messages), np.int64), "<u4")
    kind = _number(messages, _field(messages, table, type_slot), "u1")
    time_ns = _number(messages, _field(messages, table, time_slot), "<i8")
    place = _indirect(messages, _field(messages, table, value_slot))
    inner = _field(messages, place, 0)
    arrays = kind == _ARRAY_DOUBLE
    if not (arrays | (kind == _DOUBLE)).all():
        raise ValueError(f"values of types {sorted(set(kind.tolist()))}, not doubles")
    # A vector is its length and then its elements.
    inner[arrays] = _indirect(messages[arrays], inner[arrays]) + 4
    return _number(messages, inner, "<f8"), time_ns


def _field(messages: Bytes, table: Ints, slot: int) -> Ints:
    vtable = table - _number(messages, table, "<i4")
    distance = _number(messages, vtable + 4 + 2 * slot, "<u2")
    if not distance.all():
        raise ValueError(f"a message without its field {slot}")
    return table + distance


def _indirect(messages: Bytes, at: Ints) -> Ints:
    return at + _number(messages, at, "<u4")


def _number(messages: Bytes, at: Ints, kind: str) -> npt.NDArray:
    """The number of this type at a place of its own in each message."""
    if len(at) == 0:
        return np.empty(0, np.int64)
    size = np.dtype(kind).itemsize
    if (at == at[0]).all():
        raw = np.ascontiguousarray(messages[:, at[0] : at[0] + size])
    else:
        raw = messages[np.arange(len(at))[:, None], at[:, None] + np.arange(size)]
    numbers = raw.view(kind)[:, 0]
    return numbers if kind == "<f8" else numbers.astype(np.int64)
