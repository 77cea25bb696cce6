"""The hot path: an update of a PV becomes one message in the lane of each of its streams.

A route is what the EPICS clients talk to: one for each PV and transport, shared by all its streams. Everything that
can be decided when a stream opens or the PV connects is decided there.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .encode import SCHEMAS, Encoder
from .encode.al00 import status_text
from .errors import BadStream, CannotEncode
from .model import ChannelType, ConnectionState, Stream, Transport, Value
from .outbox import Lane, Outbox
from .repeats import Repeats

log = logging.getLogger(__name__)

_NO_ALARM_YET = -1


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where the time comes from, so that tests can set it."""

    wall_ns: Callable[[], int]
    """Nanoseconds since the Unix epoch."""
    monotonic: Callable[[], float]
    """Seconds since any moment."""


class Output:
    """One stream of a route: how its messages are made, and where they go."""

    __slots__ = ("encoder", "lane", "refused", "stream")

    def __init__(self, stream: Stream, lane: Lane) -> None:
        self.stream = stream
        self.lane = lane
        self.encoder: Encoder | None = None
        """None while the PV is not connected, or when its type has no place in the schema."""
        self.refused = ""
        """Why the PV's type can't be sent in this schema; empty when it can."""

    def adopt(self, kind: ChannelType) -> None:
        """Make the encoder for the type that the PV has now."""
        try:
            self.encoder = SCHEMAS[self.stream.schema].encoder(self.stream.channel, kind)
            self.refused = ""
        except CannotEncode as error:
            if not self.refused:
                log.warning("%s is not forwarded to %s: %s", self.stream.channel, self.stream.topic, error)
            self.encoder = None
            self.refused = str(error)


class Route:
    """All streams of one PV over one transport; receives its updates and the changes of its connection."""

    __slots__ = (
        "_encoder",
        "_first_lane",
        "_key",
        "_more",
        "_periodic",
        "_pipeline",
        "_severity",
        "_status",
        "_units",
        "alarm_message",
        "channel",
        "choices",
        "errors",
        "kind",
        "outputs",
        "received",
        "state",
        "time_ns",
        "transport",
        "updated_at",
        "value",
    )

    def __init__(self, channel: str, transport: Transport, pipeline: "Pipeline") -> None:
        self.channel = channel
        self.transport = transport
        self.outputs: tuple[Output, ...] = ()
        self.kind: ChannelType | None = None
        """None while the PV is not connected."""
        self.state: ConnectionState | None = None
        """None until the PV connects or the grace period for it is over."""
        self.received = 0
        """Updates that came, since the route was opened."""
        self.errors = 0
        """Updates that could not be forwarded."""
        self.value: Value | None = None
        """The newest value; None when none came since the PV connected."""
        self.time_ns = 0
        """The newest value's EPICS time, in nanoseconds since the Unix epoch."""
        self.updated_at = 0.0
        """When the newest value came, by the monotonic clock; kept for periodic routes only."""
        self.alarm_message = ""
        """The text of the alarm where the transport has one; empty: the status' own name."""
        self.choices: tuple[str, ...] = ()
        """Texts of an enum's values; empty where there are none or they are not known."""
        self._units: str | None = None
        """None until they are known."""
        self._key = channel.encode()
        self._pipeline = pipeline
        self._status = _NO_ALARM_YET
        self._severity = _NO_ALARM_YET
        self._periodic = False
        self._encoder: Encoder | None = None
        self._first_lane: Lane | None = None
        self._more: tuple[Output, ...] = ()

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        """Forward one update: EPICS time in nanoseconds since the Unix epoch, EPICS alarm numbers.

        This is called tens of thousands of times a second: it does not log, wait, or look anything up.
        """
        self.received += 1
        self.value = value
        self.time_ns = time_ns
        if self._periodic:
            self.updated_at = self._pipeline.clocks.monotonic()
        if status != self._status or severity != self._severity:
            self._status = status
            self._severity = severity
            self._send_with_alarm(self.outputs, time_ns // 1_000_000)
            self._send_alarms(self.outputs)
            return
        if self._encoder is not None:
            self._first_lane.append((self._key, self._encoder.encode(value, time_ns), time_ns // 1_000_000))  # pyright: ignore[reportOptionalMemberAccess]
        for output in self._more:
            if output.encoder is not None and (message := output.encoder.encode(value, time_ns)):
                output.lane.append((self._key, message, time_ns // 1_000_000))

    def failed(self, error: Exception) -> None:
        """An update could not be read or encoded; it is counted, and the first is logged."""
        self.errors += 1
        if self.errors == 1:
            log.error("an update of %s is not forwarded, further ones are counted: %r", self.channel, error)

    def connected(self, kind: ChannelType) -> None:
        """The PV has connected, and this is its type; its first update follows."""
        self.kind = kind
        self.value = None
        self.alarm_message = ""
        self._units = None
        self._status = self._severity = _NO_ALARM_YET
        for output in self.outputs:
            output.adopt(kind)
        self._choose()
        self._connection_is(ConnectionState.CONNECTED)

    def disconnected(self) -> None:
        """The PV's connection is lost; it will be searched again."""
        self.kind = None
        self.value = None
        self.updated_at = 0.0
        self._connection_is(ConnectionState.DISCONNECTED)

    def never_connected(self) -> None:
        """The grace period is over and no server has offered the PV; the search goes on."""
        self._connection_is(ConnectionState.NEVER_CONNECTED)

    def described(self, units: str, choices: tuple[str, ...]) -> None:
        """The PV's units or enum strings are known, or have changed."""
        self.choices = choices
        if units != self._units:
            self._units = units
            self._send_units(self.outputs)

    def repeat(self) -> None:
        """Send the last value again in the periodic streams, with its alarm and the time of now in Kafka."""
        periodic = tuple(output for output in self.outputs if output.stream.periodic)
        now_ns = self._pipeline.clocks.wall_ns()
        self._pipeline.repeated += self._send_with_alarm(periodic, now_ns // 1_000_000)

    def add(self, output: Output) -> None:
        """Serve one more stream; it learns at once what the others know already."""
        self.outputs += (output,)
        if self.kind is not None:
            output.adopt(self.kind)
        self._choose()
        if self.state is not None:
            self._tell((output,), self.state)
        if self.kind is not None and self.value is not None:
            self._pipeline.introduced += self._send_with_alarm((output,), self.time_ns // 1_000_000)
            self._send_alarms((output,))
        if self.kind is not None:
            self._send_units((output,))

    def remove(self, stream: Stream) -> None:
        """Serve a stream no more."""
        self.outputs = tuple(output for output in self.outputs if output.stream != stream)
        self._choose()

    def set_periodic(self, stream: Stream) -> None:
        """Take over whether a stream is periodic."""
        for output in self.outputs:
            if output.stream == stream:
                output.stream = stream
        self._choose()

    def _choose(self) -> None:
        # The first one's message is appended unseen, so it is one that always has something to send.
        first = next((output for output in self.outputs if not SCHEMAS[output.stream.schema].may_be_empty), None)
        self._encoder = first.encoder if first else None
        self._first_lane = first.lane if first else None
        self._more = tuple(output for output in self.outputs if output is not first)
        self._periodic = any(output.stream.periodic for output in self.outputs)
        if self._periodic:
            now = self._pipeline.clocks.monotonic()
            if self.value is not None and not self.updated_at:
                # The time of its update was not kept, because nobody needed it.
                self.updated_at = now
            self._pipeline.repeats.watch(self, now)
        else:
            self.updated_at = 0.0
            self._pipeline.repeats.forget(self)

    def _send_with_alarm(self, outputs: tuple[Output, ...], kafka_ms: int) -> int:
        sent = 0
        value = self.value
        if value is None:
            return 0
        for output in outputs:
            if output.encoder is not None:
                message = output.encoder.encode_with_alarm(value, self.time_ns, self._status, self._severity)
                if message:
                    output.lane.append((self._key, message, kafka_ms))
                    sent += 1
        return sent

    def _send_alarms(self, outputs: tuple[Output, ...]) -> None:
        text = self.alarm_message or status_text(self._status)
        for output in outputs:
            alarm_event = SCHEMAS[output.stream.schema].alarm_event
            if alarm_event is not None:
                message = alarm_event(self._key, self._severity, text, self.time_ns)
                output.lane.append((self._key, message, self.time_ns // 1_000_000))

    def _send_units(self, outputs: tuple[Output, ...]) -> None:
        if self._units is None:
            return
        now_ns = self._pipeline.clocks.wall_ns()
        for output in outputs:
            units_event = SCHEMAS[output.stream.schema].units_event
            if units_event is not None:
                message = units_event(self._key, self._units, now_ns)
                output.lane.append((self._key, message, now_ns // 1_000_000))

    def _connection_is(self, state: ConnectionState) -> None:
        self.state = state
        self._tell(self.outputs, state)

    def _tell(self, outputs: tuple[Output, ...], state: ConnectionState) -> None:
        now_ns = self._pipeline.clocks.wall_ns()
        for output in outputs:
            connection_event = SCHEMAS[output.stream.schema].connection_event
            if connection_event is not None:
                message = connection_event(self._key, state, now_ns, self._pipeline.service_id)
                output.lane.append((self._key, message, now_ns // 1_000_000))


class Pipeline:
    """The routes of all PVs, and what they share."""

    def __init__(self, outbox: Outbox, repeats: Repeats, clocks: Clocks, service_id: str) -> None:
        self.clocks = clocks
        self.repeats = repeats
        self.service_id = service_id
        self.repeated = 0
        """Messages that were sent because no update came for the repeat period."""
        self.introduced = 0
        """Messages that told a new stream of a PV its last value."""
        self._outbox = outbox
        self._routes: dict[tuple[Transport, str], Route] = {}
        self._closed_received = 0
        self._closed_errors = 0

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes.values())

    def __len__(self) -> int:
        return len(self._routes)

    @property
    def received(self) -> int:
        """Updates of all PVs since the start."""
        return self._closed_received + sum(route.received for route in self)

    @property
    def errors(self) -> int:
        """Updates that could not be forwarded, since the start."""
        return self._closed_errors + sum(route.errors for route in self)

    def states(self) -> Counter[str]:
        """How many routes are in which connection state; `searching` before the first."""
        return Counter(route.state.value if route.state else "searching" for route in self)

    def open(self, stream: Stream) -> Route | None:
        """Start to serve a stream; the route when its PV was not wanted before and has to be subscribed now."""
        route = self._routes.get((stream.transport, stream.channel))
        new = route is None
        if route is None:
            route = self._routes[stream.transport, stream.channel] = Route(stream.channel, stream.transport, self)
        route.add(Output(stream, self._outbox.lane(stream.broker, stream.topic)))
        return route if new else None

    def close(self, stream: Stream) -> Route | None:
        """Serve a stream no more; the route when nothing wants its PV now, to be unsubscribed."""
        route = self._routes[stream.transport, stream.channel]
        route.remove(stream)
        if route.outputs:
            return None
        del self._routes[stream.transport, stream.channel]
        self._closed_received += route.received
        self._closed_errors += route.errors
        return route

    def update(self, stream: Stream) -> None:
        """Take over what may change in an open stream."""
        self._routes[stream.transport, stream.channel].set_periodic(stream)

    def route(self, stream: Stream) -> Route:
        """The route that serves a stream."""
        return self._routes[stream.transport, stream.channel]


def check(stream: Stream) -> None:
    """Raises BadStream for a schema that the service does not know."""
    if stream.schema not in SCHEMAS:
        raise BadStream(f"{stream.channel}: no schema {stream.schema!r}; there are {', '.join(sorted(SCHEMAS))}")
