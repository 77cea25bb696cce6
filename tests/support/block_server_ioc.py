"""A block server as the real one is to its clients: one char waveform, which says what its standard input says.

`python -m tests.support.block_server_ioc PV FILE`: FILE holds the first value, each line of the input is the place of
a file with the next one. Behind a value there is a NUL and what a longer one has left there, as in the real one.
"""

import asyncio
import sys
from pathlib import Path

from caproto import ChannelType
from caproto.server import PVGroup, pvproperty
from caproto.server import run as serve

_ELEMENTS = 400_000
_JUNK = b"\0deadbeef"


class BlockServer(PVGroup):
    names = pvproperty(name="", value=b"", dtype=ChannelType.CHAR, max_length=_ELEMENTS)

    @names.startup
    async def names(self, instance, async_lib):
        loop = asyncio.get_running_loop()
        await instance.write(_value(sys.argv[2]))
        while place := await loop.run_in_executor(None, sys.stdin.readline):
            await instance.write(_value(place.strip()))
            sys.stdout.write(f"serves {place}")
            sys.stdout.flush()


def _value(place: str) -> bytes:
    return Path(place).read_bytes() + _JUNK


if __name__ == "__main__":
    serve(BlockServer(prefix=sys.argv[1]).pvdb, interfaces=["127.0.0.1"], log_pv_names=False)
