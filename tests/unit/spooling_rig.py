"""What tests of spooling have in common: a disk in memory, and an outbox with one topic in front of it."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from forwarder.flights import Flight
from forwarder.model import Message
from forwarder.outbox import Outbox
from forwarder.settings.types import SpoolSettings
from forwarder.spooling import Spooling

KEYS = tuple(f"PV{number}".encode() for number in range(5))
AFTER_S = 1.0


def partition_of(key: bytes, count: int) -> int:
    return key[-1] % count


def message(number: int, key: bytes = b"PV0", size: int = 0) -> Message:
    return key, b"\0\0\0\0f142" + number.to_bytes(4, "little") + bytes(size), number


class MemoryDisk:
    """Does what it is asked for when it is told to, in order; once a write fails, all that are asked for already do."""

    def __init__(self) -> None:
        self.rows: dict[int, list[Message]] = {}
        self.topics: dict[int, str] = {}
        """Of all rows that ever were there."""
        self.jobs: deque[tuple[str, Callable[[bool], None]]] = deque()
        self.readable = True
        self.answers = True

    def write(
        self, identifier: int, broker: str, topic: str, messages: list[Message], done: Callable[[bool], None]
    ) -> None:
        copy = list(messages)

        def finish(works: bool) -> None:
            if works:
                self.rows[identifier] = copy
                self.topics[identifier] = topic
            done(works)

        self.jobs.append(("write", finish))

    def read(self, identifier: int, got: Callable[[list[Message] | None], None], failed: Callable[[], None]) -> None:
        self.jobs.append(("read", lambda _: got(self.rows[identifier]) if self.readable else failed()))

    def delete(self, identifiers: Iterable[int]) -> None:
        for identifier in list(identifiers):
            self.jobs.append(("delete", lambda _, identifier=identifier: self.rows.pop(identifier, None) and None))

    def work(self, works: bool = True) -> None:
        """Do the oldest job; all the writes that wait fail with one that does."""
        if not self.jobs:
            return
        kind, finish = self.jobs.popleft()
        finish(works)
        if kind == "write" and not works:
            others = [job for job in self.jobs if job[0] != "write"]
            writes = [job for job in self.jobs if job[0] == "write"]
            self.jobs.clear()
            for _, each in writes:
                each(False)
            self.jobs += others

    def work_all(self) -> None:
        while self.jobs:
            self.work()


class Left(NamedTuple):
    """A row of an earlier run."""

    identifier: int
    count: int
    broker: str = ""
    topic: str = "topic"
    size: int = 100


def left(disk: MemoryDisk) -> list[Left]:
    return [Left(identifier, len(messages)) for identifier, messages in sorted(disk.rows.items())]


class Bench:
    def __init__(self, partitions: int = 1, max_bytes: int = 10**9, memory: int = 10**9) -> None:
        self.disk = MemoryDisk()
        self.outbox = Outbox(memory)
        self.spooling = Spooling(self.outbox, self.disk, SpoolSettings(None, max_bytes, AFTER_S), partition_of)
        self.lane = self.outbox.lane("", "topic")
        if partitions:
            self.lane.place_on(partitions, partition_of)
        self.now = 0.0
        self.next = 0

    def append(self, count: int, size: int = 0) -> None:
        for _ in range(count):
            self.lane.append(message(self.next, size=size))
            self.next += 1
        self.lane.collect(partition_of, self.now)

    def later(self, seconds: float = AFTER_S) -> None:
        self.now += seconds
        self.spooling.look(self.now)

    def flight(self) -> Flight | None:
        return self.lane.partitions[0].take_off(len)

    def drain(self) -> list[int]:
        """What is sent until nothing waits, while the disk works."""
        sent: list[int] = []
        while self.lane.waiting:
            flight = self.lane.partitions[0].in_flight or self.flight()
            if flight is not None:
                sent += [number for _, _, number in flight.messages]
                flight.acknowledged()
            self.spooling.look(self.now)
            self.disk.work_all()
        self.spooling.look(self.now)
        self.disk.work_all()
        return sent
