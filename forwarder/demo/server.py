"""caproto's server, mended: with caproto 1.3 a client that gives up one PV gets no updates of any other any more."""

from collections.abc import Callable, Mapping
from typing import Any

from caproto import CLOSED, MUST_CLOSE, SERVER, ChannelData
from caproto.asyncio.server import Context, VirtualCircuit

from forwarder.demo.ports import LOOPBACK


class _Circuit(VirtualCircuit):
    async def _cull_subscriptions(self, db_entry: Any, func: Callable[[Any], bool]) -> Any:
        # Those of a channel that is being closed go with it. They are looked for by something they do not have, and
        # the next update for one of them ends the task that sends them all.
        return await super()._cull_subscriptions(
            db_entry, lambda sub: func(sub) or sub.channel.states[SERVER] in (MUST_CLOSE, CLOSED)
        )


class _Server(Context):
    CircuitClass = _Circuit


async def serve(channels: Mapping[str, ChannelData]) -> None:
    """Serve these on the loopback, at the UDP port that EPICS_CA_SERVER_PORT names, until it is cancelled."""
    await _Server(dict(channels), [LOOPBACK]).run()
