"""The ways to Graylog: GELF by UDP and by TCP. What is used here blocks, and so belongs in a thread."""

import os
import socket
import time
from collections.abc import Mapping
from typing import Any, Protocol

from pygelf import gelf

from ..settings.types import GraylogSettings

_TIMEOUT_S = 10.0
"""How long Graylog may take to accept a connection, or to take a record."""
_DATAGRAM_BYTES = 1300
_LOOK_UP_AGAIN_S = 60.0


class Link(Protocol):
    """A way to Graylog. It connects by itself, and again after a fault."""

    keeps: bool
    """Whether what could not be sent is worth another try: nothing says which datagrams have arrived."""

    def pack(self, message: Mapping[str, Any]) -> bytes: ...
    def send(self, data: bytes) -> None:
        """Raises OSError when this, or one before, could not be sent, or UnicodeError for the name of the host."""
        ...

    def check(self) -> None:
        """Raises OSError when Graylog has gone, as far as that is known."""
        ...

    def interrupt(self) -> None:
        """End what another thread is waiting for in here."""
        ...

    def close(self) -> None: ...


def link_to(settings: GraylogSettings) -> Link:
    return _Tcp(settings) if settings.protocol == "tcp" else _Udp(settings)


class _Udp:
    keeps = False

    def __init__(self, settings: GraylogSettings) -> None:
        self._settings = settings
        self._socket: socket.socket | None = None
        self._look_up_at = 0.0

    def pack(self, message: Mapping[str, Any]) -> bytes:
        return gelf.pack(message, True, str)

    def send(self, data: bytes) -> None:
        refused = self._refused()
        if self._socket is None or refused or time.monotonic() >= self._look_up_at:
            self.close()
            self._socket = self._connected()
            self._look_up_at = time.monotonic() + _LOOK_UP_AGAIN_S
        for part in [data] if len(data) <= _DATAGRAM_BYTES else gelf.split(data, _DATAGRAM_BYTES):
            self._socket.send(part)
        if refused:
            raise refused

    def check(self) -> None:
        if refused := self._refused():
            self.close()
            raise refused

    def interrupt(self) -> None:
        """A datagram waits for nobody."""

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _refused(self) -> OSError | None:
        """What a host answered to a datagram of before: nobody listens there."""
        number = 0 if self._socket is None else self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return OSError(number, os.strerror(number)) if number else None

    def _connected(self) -> socket.socket:
        found = socket.getaddrinfo(self._settings.host, self._settings.port, type=socket.SOCK_DGRAM)
        # Both kinds of address seem to work at once, and an input listens at the older one by default.
        family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        made = socket.socket(family, kind, protocol)
        try:
            made.connect(address)
        except OSError:
            made.close()
            raise
        return made


class _Tcp:
    keeps = True

    def __init__(self, settings: GraylogSettings) -> None:
        self._settings = settings
        self._socket: socket.socket | None = None

    def pack(self, message: Mapping[str, Any]) -> bytes:
        return gelf.pack(message, False, str) + b"\0"

    def send(self, data: bytes) -> None:
        try:
            self.check()
            if self._socket is None:
                self._socket = socket.create_connection((self._settings.host, self._settings.port), _TIMEOUT_S)
            self._socket.sendall(data)
        except OSError:
            # Part of it may have been sent: what follows would be taken for the rest of it.
            self.close()
            raise

    def check(self) -> None:
        """What is sent into a connection that Graylog has closed would be gone without a word."""
        if self._socket is None:
            return
        self._socket.setblocking(False)
        try:
            if not self._socket.recv(1024):
                self.close()
                raise ConnectionResetError("it has closed the connection")
        except BlockingIOError:
            pass
        self._socket.settimeout(_TIMEOUT_S)

    def interrupt(self) -> None:
        waiting = self._socket
        if waiting is not None:
            try:
                waiting.shutdown(socket.SHUT_RDWR)
            except OSError:
                # It has just been closed.
                return

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
