"""One Kafka cluster: a connection to each broker, and what the cluster says of its topics.

aiokafka provides the connections with their authentication, and the messages of the protocol. Its own client is not
used: it decides by itself what to retry, for how long, and what to give up.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from forwarder.errors import KafkaAway
from forwarder.settings.types import ClusterSettings

from .security import closed_at_once, connection_options, refusal, refusals

_OPEN_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 1.0
_IDLE_MS = 9 * 60 * 1000
"""Below the 10 minutes after which a broker closes a connection by itself."""

NO_ERROR = 0
UNKNOWN_TOPIC = 3
TOPIC_AUTHORIZATION_FAILED = 29

_NO_LEADER = -1


class Cluster:
    """The brokers that answer for the topics of one cluster."""

    def __init__(self, settings: ClusterSettings, client_id: str, request_timeout_s: float) -> None:
        self.settings = settings
        self.partitions: dict[str, dict[int, int]] = {}
        """Of each topic that exists: partition -> broker that leads it."""
        self.problems: dict[str, int] = {}
        """Of each topic that can't be used: Kafka's error code."""
        self.connections_opened = 0
        """Since the start."""
        self._client_id = client_id
        self._request_timeout_s = request_timeout_s
        self._refusals = refusals(settings.security)
        self._brokers: dict[int, tuple[str, int]] = {}
        self._connections: dict[tuple[str, int], AIOKafkaConnection] = {}
        self._have_answered: set[tuple[str, int]] = set()
        self._opening: dict[tuple[str, int], asyncio.Lock] = {}

    @property
    def name(self) -> str:
        """The brokers that are asked first, as a text for people."""
        return ",".join(self.settings.brokers)

    @property
    def refused(self) -> bool:
        """Whether one of its brokers does not let this service in: no client should try all the time."""
        return any(self._refusals.standing(address) for address in self._addresses())

    def leader(self, topic: str, partition: int) -> int | None:
        """The broker to send a partition's messages to; None when there is none just now."""
        leader = self.partitions.get(topic, {}).get(partition, _NO_LEADER)
        return leader if leader in self._brokers else None

    def knows(self, broker: int) -> bool:
        """Whether this broker is one of the cluster, as far as it has said."""
        return broker in self._brokers

    @property
    def slowest_s(self) -> float:
        """How long one broker that does not answer is waited for."""
        return _OPEN_TIMEOUT_S + self._request_timeout_s

    async def refresh(self, topics: Iterable[str], trying: Callable[[], object] | None = None) -> None:
        """Ask for the partitions of topics. `trying` is called before each broker that is asked.

        Raises KafkaAway when no broker answers.
        """
        wanted = list(topics)
        response = await self.ask_any(MetadataRequest(wanted, self.settings.create_topics), trying)
        if not response.brokers:
            raise KafkaAway(f"{self.name}: the broker that answers knows of no broker")
        self._brokers = {broker[0]: (broker[1], broker[2]) for broker in response.brokers}
        for error, topic, _, partitions in response.topics:
            if error == NO_ERROR:
                self.partitions[topic] = {partition[1]: partition[2] for partition in partitions}
                self.problems.pop(topic, None)
            else:
                # What was known of a topic stays known: a broker that starts may not have heard of it yet.
                self.problems[topic] = error

    async def ask_any(self, request: Any, trying: Callable[[], object] | None = None) -> Any:
        """The answer of whichever broker gives one first. Raises KafkaAway when none does."""
        reasons: list[str] = []
        for address in self._addresses():
            if trying is not None:
                trying()
            try:
                return await self._ask(address, request)
            except KafkaAway as error:
                reasons.append(str(error))
        # In whatever order they were asked, the same reasons are the same text, which is told once.
        raise KafkaAway("; ".join(sorted(set(reasons))))

    async def ask(self, broker: int, request: Any) -> Any:
        """The answer of one broker. Raises KafkaAway when there is none in time."""
        address = self._brokers.get(broker)
        if address is None:
            raise KafkaAway(f"broker {broker} of {self.name} is not known any more")
        return await self._ask(address, request)

    async def close(self) -> None:
        """Close all connections."""
        closing = [closed for connection in self._connections.values() if (closed := connection.close())]
        self._connections.clear()
        if closing:
            await asyncio.wait(closing, timeout=_CLOSE_TIMEOUT_S)

    def _addresses(self) -> list[tuple[str, int]]:
        known = list(self._brokers.values())
        # An open connection answers soonest; the rest are asked in any order, so that no broker gets all.
        random.shuffle(known)
        known.sort(key=lambda address: address not in self._connections)
        return list(dict.fromkeys([*known, *map(split_address, self.settings.brokers)]))

    async def _ask(self, address: tuple[str, int], request: Any) -> Any:
        connection = None
        try:
            connection = await self._connection(address)
            answer = await connection.send(request)
        except (OSError, KafkaError, TimeoutError) as error:
            # A broker that is late is asked over a new connection: this one may be to a host that is gone.
            if connection is not None:
                connection.close()
                if self._connections.get(address) is connection:
                    del self._connections[address]
            raise _away(address, self._reason(address, error)) from error
        self._have_answered.add(address)
        return answer

    def _reason(self, address: tuple[str, int], error: Exception) -> str:
        security = self.settings.security
        if reason := refusal(error, security, address[0]):
            self._refusals.refused(address, reason)
            return reason
        if isinstance(error, (KafkaConnectionError, ConnectionResetError)) and address not in self._have_answered:
            return closed_at_once(security)
        return str(error) or type(error).__name__

    async def _connection(self, address: tuple[str, int]) -> AIOKafkaConnection:
        async with self._opening.setdefault(address, asyncio.Lock()):
            connection = self._connections.get(address)
            if connection is None or not connection.connected():
                if reason := self._refusals.standing(address):
                    raise _away(address, reason)
                connection = self._connections[address] = await self._open(address)
                self._refusals.accepted(address)
                self.connections_opened += 1
            return connection

    async def _open(self, address: tuple[str, int]) -> AIOKafkaConnection:
        options = connection_options(self.settings.security)
        try:
            async with asyncio.timeout(_OPEN_TIMEOUT_S):
                return await create_conn(
                    *address,
                    client_id=self._client_id,
                    request_timeout_ms=int(self._request_timeout_s * 1000),
                    max_idle_ms=_IDLE_MS,
                    **options,
                )
        except (AssertionError, KeyError, ValueError) as error:
            # So aiokafka takes an answer that a broker should not give.
            raise KafkaConnectionError(str(error)) from error


def _away(address: tuple[str, int], reason: str) -> KafkaAway:
    return KafkaAway(f"broker {address[0]}:{address[1]}: {reason}")


def words_of(error: int | None, verb: str) -> str:
    """Why a topic can't be used, for people: by Kafka's error code, and what was to be done with it."""
    if error == UNKNOWN_TOPIC:
        return "it does not exist"
    if error == TOPIC_AUTHORIZATION_FAILED:
        return f"it may not be {verb} with these credentials"
    return f"the broker answers with the error {error}"


def split_address(address: str) -> tuple[str, int]:
    """`host:port` in two; an IPv6 address is in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
