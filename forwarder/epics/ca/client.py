"""Channel Access: searches PVs, opens one circuit to each server, and mends whatever breaks."""

import asyncio
import getpass
import logging
import random
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from forwarder.epics.addresses import broadcast_addresses, resolve
from forwarder.epics.interface import Listener
from forwarder.epics.pacing import SearchPacing
from forwarder.faults import RepeatingFault
from forwarder.forever import forever, nothing_more
from forwarder.pulse import Pulse
from forwarder.settings.types import ChannelAccessSettings

from .beacons import Beacons
from .channel import Channel, Event, State
from .circuit import LARGE_READ_BYTES, Circuit
from .name_server import NameServer
from .search import SearchSocket, datagrams, is_searchable, search_message

log = logging.getLogger(__name__)

_TICK_S = 0.05
"""How often searches that are due leave."""
_WATCH_S = 1.0
"""How often circuits are looked at, and the grace period of PVs."""
_ECHO_ANSWER_S = 5.0
"""How long a server may take to answer an echo (caProto.h: CA_ECHO_TIMEOUT)."""
_OPEN_TIMEOUT_S = 5.0
_RESOLVE_AGAIN_S = 30.0
_LONGEST_PENALTY_S = 30.0
_STABLE_S = 10.0
"""How long a PV has to be connected until its loss is no repetition of the one before."""
_FULL_DATAGRAM = 960
"""Bytes of search messages in a datagram, about; only what to take from the pacing is counted with it."""
_DATAGRAMS_PER_TICK = 30
"""More at once would overflow the receive buffer of a server, of which Linux makes room for about 100."""


class ChannelAccess:
    """The client: everything it does happens in the event loop it was started in."""

    def __init__(
        self,
        settings: ChannelAccessSettings,
        never_connected_after_s: float,
        hold: Callable[[asyncio.Transport, bool], None] | None = None,
    ) -> None:
        """`hold` is told when updates have come, and stops the reading of their connection until it is worth it again.

        It is told, too, whether so many come that it is worth it at once. Without it, all is read as it comes.
        """
        self.beats = 0
        self._search_pulse = Pulse()
        self._hold = hold
        self._settings = settings
        self._grace_s = never_connected_after_s
        self._channels: dict[int, Channel] = {}
        self._by_listener: dict[Listener, Channel] = {}
        self._next_identifier = 0
        self._pacing = SearchPacing(random.random)
        self._searching = asyncio.Event()
        """Set when what is searched has changed."""
        self._awaited: deque[Channel] = deque()
        self._circuits: dict[tuple[str, int], Circuit] = {}
        self._buffer = bytearray(LARGE_READ_BYTES)
        """What all circuits read into."""
        self._opening: set[asyncio.Task[None]] = set()
        self._search_socket = SearchSocket(self._found)
        self._beacons = Beacons(self._server_appeared, settings.repeater_port)
        self._name_servers: list[NameServer] = []
        self._addresses: list[tuple[str, int]] = []
        self._unresolved: list[str] = []
        self._names = RepeatingFault(log, "addresses that cannot be resolved, tried again later", time.monotonic)
        self._budget = float(min(settings.max_search_datagrams_per_s, _DATAGRAMS_PER_TICK))
        self._restart_at: float | None = None
        self._identity = (socket.gethostname(), _user())
        self._lost_circuits = 0
        self._length_changes = 0
        self._troubled: set[tuple[str, int]] = set()
        """Servers whose last circuit was lost and that did not answer since: said once."""
        self._updates_before = 0
        self._refused_before = 0
        self._properties_before = 0

    async def start(self) -> None:
        """Open sockets. Raises OSError when no socket is to be had."""
        settings = self._settings
        listed = list(settings.addr_list)
        if settings.auto_addr_list:
            listed += broadcast_addresses()
        self._unresolved = listed
        await self._resolve()
        servers, unknown = await resolve(settings.name_servers, settings.server_port)
        if unknown:
            log.error("name servers that cannot be resolved are not asked: %s", ", ".join(unknown))
        self._name_servers = [
            NameServer(address, self._found, self._server_appeared, settings.conn_timeout_s) for address in servers
        ]
        await self._search_socket.open()
        await self._beacons.open()

    async def run(self) -> None:
        """Search and watch until cancelled."""
        servers = {"CA name server {}:{}".format(*server.address): server.run() for server in self._name_servers}
        await forever(
            {
                "CA search": self._search(),
                "CA watch": self._watch(),
                "CA addresses": self._resolve_again(),
                "CA beacons": self._beacons.run(),
                **servers,
            }
        )

    def subscribe(self, listener: Listener) -> None:
        """Search the listener's PV, subscribe to it, and keep doing so whatever happens to its server."""
        now = time.monotonic()
        channel = Channel(self._next_identifier, listener, now)
        self._next_identifier += 1
        self._channels[channel.identifier] = channel
        self._by_listener[listener] = channel
        self._awaited.append(channel)
        if is_searchable(channel.name):
            self._pacing.add(channel.identifier, now)
            self._searching.set()
        else:
            log.warning("%.60r... cannot be the name of a PV: it is never searched", channel.name)

    def describe(self, listener: Listener) -> None:
        """A subscribed listener has come to want its description: tell it, now if it is connected."""
        channel = self._by_listener[listener]
        if channel.state is State.SUBSCRIBED and channel.circuit is not None:
            channel.circuit.describe(channel)

    def unsubscribe(self, listener: Listener) -> None:
        """Stop; the listener hears nothing more."""
        channel = self._by_listener.pop(listener)
        del self._channels[channel.identifier]
        self._pacing.discard(channel.identifier)
        channel.happened(Event.UNWANTED)
        circuit, channel.circuit = channel.circuit, None
        if circuit is not None:
            circuit.give_up(channel)
            if not len(circuit):
                self._remove(circuit)
                circuit.close()

    def counts(self) -> Mapping[str, int]:
        """What happened since the start."""
        circuits = self._circuits.values()
        return {
            "updates": self._updates_before + sum(circuit.updates for circuit in circuits),
            "refused_updates": self._refused_before + sum(circuit.refused_updates for circuit in circuits),
            "property_updates": self._properties_before + sum(circuit.property_updates for circuit in circuits),
            "searching": len(self._pacing),
            "search_datagrams": self._search_socket.sent,
            "beacons": self._beacons.received,
            "circuits": len(self._circuits),
            "circuits_lost": self._lost_circuits,
            "length_changes": self._length_changes,
        }

    def searched_at(self) -> Sequence[str]:
        """Where PVs are searched, in words, an address each."""
        return (
            *(f"{host}:{port} (UDP)" for host, port in self._addresses),
            *(f"{name} (its name has no address)" for name in self._unresolved),
            *("{}:{} (name server, TCP)".format(*server.address) for server in self._name_servers),
        )

    async def close(self) -> None:
        """Close all sockets; no listener hears anything more."""
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for circuit in list(self._circuits.values()):
            self._remove(circuit)
            circuit.close()
        self._search_socket.close()
        self._beacons.close()

    def channel_created(self, channel: Channel, largest_count: int) -> None:
        """The server has the channel, which can hold so many elements: tell where that is not as before."""
        circuit = channel.circuit
        assert circuit is not None, "a channel is created on a circuit"
        if channel.server not in (None, circuit.address):
            log.info("%s has moved from %s:%d to %s:%d", channel.name, *channel.server, *circuit.address)
        if channel.server is not None and channel.largest_count != largest_count:
            self._length_changes += 1
            before = channel.largest_count
            log.info("%s has changed its length from %d to %d elements", channel.name, before, largest_count)
        channel.server = circuit.address
        channel.largest_count = largest_count

    def channel_lost(self, channel: Channel, reason: str) -> None:
        """The server does not serve this channel, or does so no longer: search again, later if this repeats."""
        log.debug("%s: %s", channel.name, reason)
        was_subscribed = channel.state is State.SUBSCRIBED
        channel.happened(Event.LOST)
        circuit, channel.circuit = channel.circuit, None
        now = time.monotonic()
        if was_subscribed and now - channel.found_at >= _STABLE_S:
            channel.failures = 0
        penalty = min(0.1 * 2**channel.failures, _LONGEST_PENALTY_S) if channel.failures else 0.0
        channel.failures += 1
        self._pacing.add(channel.identifier, now, after=penalty)
        self._searching.set()
        if was_subscribed:
            channel.listener.disconnected(reason)
        if circuit is not None and not len(circuit) and circuit.address in self._circuits:
            self._remove(circuit)
            circuit.close()

    def circuit_ready(self, circuit: Circuit) -> None:
        """The server has answered: channels can be created."""
        if circuit.address in self._troubled:
            self._troubled.discard(circuit.address)
            log.info("the server %s:%d is back", *circuit.address)
            if self._restart_at is None and len(self._pacing):
                # The others of its PVs are there again too, and need not wait for their turn, or for a beacon.
                self._restart_at = time.monotonic()
                self._searching.set()

    def circuit_lost(self, circuit: Circuit, reason: str) -> None:
        """The connection is gone, and with it every channel on it."""
        self._lost_circuits += 1
        channels = list(circuit.channels)
        first = circuit.address not in self._troubled
        self._troubled.add(circuit.address)
        log.log(
            logging.WARNING if first else logging.DEBUG,
            "lost the server %s:%d with %d PVs, which are searched again: %s",
            *circuit.address,
            len(channels),
            reason,
        )
        self._remove(circuit)
        reason = f"its circuit is lost: {reason}"
        for channel in channels:
            # What one listener does when it hears of it may have closed another's channel.
            if channel.circuit is circuit:
                self.channel_lost(channel, reason)

    def _remove(self, circuit: Circuit) -> None:
        if self._circuits.get(circuit.address) is circuit:
            del self._circuits[circuit.address]
            self._updates_before += circuit.updates
            self._refused_before += circuit.refused_updates
            self._properties_before += circuit.property_updates

    def _found(self, identifier: int, address: tuple[str, int]) -> None:
        channel = self._channels.get(identifier)
        if channel is None:
            return
        if channel.state is not State.SEARCHING:
            if channel.circuit is not None and channel.circuit.address != address:
                log.debug("%s is offered by %s:%d too", channel.name, *address)
            return
        self._pacing.discard(identifier)
        channel.happened(Event.FOUND)
        channel.found_at = time.monotonic()
        circuit = self._circuits.get(address)
        if circuit is None:
            circuit = self._circuits[address] = Circuit(
                address,
                self,
                channel.found_at,
                identity=self._identity,
                max_array_bytes=self._settings.max_array_bytes,
                buffer=self._buffer,
                hold=self._hold,
            )
            task = asyncio.get_running_loop().create_task(self._open(circuit))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        channel.circuit = circuit
        circuit.create(channel)

    async def _open(self, circuit: Circuit) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_OPEN_TIMEOUT_S):
                await loop.create_connection(lambda: circuit, *circuit.address)
        except (OSError, TimeoutError) as error:
            circuit.drop(str(error) or "no answer")
        except Exception as error:
            log.exception("a connection could not be opened")
            circuit.drop(repr(error))

    def _server_appeared(self, host: str, port: int) -> None:
        circuit = self._circuits.get((host, port))
        if circuit is not None:
            # A rebooted host doesn't know the old connection: it says so when it is written to.
            circuit.ask_for_echo()
        if self._restart_at is None and len(self._pacing):
            log.debug("a server has appeared at %s:%d", host, port)
            # Servers of one host restart together: wait for the others, and search once.
            self._restart_at = time.monotonic() + random.uniform(0.05, 0.2)
            self._searching.set()

    async def _search(self) -> None:
        rate = self._settings.max_search_datagrams_per_s
        last = time.monotonic()
        while True:
            await self._search_is_due()
            await self._search_socket.mend()
            now = time.monotonic()
            # No more is saved up than a tick may send, or than a single datagram to each address of a long list needs.
            most = float(max(min(rate, _DATAGRAMS_PER_TICK), len(self._addresses)))
            self._budget = min(most, self._budget + (now - last) * rate)
            last = now
            if self._restart_at is not None and self._restart_at <= now:
                self._restart_at = None
                self._pacing.restart(now)
            self._send_due(now)

    async def _search_is_due(self) -> None:
        """Wait for a tick, and as long as nothing has to be searched."""
        await asyncio.sleep(_TICK_S)
        self._search_pulse.beat()
        due = self._pacing.next_due()
        self._searching.clear()
        delay = None if due is None else max(0.0, due - time.monotonic())
        if delay != 0.0 and self._restart_at is None:
            await self._search_pulse.wait(self._searching, delay)

    def _send_due(self, now: float) -> None:
        targets = max(1, len(self._addresses))
        datagrams_left = min(int(self._budget / targets), _DATAGRAMS_PER_TICK)
        if datagrams_left < 1:
            return
        messages: list[bytes] = []
        room = datagrams_left * _FULL_DATAGRAM
        for identifier in self._pacing.due(now):
            message = search_message(identifier, self._channels[identifier].name)
            messages.append(message)
            room -= len(message)
            if room <= 0:
                break
        if not messages:
            return
        packed = datagrams(messages)
        self._search_socket.send(packed, self._addresses)
        self._budget -= len(packed) * targets
        for server in self._name_servers:
            server.send(messages)

    async def _watch(self) -> None:
        searched = -1
        while True:
            await asyncio.sleep(_WATCH_S)
            # One figure for both loops: it stands still when either of them does.
            self.beats += self._search_pulse.beats != searched
            searched = self._search_pulse.beats
            now = time.monotonic()
            for circuit in list(self._circuits.values()):
                self._watch_circuit(circuit, now)
            while self._awaited and self._awaited[0].wanted_at + self._grace_s <= now:
                channel = self._awaited.popleft()
                if not channel.ever_connected and channel.state is not State.CLOSED:
                    channel.listener.never_connected()

    def _watch_circuit(self, circuit: Circuit, now: float) -> None:
        if circuit.heard:
            circuit.heard = False
            circuit.heard_at = now
            circuit.echo_asked_at = None
        elif circuit.echo_asked_at is not None:
            if now - circuit.echo_asked_at >= _ECHO_ANSWER_S:
                circuit.drop(f"silent for {now - circuit.heard_at:.0f} s")
        elif now - circuit.heard_at >= self._settings.conn_timeout_s:
            circuit.echo_asked_at = now
            circuit.ask_for_echo()

    async def _resolve_again(self) -> None:
        while self._unresolved:
            await asyncio.sleep(_RESOLVE_AGAIN_S)
            await self._resolve()
        await nothing_more()

    async def _resolve(self) -> None:
        found, self._unresolved = await resolve(self._unresolved, self._settings.server_port)
        self._addresses = list(dict.fromkeys([*self._addresses, *found]))
        if self._unresolved:
            self._names.occurred(", ".join(self._unresolved))
        else:
            self._names.over()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run with a user number that has no name.
        return "forwarder"
