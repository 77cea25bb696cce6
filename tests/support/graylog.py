"""A Graylog input to send logs to: real sockets, and what came in."""

import contextlib
import json
import socket
import threading
import zlib
from types import TracebackType
from typing import Any, Self


class UdpGraylog:
    """Takes GELF by UDP, whole or in chunks."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(5)
        self.port: int = self._socket.getsockname()[1]
        self._chunks: dict[bytes, dict[int, bytes]] = {}

    def read(self) -> dict[str, Any]:
        """The next record; TimeoutError after 5 s without any."""
        while True:
            data = self._socket.recv(65536)
            if data[:2] == b"\x1e\x0f":
                chunks = self._chunks.setdefault(data[2:10], {})
                chunks[data[10]] = data[12:]
                if len(chunks) < data[11]:
                    continue
                data = b"".join(chunk for _, chunk in sorted(chunks.items()))
            return json.loads(zlib.decompress(data))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()


class TcpGraylog:
    """Takes GELF by TCP from one client at a time; may hang, or go away and come back at the same port."""

    def __init__(self, port: int = 0, *, hangs: bool = False) -> None:
        self.records: list[dict[str, Any]] = []
        self.connections = 0
        self._hangs = hangs
        self._listener = socket.create_server(("127.0.0.1", port), backlog=5)
        self.port: int = self._listener.getsockname()[1]
        self._taken: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def texts(self) -> list[str]:
        return [record["short_message"] for record in self.records]

    def close(self) -> None:
        """Go away: whoever is connected notices."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for taken in self._taken:
            with contextlib.suppress(OSError):
                taken.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for taken in self._taken:
            taken.close()

    def _serve(self) -> None:
        while True:
            try:
                taken, _ = self._listener.accept()
            except OSError:
                return
            self._taken.append(taken)
            self.connections += 1
            if not self._hangs:
                self._read(taken)

    def _read(self, taken: socket.socket) -> None:
        rest = b""
        while True:
            try:
                data = taken.recv(65536)
            except OSError:
                return
            if not data:
                return
            *frames, rest = (rest + data).split(b"\0")
            self.records += [json.loads(frame) for frame in frames]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
