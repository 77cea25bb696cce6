"""Waiting until a subject has connected to all its PVs and has sent what piled up meanwhile."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from confluent_kafka import Consumer, TopicPartition

from benchmarks.arrival import NotAllArrived
from benchmarks.measure import window
from benchmarks.records import decode, end_offset

_LOOK_S = 1.0
_ANSWER_WITHIN_S = 5.0
_LATE_MS = 200.0
_TOLERANCE = 0.03


def wait_until_steady(
    reader: Consumer, topic: str, asked_per_s: int, *, deadline_s: float, still_alive: Callable[[], bool]
) -> bool:
    """Whether all updates came for a second, and came at once. False if it was never so by the deadline.

    More updates than asked for are a backlog on its way out: they go in larger batches, and cost less than they will.

    It looks at the count and at the newest record only: to read all records would take a core away from those who are
    being measured. Raises NotAllArrived if nothing came at all.
    """
    give_up = time.monotonic() + deadline_s
    while True:
        seen = window(partial(end_offset, reader, topic), {}, _LOOK_S)
        all_and_no_more = abs(seen.records_per_s / asked_per_s - 1) <= _TOLERANCE
        if all_and_no_more and _newest_late_ms(reader, topic) < _LATE_MS:
            return True
        if not still_alive():
            raise NotAllArrived(f"it ended after {seen.end_offset} records")
        if time.monotonic() > give_up:
            if seen.records == 0:
                raise NotAllArrived(f"no record in the last of {deadline_s:g} s")
            return False


def _newest_late_ms(reader: Consumer, topic: str) -> float:
    """How long the newest record took from EPICS to the broker."""
    reader.assign([TopicPartition(topic, 0, end_offset(reader, topic) - 1)])
    message = reader.poll(_ANSWER_WITHIN_S)
    reader.unassign()
    if message is None or message.error() is not None:
        raise NotAllArrived(f"the newest record can't be read: {message and message.error()}")
    _, time_ns = decode(np.frombuffer(message.value(), np.uint8)[None, :])
    return message.timestamp()[1] - int(time_ns[0]) / 1e6
