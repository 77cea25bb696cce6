"""One subject, one rate, one window."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from confluent_kafka import Consumer, KafkaError, KafkaException

from benchmarks.judge import Latency, Verdict, judge, latency
from benchmarks.measure import Window, window
from benchmarks.pvs import Pvs
from benchmarks.records import consumer, end_offset, read
from benchmarks.steady import wait_until_steady
from benchmarks.subjects import Subject
from tests.support.epics import EpicsServer
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

_STEADY_WITHIN_S = 30.0
_LATE_MS = 2_000.0
_NOT_YET = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
)
_NEARLY_ALL = 0.95
_TOLERANCE = 0.05
_FULL = 0.9


@dataclass(frozen=True, slots=True)
class Trial:
    """What was seen of one subject at one rate."""

    subject: str
    asked_per_s: int
    """Updates a second if the IOC keeps up."""
    steady: bool
    """Whether it was steady before the window opened."""
    window: Window
    verdict: Verdict | None
    """None, like the latency, of a subject that sends nothing to Kafka."""
    latency: Latency | None

    @property
    def of_the_forwarder(self) -> bool:
        return self.subject.partition(" ")[0] == "forwarder"

    @property
    def us_per_update(self) -> float:
        return self.window.us_per_record(self.subject)

    @property
    def comparable(self) -> bool:
        """Whether the window saw the rate itself: no stall, and no backlog sent in larger and so cheaper batches."""
        return self.steady and abs(self.window.records_per_s / self.asked_per_s - 1) <= _TOLERANCE

    @property
    def kept_up(self) -> bool:
        """Nothing lost, nothing waiting in an ever longer queue, and all there that the IOC could give."""
        if self.verdict is None or self.latency is None:
            return False
        all_there = self.window.records_per_s >= _NEARLY_ALL * self.asked_per_s or self.window.cores("ioc") >= _FULL
        return self.verdict.clean and all_there and self.latency.p99 < _LATE_MS


@contextmanager
def fresh_topic(broker: Broker) -> Iterator[str]:
    """A topic whose time stamps are the broker's own clock, gone afterwards."""
    name = f"data_{uuid.uuid4().hex[:8]}"
    broker.create_topic(name, message_timestamp_type="LogAppendTime")
    reader = consumer(broker.address)
    try:
        # It exists before its partition has a leader.
        wait_until(lambda: _is_led(reader, name), what=f"{name} has a leader")
    finally:
        reader.close()
    try:
        yield name
    finally:
        broker.delete_topic(name)


def _is_led(reader: Consumer, topic: str) -> bool:
    try:
        return end_offset(reader, topic) == 0
    except KafkaException as error:
        if error.args[0].code() not in _NOT_YET:
            raise
        return False


def run(subject: Subject, pvs: Pvs, ioc: EpicsServer, broker: Broker, *, seconds: float) -> Trial:
    """Watch it for so long from when it is steady, or, if it never is, from when that had to be given up."""
    with fresh_topic(broker) as topic:
        subject.start(pvs, topic)
        try:
            reader = consumer(broker.address)
            try:
                steady = wait_until_steady(
                    reader,
                    topic,
                    pvs.updates_per_s,
                    deadline_s=_STEADY_WITHIN_S,
                    still_alive=lambda: subject.child.exit_code is None,
                )
                pids = {subject.name: subject.child.pid, "ioc": ioc.pid, "kafka": broker.pid}
                seen = window(partial(end_offset, reader, topic), pids, seconds)
            finally:
                reader.close()
        except Exception as error:
            error.add_note(f"The log of {subject.name} ends:\n{subject.child.log_tail()}")
            raise
        finally:
            subject.stop()
        records = read(broker.address, topic)
    return Trial(
        subject.name,
        pvs.updates_per_s,
        steady,
        seen,
        judge(records, pvs.count, seen.first_offset),
        latency(records, seen.first_offset, seen.end_offset),
    )
