"""A server that sends far more than one read brings, on both event loops: all else has its turn in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import caproto

from forwarder.epics.ca.client import ChannelAccess
from forwarder.idle import WhenIdle
from forwarder.ticker import Ticker
from tests.support.ca_client import LONG, Recorder, Run, ca_settings, running, until
from tests.support.ca_messages import event
from tests.support.ca_servers import Searches, TcpServer, answering_searches, tcp_server, well

_SENT = 30_000
"""Updates, 1.2 MB."""
_AT_ONCE = 32_768 // 40 + 1
"""Updates that a read brings at most."""
_FLOOD = [event(0, [float(n)]) for n in range(_SENT)]


def _flood(command: caproto.Message) -> bytes:
    return b"".join(_FLOOD) if isinstance(command, caproto.EventAddRequest) else well(command)


@asynccontextmanager
async def _flooded() -> AsyncIterator[tuple[ChannelAccess, Searches, TcpServer]]:
    """A client whose reading is held as the service does it, and a server that floods whoever subscribes."""
    ticker = Ticker(0.019, when_idle=WhenIdle().call)
    ticking = asyncio.create_task(ticker.run())
    try:
        async with tcp_server(_flood) as server, answering_searches(server.port) as searches:
            client = ChannelAccess(ca_settings(searches.address), LONG, ticker.hold)
            async with running(client):
                yield client, searches, server
    finally:
        ticking.cancel()


def test_others_have_their_turn_after_each_read_and_all_that_was_sent_before_the_end_is_heard(run: Run[None]) -> None:
    async def main() -> None:
        async with _flooded() as (client, searches, server):
            server.closes_after = caproto.EventAddRequest
            recorder = Recorder("PV")
            client.subscribe(recorder)
            seen = [0]
            while not recorder.heard or recorder.heard[-1] != ("disconnected",):
                await asyncio.sleep(0)
                if seen[-1] != (now := client.counts()["updates"]):
                    seen.append(now)
                    # Lost, it is not to be found a second time.
                    searches.tcp_port = None
            assert max(after - before for before, after in pairwise(seen)) <= _AT_ONCE
            assert recorder.values == list(range(_SENT))
            assert recorder.story == ["connected", "update", "disconnected"]

    run(asyncio.wait_for(main(), 30))


def test_who_leaves_in_the_middle_hears_no_more_and_the_connection_is_closed(run: Run[None]) -> None:
    async def main() -> None:
        async with _flooded() as (client, _, server):
            recorder = Recorder("PV")
            leaves_at = _SENT // 2
            recorder.on_update = lambda: client.unsubscribe(recorder) if recorder.heard[-1][1] == leaves_at else None
            client.subscribe(recorder)
            await until(lambda: server.connections and server.connections[0].is_closing(), what="it is closed")
            assert recorder.values == list(range(leaves_at + 1))
            assert client.counts()["circuits"] == 0

    run(asyncio.wait_for(main(), 30))
