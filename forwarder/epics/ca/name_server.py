"""Asking for PVs over TCP: a gateway or name server that is listed in EPICS_CA_NAME_SERVERS."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from struct import Struct

from forwarder.faults import RepeatingFault

from .search import VERSION_MESSAGE, Found, read_answers

log = logging.getLogger(__name__)

_RETRY_S = 5.0
_STEADY_S = 2 * _RETRY_S
"""How long it must have kept a connection to count as back, for one may accept and close it again and again."""
_OPEN_TIMEOUT_S = 5.0
_ECHO_ANSWER_S = 5.0
"""How long a server may take to answer an echo (caProto.h: CA_ECHO_TIMEOUT)."""
_ECHO_MESSAGE = Struct(">HHHHII").pack(23, 0, 0, 0, 0, 0)
_LARGEST_BACKLOG = 1_048_576
"""Bytes of searches that a server has not taken; it is asked for no more until it has."""


class NameServer:
    """One name server: kept connected, echoed when silent, and opened again after every kind of loss."""

    def __init__(
        self,
        address: tuple[str, int],
        found: Found,
        appeared: Callable[[str, int], None],
        conn_timeout_s: float,
    ) -> None:
        """`appeared` is called with its host and port whenever it can be asked from now on."""
        self.address = address
        self.sent = 0
        """Writes of search messages."""
        self._found = found
        self._appeared = appeared
        self._conn_timeout_s = conn_timeout_s
        self._writer: asyncio.StreamWriter | None = None
        self._fault = RepeatingFault(log, "the name server {}:{}".format(*address), time.monotonic)

    def send(self, messages: Iterable[bytes]) -> None:
        """Ask it for these PVs, unless it's away or too slow: they will be asked for again."""
        if self._writer is not None and self._writer.transport.get_write_buffer_size() < _LARGEST_BACKLOG:
            self._writer.write(b"".join(messages))
            self.sent += 1

    async def run(self) -> None:
        """Keep connected until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_OPEN_TIMEOUT_S):
                    reader, writer = await asyncio.open_connection(*self.address)
            except (OSError, TimeoutError) as error:
                self._fault.occurred(f"cannot be reached: {error or 'no answer'}; trying again every {_RETRY_S:g} s")
            else:
                try:
                    await self._converse(reader, writer)
                except OSError as error:
                    self._fault.occurred(error)
                finally:
                    self._writer = None
                    # Not closed: that would wait until a server that reads nothing has read what is buffered.
                    writer.transport.abort()
            await asyncio.sleep(_RETRY_S)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(VERSION_MESSAGE)
        self._writer = writer
        self._appeared(*self.address)
        rest = b""
        while data := await self._read(reader, writer):
            self._fault.over_if_quiet(_STEADY_S)
            rest += data
            rest = rest[read_answers(rest, self.address[0], self._found) :]
        self._fault.occurred("closed the connection")

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """What it says next; a silent one is asked for an echo. Raises TimeoutError when it stays silent."""
        try:
            async with asyncio.timeout(self._conn_timeout_s):
                return await reader.read(65536)
        except TimeoutError:
            writer.write(_ECHO_MESSAGE)
        try:
            async with asyncio.timeout(_ECHO_ANSWER_S):
                return await reader.read(65536)
        except TimeoutError:
            raise TimeoutError("does not answer an echo") from None
