"""A sender with its outbox, as the service runs it, and what came of its messages."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from forwarder.kafka.cluster import Cluster
from forwarder.kafka.sender import Sender
from forwarder.outbox import Lane, Outbox
from forwarder.settings.types import ClusterSettings, ProducerSettings
from tests.support.consume import Record
from tests.support.kafka import Broker

TIME_MS = int(time.time() * 1000) - 3_600_000
"""Of each key's first message. Recent: a broker that restarts has forgotten the sequence of a producer whose last
record is older than producer.id.expiration.ms, a day if not told otherwise, and by the time in the record."""
PATIENCE_S = 40.0
_PAUSE_S = 0.01


class Producing:
    """Appends numbered messages to lanes of one cluster while a sender runs."""

    def __init__(self, sender: Sender, outbox: Outbox) -> None:
        self.sender = sender
        self.outbox = outbox
        self._next: defaultdict[tuple[str, bytes], int] = defaultdict(int)

    def append(self, topic: str, keys: Iterable[str], count: int, size: int = 0) -> None:
        """So many messages for each key; their numbers go on from those before."""
        lane = self.lane(topic)
        names = [key.encode() for key in keys]
        for _ in range(count):
            for key in names:
                number = self._next[topic, key]
                self._next[topic, key] += 1
                lane.append((key, number.to_bytes(4, "little") + b"f142" + bytes(size), TIME_MS + number))

    def append_odd(self, topic: str, key: str, value: bytes, time_ms: int = TIME_MS) -> None:
        """One message that is not numbered."""
        self.lane(topic).append((key.encode(), value, time_ms))

    def lane(self, topic: str) -> Lane:
        return self.outbox.lane("", topic)

    async def acknowledged(self, *topics: str) -> None:
        """Wait until nothing of these topics, or of any, waits."""
        lanes = [self.lane(topic) for topic in topics] or list(self.outbox)
        drained = await self.sender.drained(asyncio.get_running_loop().time() + PATIENCE_S, lanes)
        assert drained, f"still waiting: {[(lane.topic, lane.waiting) for lane in lanes]}"


@asynccontextmanager
async def producing(
    address: str,
    *more_addresses: str,
    settings: ProducerSettings | None = None,
    create_topics: bool = False,
) -> AsyncIterator[Producing]:
    settings = settings or ProducerSettings()
    outbox = Outbox(settings.max_waiting_bytes)
    of_the_cluster = ClusterSettings((address, *more_addresses), create_topics=create_topics)
    cluster = Cluster(of_the_cluster, "test", settings.request_timeout_s)
    sender = Sender(cluster, "", outbox, settings)
    running = asyncio.create_task(sender.run())
    try:
        yield Producing(sender, outbox)
        assert not running.done(), "the sender still runs"
    finally:
        running.cancel()
        await asyncio.wait([running])
        await sender.close()


async def start_again(broker: Broker) -> None:
    """Start a broker that was stopped, while this loop goes on."""
    # Not as a whole in another thread: a child dies with the thread that started it.
    broker._child = broker._launch()
    await asyncio.to_thread(broker._wait_until_ready, broker.child)


async def until(predicate: Callable[[], object], what: str) -> None:
    """Wait for something that tasks of this loop bring about."""
    async with asyncio.timeout(PATIENCE_S):
        while not predicate():  # noqa: ASYNC110
            await asyncio.sleep(_PAUSE_S)
    assert predicate(), what


def numbers_by_key(records: Sequence[Record]) -> dict[str, list[int]]:
    """The numbers of each key's messages, in the order of the topic."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for record in records:
        assert record.key is not None
        assert record.value is not None
        numbers[record.key.decode()].append(int.from_bytes(record.value[:4], "little"))
    return dict(numbers)


def each_once_in_order(records: Sequence[Record], keys: Iterable[str], count: int) -> bool:
    """Whether each key has the messages 0 to count - 1, each once and in order, and no other key has any."""
    return numbers_by_key(records) == {key: list(range(count)) for key in keys}
