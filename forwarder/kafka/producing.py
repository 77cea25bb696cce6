"""What it takes to produce to one partition exactly once: an identity, a sequence, and what error codes mean.

Numbers are Kafka's error codes (org.apache.kafka.common.protocol.Errors).
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from forwarder.flights import Flight, PartitionQueue
from forwarder.model import Message

_MAGIC = 2
_CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_SEQUENCE_MODULUS = 2**31
_NO_HEADERS: list[Any] = []


class Outcome(Enum):
    """What an error code means for the batch it was given for."""

    STORED = auto()
    REFUSED = auto()
    """It never will be stored as it is: one of its records is not acceptable."""
    ANOTHER_TIME = auto()
    """Nothing of the batch was stored, because the time of one of its records is not acceptable."""
    ANOTHER_IDENTITY = auto()
    """The broker does not know this producer's sequence any more; nothing of the batch was stored."""
    LATER = auto()
    """The same batch may be stored later."""


_OUTCOMES = {
    0: Outcome.STORED,
    46: Outcome.STORED,  # DUPLICATE_SEQUENCE_NUMBER: stored before, its acknowledgement was lost
    2: Outcome.REFUSED,  # CORRUPT_MESSAGE
    10: Outcome.REFUSED,  # MESSAGE_TOO_LARGE
    18: Outcome.REFUSED,  # RECORD_LIST_TOO_LARGE
    32: Outcome.ANOTHER_TIME,  # INVALID_TIMESTAMP
    87: Outcome.REFUSED,  # INVALID_RECORD
    45: Outcome.ANOTHER_IDENTITY,  # OUT_OF_ORDER_SEQUENCE_NUMBER
    47: Outcome.ANOTHER_IDENTITY,  # INVALID_PRODUCER_EPOCH
    59: Outcome.ANOTHER_IDENTITY,  # UNKNOWN_PRODUCER_ID
}

REASONS = {
    2: "broker found the record corrupt",
    10: "larger than the broker takes",
    18: "larger than the broker takes",
    32: "time not accepted by the broker",
    87: "not accepted by the broker",
}
"""Of what is refused, for people."""


def outcome(error_code: int) -> Outcome:
    """What to do about a batch that was answered with this error code."""
    return _OUTCOMES.get(error_code, Outcome.LATER)


@dataclass(frozen=True, slots=True)
class Identity:
    """A producer's identity, by which a broker knows a batch that it has stored already."""

    producer_id: int
    epoch: int


ANONYMOUS = Identity(-1, -1)
"""For clusters that give no identity: a batch whose acknowledgement is lost may be stored twice."""


class Partition:
    """One partition as its sender sees it: what is on the way, and when to try again."""

    __slots__ = ("batch", "busy", "failures", "flight", "identity", "queue", "retry_at", "sequence")

    def __init__(self, queue: PartitionQueue) -> None:
        self.queue = queue
        self.identity: Identity | None = None
        """Its own, so that trouble with one partition changes nothing for another."""
        self.sequence = 0
        """Of the next record."""
        self.flight: Flight | None = None
        """What is not acknowledged yet; kept, with the bytes, to be sent again exactly as it was."""
        self.batch: bytes | bytearray = b""
        self.busy = False
        """Whether an answer is awaited."""
        self.failures = 0
        """In a row."""
        self.retry_at = 0.0

    def prepare(self, max_bytes: int, compression: str) -> bool:
        """Build the next batch, unless one waits to be sent again; whether there is one to send."""
        if self.flight is not None:
            return True
        if not self.queue.chunks or self.identity is None:
            return False
        identity = self.identity
        base_sequence = -1 if identity is ANONYMOUS else self.sequence
        builder = DefaultRecordBatchBuilder(
            _MAGIC, _CODECS[compression], 0, identity.producer_id, identity.epoch, base_sequence, max_bytes
        )
        append = builder.append
        count = 0

        def fill(messages: list[Message]) -> int:
            nonlocal count
            before = count
            for offset, (key, value, time_ms) in enumerate(messages, before):
                if append(offset, time_ms, key, value, _NO_HEADERS) is None:
                    count = offset
                    return offset - before
            count += len(messages)
            return len(messages)

        flight = self.queue.take_off(fill)
        assert flight is not None
        try:
            self.batch = builder.build()
        except BaseException:
            flight.returned()
            raise
        self.flight = flight
        return True

    def stored(self) -> None:
        """The broker has the batch."""
        assert self.flight is not None
        self.sequence = (self.sequence + len(self.flight.messages)) % _SEQUENCE_MODULUS
        self.flight.acknowledged()
        self._done()

    def refused(self, reason: str) -> Message | None:
        """The broker will not take the batch; the record that was dropped for it, if it was just one."""
        assert self.flight is not None
        dropped = self.flight.refused(reason)
        self._done()
        return dropped

    def restamped(self, now_ms: int) -> bool:
        """Give its odd times the time of now, milliseconds since the Unix epoch; False when all have it."""
        assert self.flight is not None
        if not self.flight.restamped(now_ms):
            return False
        self._done()
        return True

    def forget_identity(self) -> None:
        """Send the same messages again, in a batch of another producer."""
        assert self.flight is not None
        self.flight.returned()
        self.identity = None
        self.sequence = 0
        self._done()

    def put_off(self, now: float) -> None:
        """Try again later, and later each time."""
        self.retry_at = now + min(0.1 * 2**self.failures, 2.0)
        self.failures = min(self.failures + 1, 10)

    def _done(self) -> None:
        self.flight = None
        self.batch = b""
        self.failures = 0
        self.retry_at = 0.0
