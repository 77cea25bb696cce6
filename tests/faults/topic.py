"""A topic of counting PVs, read back by somebody who shares no code with the forwarder."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from benchmarks.records import decode
from forwarder.demo.decode import decode_ep00

_CHUNK = 20_000
_POLL_S = 0.2
_PATIENCE_S = 30.0
_ANSWER_S = 1.0

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class Log:
    """What a topic holds: one row a message, partition by partition in their order. A PV has one of them."""

    names: dict[bytes, int]
    """Key of the message -> number of the PV."""
    pv: Ints
    value: Ints
    """Of what is no value: 0."""
    time_ns: Ints
    """Of a value: its EPICS time."""
    is_value: npt.NDArray[np.bool_]
    connects: npt.NDArray[np.bool_]
    """Whether it tells that the PV has connected."""


def read(address: str, topic: str) -> Log:
    """The topic as it is now."""
    names: dict[bytes, int] = {}
    consumer = _consumer(address)
    try:
        parts: list[tuple[npt.NDArray, ...]] = []
        for place in _partitions(consumer, topic, _PATIENCE_S):
            end = consumer.get_watermark_offsets(place, _PATIENCE_S)[1]
            consumer.assign([TopicPartition(topic, place.partition, OFFSET_BEGINNING)])
            parts += [_rows(messages, names) for messages in _up_to(consumer, end)]
    finally:
        consumer.close()
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else [np.empty(0, np.int64)] * 5
    pv, value, time_ns, is_value, connects = columns
    return Log(names, pv, value, time_ns, is_value.astype(bool), connects.astype(bool))


class Tail:
    """The newest messages of each partition of a topic, while it grows, is away, or comes back."""

    def __init__(self, address: str, topic: str, count: int) -> None:
        self._address = address
        self._topic = topic
        self._count = count
        self._consumer = _consumer(address)

    def newest(self) -> dict[bytes, int]:
        """Of each PV that is among the newest messages: the EPICS time of its last value; empty while there is none."""
        names: dict[bytes, int] = {}
        try:
            rows: list[tuple[npt.NDArray, ...]] = []
            for place in _partitions(self._consumer, self._topic, _ANSWER_S):
                low, high = self._consumer.get_watermark_offsets(place, _ANSWER_S, cached=False)
                self._consumer.assign([TopicPartition(self._topic, place.partition, max(low, high - self._count))])
                if high > low:
                    rows += [_rows(messages, names) for messages in _up_to(self._consumer, high, _ANSWER_S)]
        except (KafkaException, TimeoutError):
            # A client that has seen a topic without a leader may hold on to that.
            self._consumer.close()
            self._consumer = _consumer(self._address)
            return {}
        last = np.zeros(len(names), np.int64)
        for pv, _, time_ns, is_value, _ in rows:
            # Where a PV comes several times, the last one stays.
            last[pv[is_value]] = time_ns[is_value]
        return {name: int(last[pv]) for name, pv in names.items() if last[pv]}

    def close(self) -> None:
        self._consumer.close()


def _consumer(address: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "unused: the partition is assigned by hand",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 20,
            "check.crcs": False,
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
        }
    )


def _partitions(consumer: Consumer, topic: str, within_s: float) -> list[TopicPartition]:
    known = consumer.list_topics(topic, timeout=within_s).topics[topic].partitions
    return [TopicPartition(topic, partition) for partition in sorted(known)]


def _up_to(consumer: Consumer, end: int, patience_s: float = _PATIENCE_S) -> Iterator[list[Message]]:
    offset = -1
    give_up = time.monotonic() + patience_s
    while offset < end - 1:
        messages = consumer.consume(min(_CHUNK, end - 1 - offset) if offset >= 0 else _CHUNK, _POLL_S)
        for message in messages:
            error = message.error()
            if error is not None and not (error.retriable() or error.code() == KafkaError._TRANSPORT):
                raise KafkaException(error)
        messages = [message for message in messages if message.error() is None]
        if messages:
            offset = messages[-1].offset() or 0
            give_up = time.monotonic() + patience_s
            yield messages
        elif time.monotonic() > give_up:
            raise TimeoutError(f"the topic ends at {end}, and nothing came after {offset}")


def _rows(messages: list[Message], names: dict[bytes, int]) -> tuple[npt.NDArray, ...]:
    payloads = [message.value() or b"" for message in messages]
    count = len(payloads)
    pv = np.array([names.setdefault(message.key() or b"", len(names)) for message in messages], np.int64)
    value, time_ns = np.zeros(count, np.int64), np.zeros(count, np.int64)
    lengths = np.array([len(payload) for payload in payloads])
    for length in np.unique(lengths):
        (rows,) = np.nonzero(lengths == length)
        same = np.frombuffer(b"".join([payloads[row] for row in rows]), np.uint8).reshape(len(rows), length)
        values, time_ns[rows] = decode(same)
        value[rows] = np.nan_to_num(values)
    connects = np.array([p[4:8] == b"ep00" and decode_ep00(p).event == "CONNECTED" for p in payloads])
    return pv, value, time_ns, time_ns > 0, connects
