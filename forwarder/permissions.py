"""Which streams a configuration message may ask for."""

from collections.abc import Iterable

from .encode import SCHEMAS
from .errors import BadStream
from .model import Stream
from .settings.types import CommandSettings
from .streams import whole_match


class Permissions:
    """Refuses streams by name, so that who can write to a config topic can't have data sent just anywhere."""

    def __init__(self, settings: CommandSettings, own_topics: Iterable[tuple[str, str]] = ()) -> None:
        """`own_topics` are those that the service itself talks through: (cluster's name in the outbox, topic)."""
        self._schemas = settings.schemas
        self._topics = settings.topics
        self._tests = [whole_match(pattern) for pattern in settings.topics]
        self._own_topics = frozenset(own_topics)

    def check(self, stream: Stream) -> None:
        """Raises BadStream when it is not allowed; its broker is the cluster's name in the outbox."""
        if stream.schema not in SCHEMAS:
            raise BadStream(f"{stream.channel}: no schema {stream.schema!r}; there are {', '.join(sorted(SCHEMAS))}")
        if self._schemas and stream.schema not in self._schemas:
            raise BadStream(
                f"{stream.channel}: the schema {stream.schema} is not allowed; allowed are {', '.join(self._schemas)}"
            )
        if (stream.broker, stream.topic) in self._own_topics:
            raise BadStream(
                f"{stream.channel}: the topic {stream.topic} is one that the forwarder itself talks through"
            )
        if self._tests and not any(test(stream.topic) for test in self._tests):
            raise BadStream(
                f"{stream.channel}: the topic {stream.topic} is not allowed; allowed are {', '.join(self._topics)}"
            )
