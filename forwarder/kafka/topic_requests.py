"""What the leaders of one topic's partitions are asked, of which the answer is all or a reason why not."""

from typing import Any

from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.produce import ProduceRequest

from forwarder.errors import ForwarderError
from forwarder.pulse import Pulse
from forwarder.settings.types import TopicSettings

from .cluster import NO_ERROR, TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC, Cluster, words_of
from .producing import REASONS

REQUEST_TIMEOUT_S = 10.0
_FETCH_WAIT_MS = 500
_THROTTLED_S = 1.0
_ALL_REPLICAS = -1
_OFFSET_OUT_OF_RANGE = 1
_EARLIEST, _LATEST = -2, -1


class NotNow(ForwarderError):
    """The topic can't be used as things are; the message says why."""

    retry = True


class Missing(NotNow):
    """There is no such topic."""


class TopicRequests:
    """Asks for one topic. All raise KafkaAway when no broker answers, and NotNow when one answers with an error."""

    def __init__(self, settings: TopicSettings, client_id: str, pulse: Pulse) -> None:
        """`pulse` beats with every request, so that a cluster that is away is not taken for a service that is stuck."""
        self.cluster = Cluster(settings.cluster, client_id, REQUEST_TIMEOUT_S)
        self.partitions: list[int] = []
        """As `refresh` found them last."""
        self.pulse = pulse
        self._topic = settings.topic

    @property
    def slowest_s(self) -> float:
        """How long one request may go without an answer."""
        return self.cluster.slowest_s

    async def refresh(self) -> list[int]:
        """Find the partitions. Raises Missing when there is no such topic."""
        await self.cluster.refresh([self._topic], self.pulse.beat)
        error = self.cluster.problems.get(self._topic, NO_ERROR)
        if error == UNKNOWN_TOPIC:
            raise Missing(words_of(error, "read"))
        _check(error, "read")
        self.partitions = sorted(self.cluster.partitions[self._topic])
        if not self.partitions:
            raise NotNow("it has no partition")
        return self.partitions

    async def extents(self) -> dict[int, tuple[int, int]]:
        """First offset and end of each partition, after a refresh."""
        partitions = await self.refresh()
        return {each: (await self._offset(each, _EARLIEST), await self.end(each)) for each in partitions}

    async def end(self, partition: int) -> int:
        """The offset that the next message of a partition will have."""
        return await self._offset(partition, _LATEST)

    async def fetch(self, partition: int, offset: int, max_bytes: int) -> bytes:
        """Whole batches from the one of this offset on, one at least if there is any."""
        request = FetchRequest(_FETCH_WAIT_MS, 1, max_bytes, 0, [(self._topic, [(partition, offset, max_bytes)])])
        answer = await self._ask(partition, request)
        if answer[1] == _OFFSET_OUT_OF_RANGE:
            raise NotNow(f"it was cut at [{partition}]@{offset} while it was read")
        _check(answer[1], "read")
        return answer[-1] or b""

    async def check_readable(self, partition: int) -> None:
        """Raises NotNow for an account that may see the topic and not read it."""
        answer = await self._ask(partition, FetchRequest(0, 0, 1, 0, [(self._topic, [(partition, 0, 1)])]))
        if answer[1] == TOPIC_AUTHORIZATION_FAILED:
            _check(answer[1], "read")

    async def append(self, partition: int, batch: bytes) -> tuple[int, int]:
        """Kafka's error code, and the offset of the first record where that is none."""
        timeout_ms = int(REQUEST_TIMEOUT_S * 1000)
        request = ProduceRequest(None, _ALL_REPLICAS, timeout_ms, [(self._topic, [(partition, batch)])])
        answer = await self._ask(partition, request)
        return answer[1], answer[2]

    async def close(self) -> None:
        """Close all connections."""
        await self.cluster.close()

    async def _offset(self, partition: int, when: int) -> int:
        answer = await self._ask(partition, OffsetRequest(-1, 0, [(self._topic, [(partition, when)])]))
        _check(answer[1], "read")
        return answer[3]

    async def _ask(self, partition: int, request: Any) -> Any:
        """What the partition's leader answers for it."""
        while True:
            leader = self.cluster.leader(self._topic, partition)
            if leader is None:
                raise NotNow(f"partition {partition} has no leader")
            self.pulse.beat()
            response = await self.cluster.ask(leader, request)
            if response.topics:
                return response.topics[0][1][0]
            # So a broker answers whose quota is used up.
            await self.pulse.sleep(max(response.throttle_time_ms / 1000, _THROTTLED_S))


def reason(error: int, verb: str) -> str:
    """Why a topic could not be read or written to, for people."""
    return REASONS.get(error) or words_of(error, verb)


def _check(error: int, verb: str) -> None:
    if error != NO_ERROR:
        raise NotNow(reason(error, verb))
