"""What answers where a database is expected may say anything: that is told, and the next look is a new one."""

import asyncio
import struct
from asyncio import FIRST_COMPLETED

import pytest

from forwarder.blocks.database import Database
from forwarder.blocks.feed import Feed
from forwarder.blocks.wanted import Source
from forwarder.settings.blocks.types import DatabaseSettings

_WITHIN_S = 10.0


def packet(number: int, content: bytes) -> bytes:
    return struct.pack("<I", len(content))[:3] + bytes([number]) + content


_FIRST = b"\x0a8.0.30\0" + struct.pack("<I", 5) + b"abcdefgh\0" + struct.pack("<HBHH", 0xFFFF, 33, 2, 0xFFFF)
GREETING = packet(0, _FIRST + b"\x15" + bytes(10) + b"ijklmnopqrst\0mysql_native_password\0")
LET_IN = packet(2, b"\0\0\0\2\0\0\0")
JUNK = {
    "nothing": b"",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "half a greeting": packet(0, _FIRST[:20]),
    "a greeting without end": packet(0, b"\x0a8.0.30"),
    "noise in a packet": packet(0, b"\x0a" + bytes(range(1, 40))),
    "an unknown answer": GREETING + packet(2, b"\xfewhat\0abc"),
    "columns that are none": GREETING + LET_IN + packet(1, b"\2") + packet(2, b"\x20junk") + packet(3, b"\xfe"),
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_junk_is_told_and_never_ends_it(junk: bytes) -> None:
    feed = Feed(Source.ARCHIVE, lambda source, pvs: pytest.fail(f"{pvs} are wanted"), lambda: 0.0, "archived")

    async def ask() -> None:
        asked_again = asyncio.Event()
        asked = 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            asked += 1
            if asked > 1:
                asked_again.set()
            writer.write(junk)
            writer.write_eof()
            await reader.read()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        database = Database(DatabaseSettings("127.0.0.1", port, "me", "secret", 0.01), feed)
        async with server, asyncio.timeout(_WITHIN_S):
            asking = asyncio.create_task(database.run())
            await asyncio.wait([asking, again := asyncio.create_task(asked_again.wait())], return_when=FIRST_COMPLETED)
            assert not asking.done(), asking.exception()
            asking.cancel()
            await asyncio.gather(asking, again, return_exceptions=True)

    asyncio.run(ask())
    assert feed.problem.startswith("the database at 127.0.0.1:")
    assert "\n" not in feed.problem
