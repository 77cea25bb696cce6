"""One TCP connection to a Channel Access server: it carries all channels that live there.

Value messages, which are nearly all that comes, are decoded right here. Everything else goes through caproto's
`VirtualCircuit`, which knows the protocol, its states and its commands.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Protocol, cast

import caproto
from caproto import (
    ClearChannelResponse,
    ClientChannel,
    ClientNameRequest,
    CreateChanResponse,
    CreateChFailResponse,
    EchoRequest,
    ErrorResponse,
    HostNameRequest,
    ServerDisconnResponse,
    SubscriptionType,
    VersionRequest,
    VersionResponse,
    VirtualCircuit,
)

from forwarder.faults import RepeatingFault
from forwarder.model import ValueType

from . import description, events
from .channel import Channel, Event
from .description import Description
from .sinks import NOBODY, Sink, sinks_of

log = logging.getLogger(__name__)

_MASK = SubscriptionType.DBE_VALUE | SubscriptionType.DBE_ALARM
_first_eight_bytes = Struct(">Q").unpack_from
_ANY_LENGTH = 0
"""The count in a subscription that asks for as many elements as there are (protocol 4.13)."""
PROTOCOL_VERSION = 13
_ACCESS_RIGHTS = 22
"""Command of a message that is passed over: a value that may not be read comes with an error status anyway."""
_REQUESTED_AT_ONCE = 200
"""Channels being created at a time: about 20 ms of work."""
_READ_BYTES = 32_768
"""What is read at once: 800 scalars, after which all else has its turn. A connection that brings so much flows
for a while and is not held until the next beat, because a server whose send buffer is full would merge updates."""
LARGE_READ_BYTES = 262_144
"""What is read at once where updates are so large that these are about as many."""
_LARGE_UPDATE_BYTES = 256
"""Where an update takes more than this on average, reads are large."""
_LARGE_VALUE = 4096
"""Bytes. Arrays of this size fill the buffers of a held connection within a few updates."""
_FLOWS_S = 0.25
_DYNAMIC_LENGTH_SINCE = 13
"""The minor version of the protocol from which on a server understands a subscription for any length."""
_SMALLEST_LIMIT = 16_384
"""Bytes; what every server may send whatever the limit on arrays (MAX_TCP in caProto.h)."""


class Owner(Protocol):
    """Whom a circuit tells what the client has to act on."""

    def circuit_ready(self, circuit: "Circuit") -> None:
        """The server has answered: channels can be created."""
        ...

    def channel_created(self, channel: Channel, largest_count: int) -> None:
        """The server has the channel, which can hold so many elements; its listener is told next."""
        ...

    def channel_lost(self, channel: Channel, reason: str) -> None:
        """The server does not serve this channel, or does so no longer."""
        ...

    def circuit_lost(self, circuit: "Circuit", reason: str) -> None:
        """The connection is gone, and with it every channel on it."""
        ...


class Circuit(asyncio.BufferedProtocol):
    """The connection, from its opening on. Its owner makes it and drops it."""

    def __init__(
        self,
        address: tuple[str, int],
        owner: Owner,
        now: float,
        *,
        identity: tuple[str, str],
        max_array_bytes: int,
        buffer: bytearray,
        hold: Callable[[asyncio.Transport, bool], None] | None = None,
    ) -> None:
        """`identity` is the host and user name that access rules of the server may ask for.

        `buffer`, of LARGE_READ_BYTES, is what is read into. All circuits of an event loop can share one, since what was
        read is taken out at once.

        `hold` is told when updates have come, and whether so many come that they should be read on as soon as can be;
        it stops the reading until it is worth it again.
        """
        self._hold = hold
        self.address = address
        self._server = "{}:{}".format(*address)
        self.updates = 0
        """Value messages that brought a value."""
        self.refused_updates = 0
        """Value messages without a value, or larger than allowed."""
        self.property_updates = 0
        """Messages about units, enum strings, limits and the like."""
        self.heard = True
        """Whether anything came since the owner last cleared this."""
        self.heard_at = now
        """When the owner last saw `heard`, by its clock."""
        self.echo_asked_at: float | None = None
        """When an echo was asked for that has not been answered; kept by the owner."""
        self._owner = owner
        self._identity = identity
        self._max_array_bytes = max_array_bytes
        self._largest_payload = max(max_array_bytes, _SMALLEST_LIMIT) + events.HEADER_SIZE
        self._protocol = VirtualCircuit(caproto.CLIENT, address, 0, PROTOCOL_VERSION)
        self._transport: asyncio.Transport | None = None
        self._ready = False
        self._wants_any_length = True
        self._channels: dict[int, Channel] = {}
        self._to_request: deque[Channel] = deque()
        self._requested: set[int] = set()
        """Channels whose creation the server has not answered yet."""
        # For messages with one number, and for all others.
        self._of_one: dict[int, Sink] = {}
        self._of_any: dict[int, Sink] = {}
        self._descriptions: dict[int, Description] = {}
        """Of those channels whose listeners want it."""
        self._large_buffer = memoryview(buffer)
        self._small_buffer = self._large_buffer[:_READ_BYTES]
        self._buffer = self._small_buffer
        """What the next read fills at most."""
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 0
        self._skip = 0
        self._out: list[bytes] = []
        self._strangers = 0
        self._errors = RepeatingFault(log, "an error is reported by {}:{}".format(*address), time.monotonic)
        self._flows_until = 0.0
        """Until then it brings so much that it is read on as soon as all else has had its turn."""
        self._over = False
        """Lost, or closed by the owner: nothing more is read, and nobody is told anything."""

    def __len__(self) -> int:
        return len(self._channels)

    @property
    def channels(self) -> Iterable[Channel]:
        """The channels that live here, or are about to."""
        return self._channels.values()

    def create(self, channel: Channel) -> None:
        """Create a channel here as soon as the server is ready, and subscribe to it."""
        self._channels[channel.identifier] = channel
        self._to_request.append(channel)
        if self._ready:
            self._request_some()

    def give_up(self, channel: Channel) -> None:
        """Nobody wants this channel any more."""
        identifier = channel.identifier
        del self._channels[identifier]
        here = self._protocol.channels.get(identifier)
        if here is None:
            return
        self._descriptions.pop(identifier, None)
        if identifier in self._of_one:
            self._of_one[identifier] = self._of_any[identifier] = NOBODY
            self._send(here.clear())

    def describe(self, channel: Channel) -> None:
        """Tell the listener of a channel that is subscribed what its units or enum strings are, and will be."""
        identifier = channel.identifier
        if identifier in self._descriptions:
            self._descriptions[identifier].tell()
            return
        here = self._protocol.channels[identifier]
        native = events.NATIVE_TYPES[int(here.native_data_type)]
        if events.channel_type(native, here.native_data_count, channel.name).element is ValueType.STRING:
            channel.listener.described("", ())
            return
        self._descriptions[identifier] = Description(channel.listener)
        self._send(
            here.subscribe(
                data_type=native.control_type,
                data_count=1,
                subscriptionid=identifier | description.SUBSCRIPTION,
                mask=description.MASK,
            )
        )

    def ask_for_echo(self) -> None:
        """Make a living server say something."""
        if self._ready:
            self._send(EchoRequest())

    def drop(self, reason: str) -> None:
        """Close the connection at once, or give up opening it; the owner is told."""
        if self._transport is not None:
            self._transport.abort()
        self._lost(reason)

    def close(self) -> None:
        """Close the connection when what was asked of it has left; the owner is not told."""
        self._flush()
        self._over = True
        self._errors.over()
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's and asyncio's own transports are not all subclasses of the class they implement.
        self._transport = cast("asyncio.Transport", transport)
        if self._over:
            # Its last channel was given up while the connection was being opened.
            self._transport.abort()
            return
        host, user = self._identity
        self._send(
            VersionRequest(version=PROTOCOL_VERSION, priority=0),
            HostNameRequest(name=host),
            ClientNameRequest(name=user),
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(str(exc) if exc else "closed by the server")

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if not self._over:
            self._received(bytes(self._buffer[:nbytes]))

    def _received(self, data: bytes) -> None:
        self.heard = True
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._parts:
            # A frame of many MB comes in many pieces: they are joined once, not each time.
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return
            data = b"".join(self._parts)
            self._parts = []
        updates = self.updates
        at = self._read(data)
        if at < len(data):
            rest = data[at:]
            self._parts = [rest]
            self._have = len(rest)
        updates = self.updates - updates
        if len(data) >= _READ_BYTES:
            self._flows_until = time.monotonic() + _FLOWS_S
        if updates:
            self._buffer = self._large_buffer if len(data) > updates * _LARGE_UPDATE_BYTES else self._small_buffer
            if self._hold and self._transport:
                self._hold(self._transport, time.monotonic() < self._flows_until)

    def _read(self, data: bytes) -> int:
        """Read all whole frames; where the first that is not whole begins. Sets how many bytes that one needs."""
        view = memoryview(data)
        end = len(data)
        at = 0
        while end - at >= events.HEADER_SIZE:
            run = events.SCALAR_FRAMES.get(_first_eight_bytes(data, at)[0])
            if run is not None and end - at >= run[1]:
                at += self._read_run(view[at : end - (end - at) % run[1]], *run)
                continue
            command, size, data_type, count, status, identifier = events.header(data, at)
            header_size = events.HEADER_SIZE
            if size == 0xFFFF and count == 0:
                header_size = events.LARGE_HEADER_SIZE
                if end - at < header_size:
                    self._need = header_size
                    return at
                size, count = events.large_sizes(data, at + events.HEADER_SIZE)
            if size > self._largest_payload:
                if command != events.EVENT_ADD:
                    self.drop(f"what it sent breaks the protocol: {size} bytes with command {command}")
                    return end
                self._refuse(identifier, f"a value of {size} bytes; the limit is {self._max_array_bytes}")
                at += header_size + size
                self._skip = max(0, at - end)
                if self._skip:
                    break
                continue
            if end - at < header_size + size:
                self._need = header_size + size
                return at
            if command == events.EVENT_ADD and size:
                self._read_event(data, at + header_size, size, data_type, count, status, identifier)
            elif command != _ACCESS_RIGHTS:
                self._read_command(data[at : at + header_size + size])
                if self._over:
                    return end
            at += header_size + size
        self._need = events.HEADER_SIZE
        return min(at, end)

    def _read_run(self, view: memoryview, unpack: events.Run, frame_size: int) -> int:
        """Read frames that are alike as long as they are; how many bytes that was: at least one frame."""
        expected = _first_eight_bytes(view)[0]
        of_one = self._of_one
        read = 0
        identifier = -1
        result = events.ECA_NORMAL
        epoch_ns = events.EPOCH_NS
        try:
            for head, result, identifier, status, severity, seconds, nanoseconds, value in unpack(view):
                if head != expected or result != 1:
                    break
                read += 1
                of_one[identifier].update(value, seconds * 1_000_000_000 + nanoseconds + epoch_ns, status, severity)
        except Exception as error:  # noqa: BLE001  (whatever an update does must not end the circuit)
            self._failed(identifier, error)
        self.updates += read
        if read == 0:
            self._refuse(identifier, f"no value, but the error status {result}")
            read = 1
        return read * frame_size

    def _read_event(
        self, data: bytes, at: int, size: int, data_type: int, count: int, status: int, identifier: int
    ) -> None:
        if identifier & description.SUBSCRIPTION:
            if status == events.ECA_NORMAL:
                self._read_properties(data[at : at + size], data_type, identifier ^ description.SUBSCRIPTION)
            return
        if status != events.ECA_NORMAL:
            self._refuse(identifier, f"no value, but the error status {status}")
            return
        self.updates += 1
        if size >= _LARGE_VALUE:
            self._flows_until = time.monotonic() + _FLOWS_S
        try:
            self._of_any[identifier].update(*events.decode(data_type, count, data, at, size))
        except Exception as error:  # noqa: BLE001  (whatever an update does must not end the circuit)
            self._failed(identifier, error)

    def _read_properties(self, payload: bytes, data_type: int, identifier: int) -> None:
        described = self._descriptions.get(identifier)
        if described is None:
            # Given up a moment ago.
            return
        self.property_updates += 1
        try:
            described.learn(*events.description(data_type, payload))
        except Exception as error:  # noqa: BLE001  (whatever a listener does must not end the circuit)
            self._failed(identifier, error)

    def _failed(self, identifier: int, error: Exception) -> None:
        sink = self._of_any.get(identifier)
        if sink is not None:
            sink.failed(error)
            return
        self.refused_updates += 1
        if not self._strangers:
            log.warning("%s:%d sends values for a subscription that was never made: %d", *self.address, identifier)
        self._strangers += 1

    def _refuse(self, identifier: int, reason: str) -> None:
        self.refused_updates += 1
        self._of_any.get(identifier, NOBODY).failed(ValueError(reason))

    def _read_command(self, frame: bytes) -> None:
        try:
            commands, _ = self._protocol.recv(frame)
            for command in commands:
                self._protocol.process_command(command)
        except Exception as error:  # noqa: BLE001  (caproto has no one error for what it cannot read)
            self.drop(f"what it sent breaks the protocol: {error}")
            return
        for command in commands:
            self._obey(command)

    def _obey(self, command: object) -> None:
        match command:
            case VersionResponse() if not self._ready:
                self._ready = True
                if command.version < _DYNAMIC_LENGTH_SINCE:
                    self._wants_any_length = False
                self._owner.circuit_ready(self)
                self._request_some()
            case CreateChanResponse():
                try:
                    self._created(command)
                except Exception as error:  # noqa: BLE001  (whatever a listener does must not end the circuit)
                    self._failed(command.cid, error)
            case CreateChFailResponse() | ServerDisconnResponse():
                self._channel_gone(command.cid, type(command).__name__)
            case ClearChannelResponse():
                self._forget(command.cid)
            case ErrorResponse():
                self._errors.occurred(repr(command))
            case _:
                pass

    def _request_some(self) -> None:
        """Request channels, but not so many at once that their answers keep the values of others waiting."""
        while self._to_request and len(self._requested) < _REQUESTED_AT_ONCE:
            channel = self._to_request.popleft()
            if self._channels.get(channel.identifier) is channel:
                self._request(channel)

    def _request(self, channel: Channel) -> None:
        # caproto raises for filters that it does not know, and EPICS knows more: it gets none to see.
        here = ClientChannel("", self._protocol, channel.identifier)
        here.name = channel.name
        try:
            self._send(here.create())
        except Exception as error:  # noqa: BLE001  (one channel's trouble is not another's)
            del self._channels[channel.identifier]
            self._forget(channel.identifier)
            self._owner.channel_lost(channel, f"it cannot be asked for: {error}")
        else:
            self._requested.add(channel.identifier)

    def _answered(self, identifier: int) -> None:
        self._requested.discard(identifier)
        if self._to_request:
            self._request_some()

    def _created(self, response: CreateChanResponse) -> None:
        identifier = response.cid
        self._answered(identifier)
        here = self._protocol.channels[identifier]
        channel = self._channels.get(identifier)
        if channel is None:
            self._send(here.clear())
            return
        native = events.NATIVE_TYPES.get(int(response.data_type))
        if native is None:
            self._channel_gone(identifier, f"its type {response.data_type} is unknown")
            return
        kind = events.channel_type(native, response.data_count, channel.name)
        self._of_one[identifier], self._of_any[identifier] = sinks_of(channel.listener, native, kind)
        # Where there is room for one, one is asked for: of a waveform without elements the server makes one, as for
        # every client that does not ask for any length.
        wants_any_length = self._wants_any_length and response.data_count != 1
        count = _ANY_LENGTH if wants_any_length else response.data_count
        self._send(here.subscribe(data_type=native.time_type, data_count=count, subscriptionid=identifier, mask=_MASK))
        channel.happened(Event.CREATED)
        channel.ever_connected = True
        self._owner.channel_created(channel, response.data_count)
        channel.listener.connected(kind, self._server)
        # What it has just heard may have made the listener leave, or ask for its description by itself.
        is_new = identifier in self._channels and identifier not in self._descriptions
        if is_new and channel.listener.wants_description:
            self.describe(channel)

    def _channel_gone(self, identifier: int, reason: str) -> None:
        channel = self._channels.pop(identifier, None)
        self._forget(identifier)
        self._answered(identifier)
        if channel is not None:
            self._owner.channel_lost(channel, reason)

    def _forget(self, identifier: int) -> None:
        self._of_one.pop(identifier, None)
        self._of_any.pop(identifier, None)
        self._descriptions.pop(identifier, None)
        self._protocol.event_add_commands.pop(identifier, None)
        self._protocol.event_add_commands.pop(identifier | description.SUBSCRIPTION, None)
        self._protocol.channels.pop(identifier, None)

    def _send(self, *commands: object) -> None:
        # Thousands of channels may be created in one turn of the loop: they leave in one write.
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out += map(bytes, self._protocol.send(*commands))

    def _flush(self) -> None:
        out, self._out = self._out, []
        if out and self._transport is not None:
            self._transport.write(b"".join(out))

    def _lost(self, reason: str) -> None:
        self._transport = None
        if not self._over:
            self._over = True
            self._errors.over()
            self._owner.circuit_lost(self, reason)
