"""A soft IOC that looks like an instrument. Run as `python -m forwarder.demo.ioc PREFIX BEGUN`.

It has blocks, a block server and a run log, whose first run starts at BEGUN, in seconds since the Unix epoch. It
listens on loopback, at the UDP port that EPICS_CA_SERVER_PORT names, and runs until it is ended.
"""

import asyncio
import sys

from caproto import ChannelData

from forwarder.demo.block_server import BlockServer
from forwarder.demo.blocks import Blocks
from forwarder.demo.run_log import RunLog
from forwarder.demo.server import serve


class Instrument:
    """All that the IOC serves."""

    def __init__(self, begun_s: float) -> None:
        self._blocks = Blocks()
        self._block_server = BlockServer(list(self._blocks.by_name()))
        self._run_log = RunLog(begun_s)

    def by_name(self, prefix: str) -> dict[str, ChannelData]:
        """Channels by the names of their PVs."""
        blocks = {f"{prefix}CS:SB:{name}": channel for name, channel in self._blocks.by_name().items()}
        run_log = {f"{prefix}DAE:{name}": channel for name, channel in self._run_log.by_name().items()}
        others = {f"{prefix}{name}": channel for name, channel in self._blocks.others().items()}
        return {f"{prefix}CS:BLOCKSERVER:BLOCKNAMES": self._block_server.names, **blocks, **run_log, **others}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for part in (self._blocks, self._block_server, self._run_log):
                tasks.create_task(part.run())


def pv_names(prefix: str) -> list[str]:
    """The PVs that the IOC serves, the block server's first."""
    return list(Instrument(0.0).by_name(prefix))


async def main(prefix: str, begun_s: float) -> None:
    instrument = Instrument(begun_s)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(instrument.by_name(prefix)))
        tasks.create_task(instrument.run())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
