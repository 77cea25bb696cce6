"""One stream of a route: how its messages are made, and where they go."""

import logging

from .encode import SCHEMAS, Encoder
from .errors import CannotEncode
from .model import ChannelType, Stream
from .outbox import Lane

log = logging.getLogger(__name__)


class Output:
    """One stream of a route. What it refuses concerns no other."""

    __slots__ = ("_kind", "_refused_from", "_refused_values", "encoder", "lane", "refused", "schema", "stream")

    def __init__(self, stream: Stream, lane: Lane) -> None:
        self.stream = stream
        self.schema = SCHEMAS[stream.schema]
        self.lane = lane
        self.encoder: Encoder | None = None
        """None before the PV connects, and when its type has no place in the schema."""
        self.refused = ""
        """Why the PV's type, or its last value that was refused, can't be sent in this schema; empty when it can."""
        self._kind: ChannelType | None = None
        self._refused_values = 0
        self._refused_from: int | None = None
        """How many updates the route had received when the PV's type was found to have no place."""

    def adopt(self, kind: ChannelType, received: int) -> None:
        """Make the encoder for the type that the PV has now, after so many updates of its route.

        A PV that comes back as it was keeps its encoder, and with it the count of its messages.
        """
        if kind == self._kind:
            return
        self._kind = kind
        self._refused_values = self.refused_updates(received)
        self._refused_from = None
        refused, self.refused = self.refused, ""
        try:
            self.encoder = self.schema.encoder(self.stream.channel, kind)
        except CannotEncode as error:
            self.encoder = None
            self._refused_from = received
            self._say(str(error))
        else:
            if refused:
                log.info("%s can be forwarded to %s again", self.stream.channel, self.stream.topic)

    def refuse(self, error: Exception) -> None:
        """The encoder could not take a value."""
        self._refused_values += 1
        known = isinstance(error, CannotEncode)
        self._say(str(error) if known else f"{self.stream.channel}: {self.stream.schema} cannot say it: {error!r}")

    def refused_updates(self, received: int) -> int:
        """Updates that could not be sent in this schema, when the route has received so many in all."""
        return self._refused_values + (received - self._refused_from if self._refused_from is not None else 0)

    def _say(self, reason: str) -> None:
        if not self.refused:
            log.warning(
                "%s is not forwarded to %s, further updates are counted: %s",
                self.stream.channel,
                self.stream.topic,
                reason,
            )
        self.refused = reason
