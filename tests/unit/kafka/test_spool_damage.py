"""The files of a spool are damaged while messages go there, or come back: what is lost is counted, and is no more."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from forwarder.kafka import spool_worker
from forwarder.kafka.spool import Spool
from forwarder.outbox import Outbox
from forwarder.settings.types import SpoolSettings
from forwarder.spooling import Spooling
from tests.support.spool_damage import DAMAGES
from tests.unit.kafka.test_spool_rig import DEADLINE_S

PVS = 50
VALUE_BYTES = 1000
A_SECOND = 2000
"""Messages."""
BEFORE_S = 10
"""More than SQLite keeps in memory, and more than its log takes."""
AFTER_S = 4


def partition_of(key: bytes, count: int) -> int:
    return 0


class Outage:
    """Messages with numbers, that a topic does not take, or takes again."""

    def __init__(self, spool: Spool) -> None:
        self.outbox = Outbox(10**9)
        self.lane = self.outbox.lane("", "topic")
        self.spooling = Spooling(self.outbox, spool, SpoolSettings(), partition_of)
        self.now = 0.0
        self.appended = 0
        self.sent: list[tuple[bytes, int]] = []

    async def a_second(self) -> None:
        for _ in range(A_SECOND):
            number = self.appended
            self.lane.append((b"PV:%d" % (number % PVS), b"\0\0\0\0f142" + bytes(VALUE_BYTES), number))
            self.appended += 1
        self.lane.collect(partition_of, self.now)
        self.now += 1.0
        self.spooling.look(self.now)
        await asyncio.sleep(0)

    async def settled(self) -> None:
        """Wait until the disk has done what it was told."""
        async with asyncio.timeout(DEADLINE_S):
            while self.spooling.pending:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def send(self, until: int) -> None:
        """Send, as the topic takes it, until so many at most wait."""
        if not self.lane.partitions:
            self.lane.place_on(1, partition_of)
        (queue,) = self.lane.partitions
        async with asyncio.timeout(DEADLINE_S):
            while self.lane.waiting > until:
                flight = queue.take_off(len)
                if flight is not None:
                    self.sent += [(key, number) for key, _, number in flight.messages]
                    flight.acknowledged()
                self.now += 0.019
                self.spooling.look(self.now)
                await asyncio.sleep(0.001)


@pytest.mark.parametrize("when", ["while it is written", "while it is read"])
@pytest.mark.parametrize("name", [name for name in DAMAGES if "not to be" not in name])
def test_what_is_lost_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, when: str) -> None:
    monkeypatch.setattr(spool_worker, "_RETRY_S", 0.02)
    monkeypatch.setattr("forwarder.spooling._TRY_AGAIN_S", 0.05)

    async def main() -> None:
        spool = Spool(tmp_path)
        assert await spool.open() == []
        outage = Outage(spool)
        for _ in range(BEFORE_S):
            await outage.a_second()
        await outage.settled()
        if when == "while it is read":
            await outage.send(until=outage.appended - A_SECOND)
        on_disk = outage.lane.on_disk
        assert on_disk >= (BEFORE_S - 2) * A_SECOND
        before = outage.appended
        DAMAGES[name](tmp_path)
        for _ in range(AFTER_S):
            await outage.a_second()
        await outage.send(until=0)
        outage.spooling.look(outage.now)
        await outage.settled()
        dropped = outage.lane.dropped
        assert outage.appended == len(set(outage.sent)) + dropped.total() == len(outage.sent) + dropped.total()
        assert set(dropped) <= {"spool damaged"}
        for key in {key for key, _ in outage.sent}:
            assert all(a < b for a, b in pairwise(number for of, number in outage.sent if of == key))
        # What is being deleted just now may fill the gap before anybody looks.
        if name == "removed" or (name in ("emptied", "truncated") and when == "while it is written"):
            assert dropped.total() > on_disk / 2
            assert outage.sent[-AFTER_S * A_SECOND :] == [
                (b"PV:%d" % (number % PVS), number) for number in range(before, outage.appended)
            ], "what came after it is all there"
        assert outage.spooling.bytes == 0
        # And it works as before.
        for _ in range(2):
            await outage.a_second()
        await outage.settled()
        assert outage.lane.on_disk
        await outage.send(until=0)
        assert outage.lane.dropped == dropped
        assert not spool.problem
        assert await spool.close(DEADLINE_S)

    asyncio.run(main())
