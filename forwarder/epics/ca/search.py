"""Asking for PVs: the datagrams of Channel Access searches, and the answers to them.

Layouts are those of the Channel Access protocol specification: CA_PROTO_VERSION (0), CA_PROTO_SEARCH (6).
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable
from struct import Struct
from typing import cast

log = logging.getLogger(__name__)

_header = Struct(">HHHHII")
_VERSION = 0
_SEARCH = 6
_NOT_FOUND = 14
_DO_NOT_REPLY = 5
"""Servers that do not have the PV stay silent."""
_MINOR_VERSION = 13
_USE_SENDER = 0xFFFFFFFF

MAX_DATAGRAM = 1024
"""Bytes; the largest that every server takes (MAX_UDP_SEND in EPICS's udpiiu.h)."""

LONGEST_NAME = MAX_DATAGRAM - 2 * _header.size - 8
"""Bytes; beside it a datagram has a version message, the header of the search, and the padding."""

VERSION_MESSAGE = _header.pack(_VERSION, 0, 0, _MINOR_VERSION, 0, 0)

Found = Callable[[int, tuple[str, int]], None]
"""Called with the identifier that was searched and the address of the server's TCP port."""


def is_searchable(name: str) -> bool:
    """Whether a PV's name can be put in a search: not empty, no NUL, and no longer than a datagram."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    return 0 < size <= LONGEST_NAME and "\0" not in name


def search_message(identifier: int, name: str) -> bytes:
    """One PV's request, to be put behind a version message."""
    payload = name.encode() + b"\0"
    payload += bytes(-len(payload) % 8)
    return _header.pack(_SEARCH, len(payload), _DO_NOT_REPLY, _MINOR_VERSION, identifier, identifier) + payload


def datagrams(messages: Iterable[bytes]) -> list[bytes]:
    """Search messages packed into as few datagrams as they fit in."""
    packed: list[bytes] = []
    current = [VERSION_MESSAGE]
    size = len(VERSION_MESSAGE)
    for message in messages:
        if size + len(message) > MAX_DATAGRAM and len(current) > 1:
            packed.append(b"".join(current))
            current = [VERSION_MESSAGE]
            size = len(VERSION_MESSAGE)
        current.append(message)
        size += len(message)
    if len(current) > 1:
        packed.append(b"".join(current))
    return packed


def read_answers(data: bytes, sender: str, found: Found) -> int:
    """Tell each answer in a datagram, or in the bytes of a name server; how many bytes were whole messages."""
    at = 0
    while len(data) - at >= _header.size:
        command, size, data_type, _, parameter1, parameter2 = _header.unpack_from(data, at)
        if len(data) - at < _header.size + size:
            break
        if command == _SEARCH:
            host = sender if parameter1 == _USE_SENDER else socket.inet_ntoa(parameter1.to_bytes(4, "big"))
            found(parameter2, (host, data_type))
        elif command not in (_VERSION, _NOT_FOUND):
            log.debug("%s answered a search with command %d", sender, command)
        at += _header.size + size
    return at


class SearchSocket(asyncio.DatagramProtocol):
    """Sends search datagrams to all addresses and tells the answers."""

    def __init__(self, found: Found) -> None:
        self.sent = 0
        """Datagrams sent."""
        self._found = found
        self._transport: asyncio.DatagramTransport | None = None
        self._is_deaf = False

    async def open(self) -> None:
        """Raises OSError when no UDP socket is to be had."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=("0.0.0.0", 0), allow_broadcast=True)

    async def mend(self) -> None:
        """Have another socket if nothing more comes by this one. Raises OSError when none is to be had."""
        if self._is_deaf:
            await self.open()
            log.debug("searching by another socket, as the one before had failed")

    def send(self, datagrams: Iterable[bytes], addresses: Iterable[tuple[str, int]]) -> None:
        """Send each datagram to each address."""
        if self._transport is None:
            return
        for address in addresses:
            for datagram in datagrams:
                self._transport.sendto(datagram, address)
                self.sent += 1

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.close()
        # uvloop's and asyncio's own transports are not all subclasses of the class they implement.
        self._transport = cast("asyncio.DatagramTransport", transport)
        self._is_deaf = False

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._is_deaf = True

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        read_answers(data, addr[0], self._found)

    def error_received(self, exc: Exception) -> None:
        # ICMP says that nothing listens at one address of the list; it may later, so the search goes on.
        log.debug("searching: %s", exc)
        # After this one, which is Windows' for the same, asyncio may never read the socket again (CPython gh-127057).
        if isinstance(exc, ConnectionResetError):
            self._is_deaf = True
