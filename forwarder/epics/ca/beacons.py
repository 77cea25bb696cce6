"""Beacons: what a server broadcasts so that clients notice a new or restarted one.

They come to one UDP port of the host, which the Channel Access repeater owns: it passes them on to every client that
registered. Where no repeater runs, this listener owns the port and passes them on, so that other clients of the host
work as with EPICS's own. Layouts are those of the Channel Access protocol specification: CA_PROTO_RSRV_IS_UP (13),
REPEATER_CONFIRM (17), REPEATER_REGISTER (24).
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from struct import Struct
from typing import cast

from forwarder.forever import nothing_more

log = logging.getLogger(__name__)

_header = Struct(">HHHHII")
_BEACON = 13
_CONFIRM = 17
_REGISTER = 24
_LOOPBACK = "127.0.0.1"
_REGISTER_AGAIN_S = 30.0
"""A repeater that was restarted has forgotten its clients."""


class Beacons(asyncio.DatagramProtocol):
    """Tells when a server's beacons say that it is new or was restarted."""

    def __init__(self, appeared: Callable[[str, int], None], port: int) -> None:
        """`appeared` is called with the server's host and port."""
        self.received = 0
        self._appeared = appeared
        self._port = port
        self._last: dict[tuple[str, int], int] = {}
        self._clients: dict[tuple[str, int], None] = {}
        self._owns_port = False
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        """Own the repeater's port, or register with who owns it. Raises OSError when no socket is to be had."""
        # The sockets are bound here, because uvloop forgets to close one that it could not bind.
        try:
            opened = _bound(("0.0.0.0", self._port))
        except OSError:
            if self._transport is None:
                await self._listen(_bound((_LOOPBACK, 0)))
            self._register()
        else:
            await self._listen(opened)
            self._owns_port = True

    async def run(self) -> None:
        """Register again and again; own the port when the repeater has gone."""
        while not self._owns_port:
            await asyncio.sleep(_REGISTER_AGAIN_S)
            await self.open()
        await nothing_more()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def _listen(self, opened: socket.socket) -> None:
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=opened)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._transport is not None:
            self._transport.close()
        # uvloop's and asyncio's own transports are not all subclasses of the class they implement.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._owns_port and not data:
            self._take_client(addr)
        at = 0
        while len(data) - at >= _header.size:
            command, size, _, port, identifier, host = _header.unpack_from(data, at)
            if command == _BEACON:
                self._beacon(socket.inet_ntoa(host.to_bytes(4, "big")) if host else addr[0], port, identifier)
                self._pass_on(data[at : at + _header.size], addr)
            elif command == _REGISTER and self._owns_port:
                self._take_client(addr)
            at += _header.size + size

    def error_received(self, exc: Exception) -> None:
        # A client that went away, or a repeater that did: it is registered with again by the timer.
        log.debug("beacons: %s", exc)

    def _beacon(self, host: str, port: int, identifier: int) -> None:
        self.received += 1
        last = self._last.get((host, port))
        self._last[host, port] = identifier
        # The number counts up with each beacon and begins again when the server is restarted.
        if last is None or identifier < last:
            self._appeared(host, port)

    def _register(self) -> None:
        assert self._transport is not None
        local = int.from_bytes(socket.inet_aton(_LOOPBACK), "big")
        self._transport.sendto(_header.pack(_REGISTER, 0, 0, 0, 0, local), (_LOOPBACK, self._port))

    def _take_client(self, client: tuple[str, int]) -> None:
        if client not in self._clients:
            if not _can_bind((client[0], 0)):
                # Only clients of this host: nobody else's packets are to be sent to others from here.
                return
            # Those that ended never say so: their ports are free again.
            self._clients = {known: None for known in self._clients if not _can_bind(known)}
            self._clients[client] = None
        if self._transport is not None:
            local = int.from_bytes(socket.inet_aton(client[0]), "big")
            self._transport.sendto(_header.pack(_CONFIRM, 0, 0, 0, 0, local), client)

    def _pass_on(self, beacon: bytes, sender: tuple[str, int]) -> None:
        if not (self._owns_port and self._transport is not None):
            return
        command, size, data_type, port, identifier, host = _header.unpack(beacon)
        host = host or int.from_bytes(socket.inet_aton(sender[0]), "big")
        for client in self._clients:
            if client != sender:
                self._transport.sendto(_header.pack(command, size, data_type, port, identifier, host), client)


def _bound(address: tuple[str, int]) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.bind(address)
    except OSError:
        opened.close()
        raise
    return opened


def _can_bind(address: tuple[str, int]) -> bool:
    """Whether this is an address of this host, with a UDP port that nobody has."""
    try:
        _bound(address).close()
    except OSError:
        return False
    return True
