"""What is wrong with the service and with Kafka, in words for somebody who has never seen the code."""

from collections import Counter
from collections.abc import Iterator

from .kafka.sender import Sender
from .measuring import Measurable
from .model import Transport
from .observe.measured import Condition
from .observe.web.facts import Level, Trouble
from .reporting import Facts


def troubles(facts: Measurable) -> list[Trouble]:
    """All of it, in no order."""
    return [
        *_of_kafka(facts),
        *_of_commands(facts),
        *_of_the_service(facts.condition(), facts.settings.spool.directory is not None),
        *_of_streams(facts),
    ]


def _of_kafka(facts: Facts) -> Iterator[Trouble]:
    for label, sender in facts.senders.items():
        faults = sender.faults()
        for fault in faults:
            yield Trouble(Level.ERROR, fault.what, fault.reason, fault.lasts_s, link="topics")
        if not faults:
            yield from _of_topics(facts, label, sender)
        if refused := sender.refused_pvs:
            name, reason = next(reversed(refused.items()))
            yield Trouble(
                Level.NOTE,
                "Kafka has refused messages",
                f"The last was of {name}, for {reason}.",
                link="pvs?dropped=any&sort=dropped&order=desc",
            )


def _of_topics(facts: Facts, label: str, sender: Sender) -> Iterator[Trouble]:
    for topic, reason in sender.problems().items():
        lane = facts.outbox.lane(label, topic)
        # A new topic is asked for within a moment: until something waits there is nothing to tell.
        if lane.waiting or lane.partitions:
            yield Trouble(Level.ERROR, f"topic {topic}: {reason}", f"{lane.waiting} messages wait.", link="topics")


def _of_commands(facts: Facts) -> Iterator[Trouble]:
    for reader in facts.readers:
        if not reader.reading.is_set():
            detail = reader.problem or "It is not being read yet."
            yield Trouble(Level.ERROR, f"commands on {reader.name} are not read", detail, link="commands")
    counts = facts.control.counts
    refused = counts.refused.total()
    if refused or counts.refused_streams:
        yield Trouble(
            Level.NOTE,
            f"refused since the start: {_count(refused, 'command')}, {_count(counts.refused_streams, 'stream')}",
            f"The last: {counts.last_refusal}",
            link="commands",
        )


def _of_streams(facts: Facts) -> Iterator[Trouble]:
    control = facts.control
    if unserved := len(control.unserved):
        yield Trouble(
            Level.WARNING,
            f"not served: {_count(unserved, 'stream')} of an earlier run",
            "The settings do not allow them now; they are kept until a command removes them.",
        )
    if not len(control.table):
        yield Trouble(Level.NOTE, "nothing is forwarded", "No command has asked for streams.", link="commands")
    counted = facts.clients[Transport.PVA].counts()
    if merged := counted.get("merged_updates", 0):
        yield Trouble(
            Level.WARNING,
            f"left out over pvAccess since the start: {_count(merged, 'update')}",
            "They came faster than they were taken for too long; newer ones of the same PVs were sent.",
            link="pvs?protocol=pva&sort=rate&order=desc",
        )
    if full := counted.get("full_queues", 0):
        yield Trouble(
            Level.NOTE,
            f"queues of pvAccess were full {full} times since the start",
            "Updates came faster than they were taken, and some were replaced by newer ones.",
        )


def _of_the_service(condition: Condition, has_spool: bool) -> Iterator[Trouble]:
    if condition.stuck:
        yield Trouble(Level.ERROR, f"stuck: {', '.join(condition.stuck)}", "These parts of the service do not get on.")
    if condition.overloaded:
        yield Trouble(
            Level.ERROR,
            "the forwarder is overloaded",
            f"It uses {condition.busy:.0%} of a core; updates wait with their IOCs, which merge them then.",
            link="pvs?sort=rate&order=desc",
        )
    if not has_spool:
        yield Trouble(Level.NOTE, "there is no spool", "What Kafka does not take waits in memory, and a kill loses it.")
    elif condition.spool_problem:
        yield Trouble(Level.ERROR, "the disk does not take what waits for Kafka", condition.spool_problem)
    if condition.spool_bytes:
        yield Trouble(
            Level.WARNING,
            "what waits for Kafka goes to disk",
            f"{_size(condition.spool_bytes)} are there; all is sent in order when Kafka takes it.",
            link="topics",
        )
    if condition.storage_problem is None:
        detail = "There is no storage topic: the next start begins without streams."
        yield Trouble(Level.NOTE, "the streams are not stored", detail)
    elif condition.storage_problem:
        yield Trouble(Level.WARNING, "the streams are not stored for the next start", condition.storage_problem)
    if deaths := +Counter(condition.deaths):
        parts = ", ".join(f"{name} ({count})" for name, count in deaths.items())
        yield Trouble(Level.WARNING, "parts of the service died and were started again", f"{parts}. The log says why.")


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.1f} kB"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
