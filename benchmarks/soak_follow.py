"""Whoever reads along: whether each count of the streams that stay came once, and what the statuses say."""

import bisect
import json
import math
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from streaming_data_types.status_x5f2 import deserialise_x5f2

from benchmarks.records import decode
from forwarder.demo.decode import decode_ep00
from tests.support.waiting import wait_until

_CHUNK = 5_000
_POLL_S = 0.5
_RETURNS = {"enable.auto.commit": False, "check.crcs": False, "reconnect.backoff.max.ms": 500}


class Counter:
    """The last count of each PV, and what was wrong with the steps."""

    def __init__(self) -> None:
        self.values = 0
        self.missing = 0
        self.twice = 0
        self.backwards = 0
        self._last: dict[bytes, float] = {}
        self._fresh: dict[bytes, bool] = {}
        """Whether the PV's last value was the first one of its connection.

        The IOC may process a record between posting that and enabling the subscription (rsrv, event_add_action): the
        step from there is not looked at.
        """

    def connected(self, name: bytes) -> None:
        """Its server may count from the beginning now."""
        self._last.pop(name, None)

    def came(self, name: bytes, value: float) -> None:
        last = self._last.get(name)
        self.values += 1
        self._last[name] = value
        fresh, self._fresh[name] = self._fresh.get(name, False), last is None
        if last is None:
            return
        step = value - last
        if step == 0:
            self.twice += 1
        elif step < 0:
            self.backwards += 1
        elif step > 1 and not fresh:
            self.missing += int(step) - 1


class Follower:
    """Reads the topics of the streams that stay, and the status, in a thread."""

    def __init__(self, address: str, topics: Sequence[str], status_topic: str) -> None:
        self.counters = {topic: Counter() for topic in topics}
        self.status: Mapping[str, Any] = {}
        """The newest."""
        self.longest_lag_s = 0.0
        self.busy: list[float] = []
        self._status_topic = status_topic
        self._obeyed: list[int] = []
        self._obeyed_at: list[float] = []
        self._failed: BaseException | None = None
        self._looked_at = 0.0
        self._over = threading.Event()
        # Silent, because the broker is stopped on purpose.
        self._consumer = Consumer({"bootstrap.servers": address, "group.id": "unused", "log_level": 0, **_RETURNS})
        self._consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING) for topic in (*topics, status_topic)])
        self._thread = threading.Thread(target=self._run, name="follower")

    def answers(self, sent_at: Sequence[float]) -> list[float]:
        """Seconds from each command to the first status that counts it as obeyed."""
        pairs = enumerate(sent_at, 1)
        places = [(sent, bisect.bisect_left(self._obeyed, number)) for number, sent in pairs if not math.isnan(sent)]
        return [self._obeyed_at[place] - sent for sent, place in places if place < len(self._obeyed_at)]

    def caught_up(self, within_s: float) -> None:
        """Returns when a status came that was made from now on."""
        now = time.time()
        wait_until(lambda: self._failed or self._looked_at > now, within_s, what="a new status is there")

    def until_stopped(self, within_s: float) -> None:
        wait_until(lambda: self.status["state"] == "stopped", within_s, what="the last status is there")
        # The data was acknowledged before that was sent; what is read at the same time comes at the next poll.
        time.sleep(2 * _POLL_S)
        if self._failed:
            raise self._failed

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._take(self._consumer.consume(_CHUNK, _POLL_S))
        except BaseException as error:
            self._failed = error
            raise

    def _take(self, messages: list[Message]) -> None:
        good: list[Message] = []
        for message in messages:
            error = message.error()
            if error is None:
                good.append(message)
            elif not (error.retriable() or error.code() in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN)):
                raise KafkaException(error)
        for topic, counter in self.counters.items():
            _count(counter, [message for message in good if message.topic() == topic])
        for message in good:
            if message.topic() == self._status_topic:
                self._told(message)

    def _told(self, message: Message) -> None:
        status = self.status = json.loads(deserialise_x5f2(message.value()).status_json)
        self._obeyed.append(sum(status["config"]["obeyed"].values()))
        self._obeyed_at.append(message.timestamp()[1] / 1000)
        self._looked_at = self._obeyed_at[-1]
        load = status.get("load", {})
        self.longest_lag_s = max(self.longest_lag_s, load.get("lag_s", 0.0))
        self.busy.append(load.get("busy", math.nan))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._consumer.close()


def _count(counter: Counter, messages: list[Message]) -> None:
    payloads = [message.value() or b"" for message in messages]
    lengths = np.array([len(payload) for payload in payloads])
    values, times = np.empty(len(payloads)), np.zeros(len(payloads), np.int64)
    for length in np.unique(lengths):
        (rows,) = np.nonzero(lengths == length)
        same = np.frombuffer(b"".join([payloads[row] for row in rows]), np.uint8).reshape(len(rows), length)
        values[rows], times[rows] = decode(same)
    for message, payload, value, time_ns in zip(messages, payloads, values.tolist(), times.tolist(), strict=True):
        name = message.key() or b""
        if time_ns:
            counter.came(name, value)
        elif payload[4:8] == b"ep00" and decode_ep00(payload).event == "CONNECTED":
            counter.connected(name)
