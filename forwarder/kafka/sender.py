"""Sends what waits in the outbox for one cluster: in order, once, all due partitions of a broker in one request."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any, Protocol

from aiokafka.protocol.transaction import InitProducerIdRequest

from forwarder.errors import KafkaAway
from forwarder.faults import RepeatingFault
from forwarder.flights import Account, Flight, PartitionQueue
from forwarder.forever import forever
from forwarder.outbox import Lane, Outbox
from forwarder.pulse import Pulse, Watched
from forwarder.settings.types import ProducerSettings

from .cluster import NO_ERROR, TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC, Cluster, words_of
from .partitions import partition_of
from .produce_request import FlatProduceRequest
from .producing import ANONYMOUS, REASONS, Identity, Outcome, Partition, outcome

log = logging.getLogger(__name__)

NOT_KNOWN_YET = "not known yet"
"""What is wrong with a topic that the cluster has not been asked for yet."""

_ALL_REPLICAS = -1
_REFRESH_S = 60.0
"""How often a cluster is asked for its topics when all is well: finds partitions that were added."""
_REFRESH_MISSING_S = 2.0
_REFRESH_SOON_S = 0.1
_SETTLED_AFTER_S = 10.0
"""How long what is on its way may hold up a topic whose number of partitions has changed."""
_QUIET_S = 60.0
"""How long messages must not have been refused until that is over."""
_AWAY_S = (0.25, 5.0)
"""First and longest wait for a cluster that is away."""
_ROOM_AGAIN = 0.75
"""Part of the memory below which it counts as not full any more."""
_SHORTEST_LINGER_S = 0.001
"""Without any pause the loop would do nothing but look for messages."""
_MAX_REQUEST_BYTES = 32 * 1024 * 1024
"""A broker closes the connection on a request of more than socket.request.max.bytes, 100 MiB if not told otherwise."""
_CLUSTER_AUTHORIZATION_FAILED = 31
_SHOWN_REFUSALS = 20


class Watcher(Protocol):
    """Who wants to know how long messages take. It hears of many at a time: nothing is asked about a single one."""

    def came(self, first_ms: int, last_ms: int, count: int) -> None:
        """So many messages came since the last tick; Kafka's times of the first and the last."""
        ...

    def delivered(self, after_s: float, count: int) -> None:
        """So many messages are acknowledged, so long after the first of them came."""
        ...


class Sender:
    """The one that sends to a cluster."""

    def __init__(
        self,
        cluster: Cluster,
        broker: str,
        outbox: Outbox,
        settings: ProducerSettings,
        tick: Callable[[], Awaitable[None]] | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        """`broker` is the name of the cluster's lanes in the outbox; `tick` waits until it is time to send."""
        self._tick_comes = tick or self._linger
        self.beats = 0
        """How often it looked for something to send: goes up as long as it is not stuck."""
        self._metadata_pulse = Pulse()
        self.refused_pvs: dict[str, str] = {}
        """PVs of which a message was refused for good, and why; the newest last."""
        self.requests = 0
        """Produce requests sent."""
        self.requests_failed = 0
        """Those of them that were not answered."""
        self.identities = 0
        """Producer identities taken: one for each partition, and another when the broker has forgotten one."""
        self._watcher = watcher
        self._cluster = cluster
        self._broker = broker
        self._outbox = outbox
        self._settings = settings
        self._partitions: dict[PartitionQueue, Partition] = {}
        self._settling: dict[Account, float] = {}
        """Topics whose number of partitions has changed, and since when: nothing new is sent until all has landed."""
        self._gone: dict[Account, int] = {}
        """Topics that the broker does not know, and in which round of metadata that was last seen.

        Nothing is sent to them until a later round knows them: they were made again then, perhaps in another way.
        """
        self._round = 0
        self._requests: set[asyncio.Task[None]] = set()
        self._stale = asyncio.Event()
        self._progress = asyncio.Event()
        self._known_topics: set[str] = set()
        self._away = RepeatingFault(log, f"Kafka at {cluster.name} is away", time.monotonic)
        self._full = RepeatingFault(log, "the memory for waiting messages is full", time.monotonic, logging.ERROR)
        self._anonymous = RepeatingFault(log, f"{cluster.name} gives no producer identity", time.monotonic)
        self._failed = RepeatingFault(log, f"a request to {cluster.name} has failed", time.monotonic, logging.ERROR)
        self._broker_faults: dict[int, RepeatingFault] = {}
        self._topic_faults: dict[str, RepeatingFault] = {}
        self._denied: set[str] = set()
        """Topics that the account may see and not write to, which shows only in the answer to a message."""
        self._partition_faults: dict[PartitionQueue, RepeatingFault] = {}
        self._refusals: dict[PartitionQueue, RepeatingFault] = {}
        self._restamps: dict[PartitionQueue, RepeatingFault] = {}
        """A batch that is stored ends neither of them: it doesn't mean that the PV's next value will be."""

    def watched(self, name: str) -> tuple[Watched, ...]:
        """Its two loops."""
        metadata = self._metadata_pulse.watched(f"{name}, metadata", self._cluster.slowest_s)
        return Watched(name, lambda: self.beats), metadata

    async def run(self) -> None:
        """Send whatever comes until cancelled."""
        await forever(
            {
                f"metadata of {self._cluster.name}": self._keep_metadata(),
                f"sending to {self._cluster.name}": self._keep_sending(),
            }
        )

    async def drained(self, deadline: float, lanes: Iterable[Lane]) -> bool:
        """Wait, while `run` runs, until nothing waits in these lanes, those of other clusters left out.

        False when that is not so at a time of the event loop.
        """
        mine = [lane for lane in lanes if lane.broker == self._broker]
        try:
            async with asyncio.timeout_at(deadline):
                while any(lane.waiting for lane in mine):
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            return False
        return True

    def problems(self) -> dict[str, str]:
        """Topics that can't be sent to, and why."""
        return {
            lane.topic: self._problem(lane.topic)
            for lane in self._outbox.lanes(self._broker)
            if not lane.partitions or self._in_trouble(lane.topic)
        }

    def problem(self, lane: Lane) -> str:
        """Why messages of one of its lanes do not get to Kafka now; empty where nothing is known of."""
        if self._away.count:
            return _said(self._away)
        if not lane.partitions or self._in_trouble(lane.topic):
            return self._problem(lane.topic)
        faults = [self._partition_faults.get(queue) for queue in lane.partitions]
        leaders = {self._cluster.leader(lane.topic, queue.partition) for queue in lane.partitions}
        faults += [self._broker_faults.get(leader) for leader in leaders if leader is not None]
        return next((_said(fault) for fault in faults if fault is not None and fault.count), "")

    @property
    def connections_opened(self) -> int:
        """Connections to brokers of its cluster, since the start: more than there are brokers when some were lost."""
        return self._cluster.connections_opened

    def faults(self) -> list[RepeatingFault]:
        """What is wrong now with the cluster as a whole, the worst first; topics have `problems`."""
        brokers = [fault for broker, fault in self._broker_faults.items() if self._cluster.knows(broker)]
        if self._away.count:
            # It says the same of all of them.
            brokers.clear()
        faults = [self._away, self._full, *brokers, *self._partition_faults.values()]
        return [fault for fault in faults if fault.count]

    async def close(self) -> None:
        """End what is on the way; its messages stay in the outbox."""
        for task in self._requests:
            task.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)
        await self._cluster.close()

    async def _keep_sending(self) -> None:
        while True:
            await self._tick_comes()
            self.beats += 1
            self._tick()

    async def _linger(self) -> None:
        await asyncio.sleep(max(self._settings.linger_s, _SHORTEST_LINGER_S))

    def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        for lane in self._outbox.lanes(self._broker):
            if self._watcher is not None and lane.incoming:
                self._watcher.came(lane.incoming[0][2], lane.incoming[-1][2], len(lane.incoming))
            lane.collect(partition_of, now)
            if lane.topic not in self._known_topics:
                self._stale.set()
        dropped = self._outbox.keep_within_bound()
        if dropped:
            self._progress.set()
            self._full.occurred("the oldest messages are dropped and counted")
        elif self._full.count and self._outbox.waiting_bytes < _ROOM_AGAIN * self._settings.max_waiting_bytes:
            self._full.over()
        self._launch(now)

    def _launch(self, now: float) -> None:
        by_broker: defaultdict[int, list[Partition]] = defaultdict(list)
        for lane in self._outbox.lanes(self._broker):
            if lane in self._gone:
                continue
            settling = lane in self._settling
            for queue in lane.partitions:
                if queue.in_flight is None and (settling or not queue.chunks):
                    continue
                partition = self._partitions.get(queue)
                if partition is None:
                    partition = self._partitions[queue] = Partition(queue)
                if partition.busy or partition.retry_at > now:
                    continue
                leader = self._cluster.leader(lane.topic, queue.partition)
                if leader is None:
                    self._stale.set()
                elif partition.identity is None:
                    partition.busy = True
                    self._start(self._identify(partition))
                elif partition.prepare(self._settings.max_batch_bytes, self._settings.compression):
                    partition.busy = True
                    by_broker[leader].append(partition)
        for broker, partitions in by_broker.items():
            for together in _requests(partitions):
                self._start(self._send(broker, together))

    def _start(self, request: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(request)
        self._requests.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, request: asyncio.Task[None]) -> None:
        self._requests.discard(request)
        if not request.cancelled() and (error := request.exception()):
            # Its batches are put off already: no fault of one answer may cost data.
            self._failed.occurred(repr(error))

    async def _identify(self, partition: Partition) -> None:
        """Get the partition an identity from whichever broker gives one."""
        now = asyncio.get_running_loop().time
        try:
            response = await self._cluster.ask_any(InitProducerIdRequest(None, 0))  # pyright: ignore[reportArgumentType]
            if response.error_code == _CLUSTER_AUTHORIZATION_FAILED:
                self._anonymous.occurred("after a fault, messages may arrive twice")
                partition.identity = ANONYMOUS
            elif response.error_code == NO_ERROR:
                partition.identity = Identity(response.producer_id, response.producer_epoch)
                self.identities += 1
        except KafkaAway as error:
            self._away.occurred(error)
        finally:
            partition.busy = False
            if partition.identity is None:
                partition.put_off(now())
        self._launch(now())

    async def _send(self, broker: int, partitions: list[Partition]) -> None:
        loop = asyncio.get_running_loop()
        topics: defaultdict[str, list[tuple[int, bytes | bytearray]]] = defaultdict(list)
        by_name: dict[tuple[str, int], Partition] = {}
        for partition in partitions:
            queue = partition.queue
            topics[queue.lane.topic].append((queue.partition, partition.batch))
            by_name[queue.lane.topic, queue.partition] = partition
        timeout_ms = int(self._settings.request_timeout_s * 1000)
        request = FlatProduceRequest(_ALL_REPLICAS, timeout_ms, list(topics.items()))
        self.requests += 1
        try:
            response = await self._cluster.ask(broker, request)
            for topic, answers in response.topics:
                for number, error_code, *_ in answers:
                    self._answered(by_name.pop((topic, number)), error_code, loop.time())
            self._fault_of(broker).over()
        except KafkaAway as error:
            self.requests_failed += 1
            # Told for itself: the cluster is not away while another broker answers.
            self._fault_of(broker).occurred(error)
            self._stale.set()
        finally:
            for partition in partitions:
                partition.busy = False
            for unanswered in by_name.values():
                unanswered.put_off(loop.time())
        self._launch(loop.time())

    def _answered(self, partition: Partition, error_code: int, now: float) -> None:
        queue = partition.queue
        match outcome(error_code):
            case Outcome.STORED:
                self._watch(partition.flight, now)
                partition.stored()
                self._progress.set()
                if queue.lane in self._settling:
                    self._stale.set()
                self._denied.discard(queue.lane.topic)
                if queue in self._partition_faults:
                    self._partition_faults[queue].over()
            case Outcome.ANOTHER_TIME if partition.restamped(time.time_ns() // 1_000_000):
                self._fault(queue, self._restamps).occurred("a time is not accepted, Kafka is told the time of now")
            case Outcome.ANOTHER_TIME | Outcome.REFUSED:
                reason = REASONS[error_code]
                dropped = partition.refused(reason)
                self._progress.set()
                if dropped is not None:
                    name = dropped[0].decode("utf-8", "replace")
                    # The newest ones, as many as somebody wants to read.
                    self.refused_pvs.pop(name, None)
                    self.refused_pvs[name] = f"{queue.lane.topic}: {reason}"
                    if len(self.refused_pvs) > _SHOWN_REFUSALS:
                        del self.refused_pvs[next(iter(self.refused_pvs))]
                    self._fault(queue, self._refusals).occurred(f"dropped a message of {name}: {reason}")
            case Outcome.ANOTHER_IDENTITY:
                partition.forget_identity()
            case Outcome.LATER if error_code == TOPIC_AUTHORIZATION_FAILED:
                partition.put_off(now)
                self._denied.add(queue.lane.topic)
                self._stale.set()
            case Outcome.LATER:
                partition.put_off(now)
                self._stale.set()
                if error_code == UNKNOWN_TOPIC:
                    self._gone[queue.lane] = self._round
                if partition.failures > 3:
                    self._fault(queue, self._partition_faults).occurred(
                        f"the broker answers with the error {error_code}"
                    )

    def _watch(self, flight: Flight | None, now: float) -> None:
        """A flight has arrived: tell how long that took."""
        if self._watcher is not None and flight is not None and flight.came is not None:
            self._watcher.delivered(now - flight.came, len(flight.messages))

    def _fault_of(self, broker: int) -> RepeatingFault:
        fault = self._broker_faults.get(broker)
        if fault is None:
            what = f"broker {broker} of Kafka at {self._cluster.name} is away"
            fault = self._broker_faults[broker] = RepeatingFault(log, what, time.monotonic)
        return fault

    def _fault(self, queue: PartitionQueue, faults: dict[PartitionQueue, RepeatingFault]) -> RepeatingFault:
        fault = faults.get(queue)
        if fault is None:
            what = f"sending to partition {queue.partition} of {queue.lane.topic} at {self._cluster.name}"
            fault = faults[queue] = RepeatingFault(log, what, time.monotonic)
        return fault

    async def _keep_metadata(self) -> None:
        away_s = _AWAY_S[0]
        pulse = self._metadata_pulse
        while True:
            self._stale.clear()
            self._round += 1
            lanes = self._outbox.lanes(self._broker)
            topics = {lane.topic for lane in lanes}
            try:
                await self._cluster.refresh(topics, pulse.beat)
            except KafkaAway as error:
                self._away.occurred(error)
                await pulse.sleep(away_s)
                away_s = min(2 * away_s, _AWAY_S[1])
                continue
            self._away.over()
            away_s = _AWAY_S[0]
            for fault in (self._failed, *self._refusals.values(), *self._restamps.values()):
                fault.over_if_quiet(_QUIET_S)
            self._known_topics = topics
            missing = [lane for lane in lanes if not self._place(lane)]
            await pulse.sleep(_REFRESH_SOON_S)
            await pulse.wait(self._stale, _REFRESH_MISSING_S if missing else _REFRESH_S)

    def _place(self, lane: Lane) -> bool:
        """Tell a lane its partitions; whether its topic can be used."""
        partitions = self._cluster.partitions.get(lane.topic)
        fault = self._topic_faults.get(lane.topic)
        if self._in_trouble(lane.topic):
            if fault is None:
                what = f"topic {lane.topic} at {self._cluster.name}"
                fault = self._topic_faults[lane.topic] = RepeatingFault(log, what, time.monotonic)
            fault.occurred(f"{self._problem(lane.topic)}; its messages wait")
        elif fault is not None:
            fault.over()
        if self._cluster.problems.get(lane.topic) == UNKNOWN_TOPIC:
            self._gone[lane] = self._round
        elif partitions and self._gone.get(lane, -1) < self._round:
            if lane.partitions and len(partitions) != len(lane.partitions) and not self._settled(lane, len(partitions)):
                return False
            self._settling.pop(lane, None)
            self._gone.pop(lane, None)
            lane.place_on(len(partitions), partition_of)
        return bool(partitions) and not self._in_trouble(lane.topic)

    def _settled(self, lane: Lane, count: int) -> bool:
        """Whether a topic may have another number of partitions now: nothing is on its way to it any more.

        A PV's partition may be another one then, and what comes later must not overtake what was on its way. But one
        partition without a leader does not hold the others for long.
        """
        now = asyncio.get_running_loop().time()
        since = self._settling.setdefault(lane, now)
        made_again = count < len(lane.partitions) or lane in self._gone
        for queue in lane.partitions if made_again else ():
            partition = self._partitions.get(queue)
            if partition is None:
                continue
            if partition.busy:
                return False
            if partition.flight is not None:
                # The topic that it was for is no more.
                partition.flight.returned()
            del self._partitions[queue]
            for faults in (self._partition_faults, self._refusals, self._restamps):
                if queue in faults:
                    faults.pop(queue).over()
        return now - since > _SETTLED_AFTER_S or not any(queue.in_flight for queue in lane.partitions)

    def _in_trouble(self, topic: str) -> bool:
        return topic in self._cluster.problems or topic in self._denied

    def _problem(self, topic: str) -> str:
        error = self._cluster.problems.get(topic, TOPIC_AUTHORIZATION_FAILED if topic in self._denied else None)
        if error is None:
            return NOT_KNOWN_YET
        return words_of(error, "written to")


def _said(fault: RepeatingFault) -> str:
    return f"{fault.what}: {fault.reason}"


def _requests(partitions: list[Partition]) -> Iterator[list[Partition]]:
    """As few requests as take all batches."""
    together: list[Partition] = []
    size = 0
    for partition in partitions:
        if together and size + len(partition.batch) > _MAX_REQUEST_BYTES:
            yield together
            together, size = [], 0
        together.append(partition)
        size += len(partition.batch)
    if together:
        yield together
