"""One subject, one rate, one window."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.arrival import wait_for_all
from benchmarks.judge import Latency, Verdict, judge, latency
from benchmarks.measure import Window, window
from benchmarks.pvs import Pvs
from benchmarks.records import consumer, read
from benchmarks.subjects import Subject
from tests.support.epics import EpicsServer
from tests.support.kafka import Broker

_CONNECTED_WITHIN_S = 60.0
_LATE_MS = 2_000.0
_NEARLY_ALL = 0.95
_FULL = 0.9


@dataclass(frozen=True, slots=True)
class Trial:
    """What was seen of one subject at one rate."""

    subject: str
    asked_per_s: int
    """Updates a second if the IOC keeps up."""
    window: Window
    verdict: Verdict
    latency: Latency

    @property
    def us_per_update(self) -> float:
        return self.window.us_per_record(self.subject)

    @property
    def kept_up(self) -> bool:
        """Nothing lost, nothing waiting in an ever longer queue, and all there that the IOC could give."""
        all_there = self.window.records_per_s >= _NEARLY_ALL * self.asked_per_s or self.window.cores("ioc") >= _FULL
        return self.verdict.clean and all_there and self.latency.p99 < _LATE_MS


@contextmanager
def fresh_topic(broker: Broker) -> Iterator[str]:
    """A topic whose time stamps are the broker's own clock, gone afterwards."""
    name = f"data_{uuid.uuid4().hex[:8]}"
    broker.create_topic(name, message_timestamp_type="LogAppendTime")
    try:
        yield name
    finally:
        broker.delete_topic(name)


def run(
    subject: Subject, pvs: Pvs, ioc: EpicsServer, broker: Broker, *, seconds: float, settle_s: float = 2.0
) -> Trial:
    """`settle_s` lets what piled up while the PVs connected be sent before the window opens."""
    with fresh_topic(broker) as topic:
        subject.start(pvs, topic)
        try:
            wait_for_all(
                broker.address,
                topic,
                pvs.count,
                deadline_s=_CONNECTED_WITHIN_S,
                still_alive=lambda: subject.child.exit_code is None,
            )
            reader = consumer(broker.address, topic)
            try:
                window(reader, topic, {}, settle_s)
                pids = {subject.name: subject.child.pid, "ioc": ioc.pid, "kafka": broker.pid}
                seen = window(reader, topic, pids, seconds)
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
        seen,
        judge(records),
        latency(records, seen.first_offset, seen.end_offset),
    )
