"""A Kafka broker inside this process: the mock cluster of librdkafka, which speaks the real protocol over TCP.

It keeps everything in memory, five megabytes a partition, and forgets it all when it stops. A topic is there as soon
as somebody asks for it. Of times it knows nothing: whoever wants to read from one on begins at the end.
"""

from types import TracebackType
from typing import Self

from confluent_kafka.admin import AdminClient

_ANSWER_WITHIN_S = 10.0
_LOG_WARNINGS = 4  # syslog level: librdkafka tells of every mock cluster at 5


class EmbeddedBroker:
    """Serves from creation to `stop`."""

    def __init__(self) -> None:
        # The cluster lives exactly as long as the client that asked for it.
        self._client: AdminClient | None = AdminClient({"test.mock.num.brokers": 1, "log_level": _LOG_WARNINGS})
        (broker,) = self._client.list_topics(timeout=_ANSWER_WITHIN_S).brokers.values()
        self.address = f"{broker.host}:{broker.port}"

    def create_topic(self, name: str) -> None:
        if self._client is None:
            raise RuntimeError("the broker has been stopped")
        self._client.list_topics(name, timeout=_ANSWER_WITHIN_S)

    def stop(self) -> None:
        self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
