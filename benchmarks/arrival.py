"""Waiting until every PV has its first value in Kafka."""

import time
from collections.abc import Callable

from confluent_kafka import KafkaException

from benchmarks.records import from_beginning

_CHUNK = 20_000
_POLL_S = 0.1
_SCHEMAS = (b"f142", b"f144")


class NotAllArrived(TimeoutError):
    """Some PVs had no value by the deadline, or the one who sends them has ended before."""


def wait_for_all(address: str, topic: str, count: int, *, deadline_s: float, still_alive: Callable[[], bool]) -> int:
    """When the broker took the first value of the last of `count` PVs, in milliseconds since 1970.

    Raises NotAllArrived at the deadline, or at once when the one who sends them has ended.
    """
    give_up = time.monotonic() + deadline_s
    seen: set[bytes] = set()
    reader = from_beginning(address, topic)
    try:
        while True:
            for message in reader.consume(_CHUNK, _POLL_S):
                if message.error() is not None:
                    raise KafkaException(message.error())
                if message.value()[4:8] not in _SCHEMAS:
                    continue
                seen.add(message.key())
                if len(seen) == count:
                    return message.timestamp()[1]
            if not still_alive():
                raise NotAllArrived(f"it ended when {len(seen)} of {count} PVs had a value")
            if time.monotonic() > give_up:
                raise NotAllArrived(f"only {len(seen)} of {count} PVs had a value within {deadline_s:g} s")
    finally:
        reader.close()
