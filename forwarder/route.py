"""The way of one PV's updates, and of what happens to its connection, into the lanes of its streams.

A route is what the EPICS clients talk to: one for each PV and transport, shared by all its streams. Everything that
can be decided when a stream opens or the PV connects is decided there.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from .encode import Encoder
from .encode.al00 import status_text
from .history import History
from .model import ChannelType, ConnectionState, Stream, Transport, Value
from .outbox import Lane
from .output import Output
from .repeats import Repeats
from .times import NEVER_NS, Times

log = logging.getLogger(__name__)

_NO_ALARM_YET = -1


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where the time comes from, so that tests can set it."""

    wall_ns: Callable[[], int]
    """Nanoseconds since the Unix epoch."""
    monotonic: Callable[[], float]
    """Seconds since any moment."""


@dataclass(slots=True, eq=False)
class Shared:
    """What all routes have in common."""

    clocks: Clocks
    times: Times
    repeats: Repeats
    service_id: str
    repeated: int = 0
    """Messages that were sent because no update came for the repeat period."""
    introduced: int = 0
    """Messages that told a new stream of a PV its last value."""


class Route:
    """All streams of one PV over one transport; receives its updates and the changes of its connection."""

    __slots__ = (
        "_alarm",
        "_alarm_message",
        "_encoder",
        "_first",
        "_first_lane",
        "_floor_ns",
        "_key",
        "_last_kind",
        "_more",
        "_newest_ns",
        "_periodic",
        "_severity",
        "_shared",
        "_status",
        "_times",
        "_told_alarm",
        "_units",
        "channel",
        "choices",
        "dropped",
        "errors",
        "history",
        "kind",
        "moves",
        "outputs",
        "received",
        "server",
        "state",
        "time_ns",
        "transport",
        "type_changes",
        "updated_at",
        "value",
        "wants_description",
    )

    def __init__(self, channel: str, transport: Transport, shared: Shared) -> None:
        self.channel = channel
        self.transport = transport
        self.outputs: tuple[Output, ...] = ()
        self.wants_description = False
        """Whether a stream tells its readers the PV's units."""
        self.kind: ChannelType | None = None
        """None while the PV is not connected."""
        self.state: ConnectionState | None = None
        """None until the PV connects or the grace period for it is over."""
        self.server = ""
        """`host:port` that serves the PV, or did so last; empty when that is not known."""
        self.history = History()
        self.received = 0
        """Updates that came, since the route was opened."""
        self.errors = 0
        """Updates that could not be read."""
        self.dropped = 0
        """Updates that were dropped because they were older than the newest one."""
        self.type_changes = 0
        """How often the PV came back with another type."""
        self.moves = 0
        """How often the PV came back from another server."""
        self.value: Value | None = None
        """The newest value; None when none came since the PV connected."""
        self.time_ns = 0
        """The newest value's EPICS time, in nanoseconds since the Unix epoch."""
        self.updated_at = 0.0
        """When the newest value came, by the monotonic clock; kept for periodic routes only."""
        self.choices: tuple[str, ...] = ()
        """Texts of an enum's values; empty where there are none or they are not known."""
        self._alarm_message = ""
        self._units: str | None = None
        """None until they are known."""
        self._last_kind: ChannelType | None = None
        self._key = channel.encode()
        self._shared = shared
        self._times = shared.times
        self._status = _NO_ALARM_YET
        self._severity = _NO_ALARM_YET
        self._alarm = (0, 0)
        """Status and severity of the last update."""
        self._told_alarm: tuple[int, str, int] | None = None
        """Severity, text and time of the last al00 since the PV connected."""
        self._floor_ns = NEVER_NS
        """An update before this time needs a closer look: the time of the newest one, or later than all times."""
        self._newest_ns = 0
        """The time of the newest one where the above does not say it."""
        self._periodic = False
        self._first: Output | None = None
        self._encoder: Encoder | None = None
        self._first_lane: Lane | None = None
        self._more: tuple[Output, ...] = ()

    @property
    def alarm_message(self) -> str:
        """The text of the alarm where the transport has one; empty: the status' own name."""
        return self._alarm_message

    @alarm_message.setter
    def alarm_message(self, text: str) -> None:
        self._alarm_message = text
        # The text is a part of the alarm: the next update says it again.
        self._status = _NO_ALARM_YET

    @property
    def alarm(self) -> tuple[int, int]:
        """Status and severity of the newest update, in EPICS's numbers; no alarm before the first."""
        return self._alarm

    @property
    def units(self) -> str | None:
        """The PV's units, or what they were when it was lost; None where they are not known."""
        return self._units

    @property
    def refused_updates(self) -> int:
        """How often an update could not be sent in the schema of a stream, all open streams together."""
        return sum([output.refused_updates(self.received) for output in self.outputs])

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        """Forward one update: EPICS time in nanoseconds since the Unix epoch, EPICS alarm numbers.

        This is called tens of thousands of times a second: it does not log, wait, or look anything up.
        """
        self.received += 1
        if (
            status != self._status
            or severity != self._severity
            or not self._floor_ns <= time_ns <= self._times.latest_ns
        ):
            self._unusual(value, time_ns, status, severity)
            return
        self.value = value
        self.time_ns = self._floor_ns = time_ns
        if self._periodic:
            self.updated_at = self._shared.clocks.monotonic()
        if self._encoder is not None:
            try:
                message = self._encoder.encode(value, time_ns)
            except Exception as error:  # noqa: BLE001  (one stream's trouble is not another's)
                self._first.refuse(error)  # pyright: ignore[reportOptionalMemberAccess]
            else:
                self._first_lane.append((self._key, message, time_ns // 1_000_000))  # pyright: ignore[reportOptionalMemberAccess]
        for output in self._more:
            if output.encoder is not None:
                try:
                    message = output.encoder.encode(value, time_ns)
                except Exception as error:  # noqa: BLE001
                    output.refuse(error)
                else:
                    if message:
                        output.lane.append((self._key, message, time_ns // 1_000_000))

    def failed(self, error: Exception) -> None:
        """An update could not be read; it is counted, and the first is logged."""
        self.errors += 1
        self.history.failed(error, self._shared.clocks.wall_ns())
        if self.errors == 1:
            log.error("an update of %s is not forwarded, further ones are counted: %r", self.channel, error)

    def connected(self, kind: ChannelType, server: str = "") -> None:
        """The PV has connected, and this is its type; its first update follows."""
        if self._last_kind not in (None, kind):
            self.type_changes += 1
            log.info("%s has changed its type from %s to %s", self.channel, self._last_kind, kind)
        if server and server != self.server:
            self.moves += bool(self.server)
            self.server = server
        self.kind = self._last_kind = kind
        self.value = None
        self._alarm_message = ""
        self._units = None
        self._status = self._severity = _NO_ALARM_YET
        self._told_alarm = None
        self._floor_ns = self._newest_ns = 0
        for output in self.outputs:
            output.adopt(kind, self.received)
        self._choose()
        self._connection_is(ConnectionState.CONNECTED)

    def disconnected(self, reason: str = "") -> None:
        """The PV's connection is lost, for a reason if one is known; it will be searched again."""
        self.kind = None
        self.history.keep(self.value)
        self.value = None
        self.updated_at = 0.0
        self._connection_is(ConnectionState.DISCONNECTED, reason)

    def never_connected(self) -> None:
        """The grace period is over and no server has offered the PV; the search goes on."""
        self._connection_is(ConnectionState.NEVER_CONNECTED)

    def described(self, units: str, choices: tuple[str, ...]) -> None:
        """The PV's units or enum strings are known, or have changed."""
        self.choices = choices
        if units != self._units:
            self._send_units(self.outputs, units)
            self._units = units

    def repeat(self) -> None:
        """Send the last value again in the periodic streams, with its alarm and the time of now in Kafka."""
        periodic = tuple(output for output in self.outputs if output.stream.periodic)
        now_ns = self._shared.clocks.wall_ns()
        self._shared.repeated += self._send_last(periodic, now_ns // 1_000_000)

    def add(self, output: Output) -> None:
        """Serve one more stream; it learns at once what the others know already."""
        self.outputs += (output,)
        if self.kind is not None:
            output.adopt(self.kind, self.received)
        self._choose()
        if self.state is not None:
            self._tell((output,), self.state)
        if self.kind is None:
            return
        if self.value is not None:
            self._shared.introduced += self._send_last((output,), self._times.kafka_ms(self.time_ns))
        if self._told_alarm is not None:
            self._send_alarm((output,), *self._told_alarm)
        self._send_units((output,), self._units)

    def remove(self, stream: Stream) -> Output:
        """Serve a stream no more; what served it."""
        removed = next(output for output in self.outputs if output.stream == stream)
        self.outputs = tuple(output for output in self.outputs if output is not removed)
        self._choose()
        return removed

    def set_periodic(self, stream: Stream) -> None:
        """Take over whether a stream is periodic."""
        for output in self.outputs:
            if output.stream == stream:
                output.stream = stream
        self._choose()

    def _choose(self) -> None:
        # The first one's message is appended unseen, so it is one that always has something to send.
        first = next((output for output in self.outputs if not output.schema.may_be_empty), None)
        self._first = first
        self._encoder = first.encoder if first else None
        self._first_lane = first.lane if first else None
        self._more = tuple(output for output in self.outputs if output is not first)
        self.wants_description = any(output.schema.units_event is not None for output in self.outputs)
        self._periodic = any(output.stream.periodic for output in self.outputs)
        if self._periodic:
            now = self._shared.clocks.monotonic()
            if self.value is not None and not self.updated_at:
                # The time of its update was not kept, because nobody needed it.
                self.updated_at = now
            self._shared.repeats.watch(self, now)
        else:
            self.updated_at = 0.0
            self._shared.repeats.forget(self)

    def _unusual(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        """An update that is the first, brings another alarm, or has a time that is not between the last and now."""
        times = self._times
        kafka_ms = times.kafka_ms(time_ns)
        times.clamped += time_ns < times.earliest_ns
        newest_ns = self._newest_ns if self._floor_ns == NEVER_NS else self._floor_ns
        if time_ns < newest_ns:
            times.out_of_order += 1
            if not times.sends_out_of_order:
                self.dropped += 1
                return
        else:
            self.value = value
            self.time_ns = time_ns
            self._alarm = (status, severity)
            self._judge(time_ns)
        if self._periodic:
            self.updated_at = self._shared.clocks.monotonic()
        if status == self._status and severity == self._severity:
            for output in self.outputs:
                self._send(output, value, time_ns, kafka_ms)
            return
        self._status = status
        self._severity = severity
        for output in self.outputs:
            sent = self._send(output, value, time_ns, kafka_ms, (status, severity))
            if sent is None and output.schema.alarm_event is None:
                # The schema says the alarm itself, and could not: the next update says it again.
                self._status = _NO_ALARM_YET
        alarm = severity, self._alarm_message or status_text(status), time_ns
        if self._told_alarm is None or alarm[:2] != self._told_alarm[:2]:
            self._send_alarm(self.outputs, *alarm)
            self._told_alarm = alarm

    def _judge(self, time_ns: int) -> None:
        """See to it that later updates are compared with the newest one, or looked at as closely as this one."""
        times = self._times
        if time_ns > times.latest_ns:
            # It is no measure for the order: the next one with a sane time would seem late.
            times.in_the_future += 1
        elif time_ns < times.earliest_ns:
            self._newest_ns = time_ns
            self._floor_ns = NEVER_NS
        else:
            self._floor_ns = time_ns

    def _send(
        self, output: Output, value: Value, time_ns: int, kafka_ms: int, alarm: tuple[int, int] | None = None
    ) -> int | None:
        """Send a value in one stream, with its alarm or without; how many messages that were.

        None when its encoder could not take the value.
        """
        encoder = output.encoder
        if encoder is None:
            return 0
        try:
            message = encoder.encode_with_alarm(value, time_ns, *alarm) if alarm else encoder.encode(value, time_ns)
        except Exception as error:  # noqa: BLE001  (one stream's trouble is not another's)
            output.refuse(error)
            return None
        if not message:
            return 0
        output.lane.append((self._key, message, kafka_ms))
        return 1

    def _send_last(self, outputs: tuple[Output, ...], kafka_ms: int) -> int:
        """Send the newest value again, with its alarm; how many messages that were."""
        if self.value is None:
            return 0
        return sum(self._send(output, self.value, self.time_ns, kafka_ms, self._alarm) or 0 for output in outputs)

    def _send_alarm(self, outputs: tuple[Output, ...], severity: int, text: str, time_ns: int) -> None:
        kafka_ms = self._times.kafka_ms(time_ns)
        for output in outputs:
            if output.schema.alarm_event is not None:
                output.lane.append((self._key, output.schema.alarm_event(self._key, severity, text, time_ns), kafka_ms))

    def _send_units(self, outputs: tuple[Output, ...], units: str | None) -> None:
        if units is None:
            return
        now_ns = self._shared.clocks.wall_ns()
        for output in outputs:
            if output.schema.units_event is not None:
                message = output.schema.units_event(self._key, units or None, now_ns)
                output.lane.append((self._key, message, now_ns // 1_000_000))

    def _connection_is(self, state: ConnectionState, reason: str = "") -> None:
        self._tell(self.outputs, state)
        self.state = state
        self.history.happened(state, self._shared.clocks.wall_ns(), self.server, reason)

    def _tell(self, outputs: tuple[Output, ...], state: ConnectionState) -> None:
        now_ns = self._shared.clocks.wall_ns()
        for output in outputs:
            if output.schema.connection_event is not None:
                message = output.schema.connection_event(self._key, state, now_ns, self._shared.service_id)
                output.lane.append((self._key, message, now_ns // 1_000_000))
