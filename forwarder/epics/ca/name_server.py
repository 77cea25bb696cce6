"""Asking for PVs over TCP: a gateway or name server that is listed in EPICS_CA_NAME_SERVERS."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable

from .search import VERSION_MESSAGE, Found, read_answers

log = logging.getLogger(__name__)

_RETRY_S = 5.0
_OPEN_TIMEOUT_S = 5.0


class NameServer:
    """One name server: connected for as long as there is anything to search, and again when it was away."""

    def __init__(self, address: tuple[str, int], found: Found) -> None:
        self.address = address
        self.sent = 0
        """Writes of search messages."""
        self._found = found
        self._writer: asyncio.StreamWriter | None = None
        self._away = False

    def send(self, messages: Iterable[bytes]) -> None:
        """Ask it for these PVs, unless it's away: they will be asked for again."""
        if self._writer is not None:
            self._writer.write(b"".join(messages))
            self.sent += 1

    async def run(self) -> None:
        """Keep connected until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_OPEN_TIMEOUT_S):
                    reader, writer = await asyncio.open_connection(*self.address)
            except (OSError, TimeoutError) as error:
                self._complain(f"cannot be reached: {error or 'no answer'}")
            else:
                try:
                    await self._converse(reader, writer)
                except OSError as error:
                    self._complain(str(error))
                finally:
                    self._writer = None
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
            await asyncio.sleep(_RETRY_S)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._away = False
        writer.write(VERSION_MESSAGE)
        self._writer = writer
        rest = b""
        while data := await reader.read(65536):
            rest += data
            rest = rest[read_answers(rest, self.address[0], self._found) :]
        self._complain("closed the connection")

    def _complain(self, reason: str) -> None:
        if not self._away:
            log.warning("the name server %s:%d %s; trying again every %g s", *self.address, reason, _RETRY_S)
        self._away = True
