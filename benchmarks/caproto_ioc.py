"""caproto's soft IOC with counting PVs. Run as `python -m benchmarks.caproto_ioc COUNT ELEMENTS KIND moving|still`."""

import asyncio
import sys

from caproto import ChannelDouble
from caproto.asyncio.server import start_server

from benchmarks.pvs import PHASES, UPDATES_PER_PV_S, Pvs

_LOOPBACK = "127.0.0.1"


async def serve(pvs: Pvs) -> None:
    channels = {name: _channel(pvs.elements) for name in pvs.names()}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(start_server(channels, interfaces=[_LOOPBACK]))
        if pvs.moving:
            tasks.create_task(_count(list(channels.values()), pvs.elements))


def _channel(elements: int) -> ChannelDouble:
    if elements == 1:
        return ChannelDouble(value=0.0)
    return ChannelDouble(value=[0.0] * elements, max_length=elements)


async def _count(channels: list[ChannelDouble], elements: int) -> None:
    """One phase after the other. Where the machine can't keep the pace, updates come later but none is left out."""
    clock = asyncio.get_running_loop().time
    due = clock()
    count = 0
    while True:
        count += 1
        value = float(count) if elements == 1 else [float(count)] + [0.0] * (elements - 1)
        for phase in range(PHASES):
            for channel in channels[phase::PHASES]:
                await channel.write(value)
            due = max(due + 1 / (PHASES * UPDATES_PER_PV_S), clock())
            # Even when late, so that the server's own tasks get their turn.
            await asyncio.sleep(due - clock())


if __name__ == "__main__":
    count, elements, kind, pace = sys.argv[1:]
    asyncio.run(serve(Pvs(int(count), int(elements), pace == "moving", kind)))
