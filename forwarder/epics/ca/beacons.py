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
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Own the repeater's port, or register with who owns it."""
        loop = asyncio.get_running_loop()
        try:
            await loop.create_datagram_endpoint(lambda: self, local_addr=("0.0.0.0", self._port))
            self._owns_port = True
        except OSError:
            await loop.create_datagram_endpoint(lambda: self, local_addr=(_LOOPBACK, 0))
            self._register()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
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
        self._timer = asyncio.get_running_loop().call_later(_REGISTER_AGAIN_S, self._register)

    def _take_client(self, client: tuple[str, int]) -> None:
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
