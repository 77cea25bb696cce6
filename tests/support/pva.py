"""What tests of pvAccess clients share: a listener, a client that runs, and a server to play with."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any, TypeAlias

from p4p import Type, Value
from p4p.server import Server, StaticProvider
from p4p.server.raw import SharedPV

from forwarder.epics.interface import Client
from forwarder.epics.p4p_client import PvAccess
from forwarder.settings.types import PvAccessSettings
from tests.support.ca_client import LONG, running
from tests.support.ports import LOOPBACK, free_port

NEW_YEAR_S = 1_577_836_800
"""2020-01-01T00:00:00Z in seconds since 1970."""

ALARM = ("S", "alarm_t", [("severity", "i"), ("status", "i"), ("message", "s")])
TIME = ("S", "time_t", [("secondsPastEpoch", "l"), ("nanoseconds", "i"), ("userTag", "i")])


def pva_settings(*addresses: str, **changes: Any) -> PvAccessSettings:
    """Settings that reach these addresses and nothing else."""
    settings = PvAccessSettings(addr_list=addresses, auto_addr_list=False, broadcast_port=free_port())
    return replace(settings, **changes)


MakePva: TypeAlias = Callable[[PvAccessSettings, float], Client]

PVA_CLIENTS: dict[str, MakePva] = {"p4p": PvAccess}
"""Every pvAccess client there is, by what it is made of. All of them have to pass the same tests."""


@asynccontextmanager
async def pv_access(
    *addresses: str, make: MakePva = PvAccess, never_connected_after_s: float = LONG, **changes: Any
) -> AsyncIterator[Client]:
    """A running pvAccess client that searches at these addresses only."""
    client = make(pva_settings(*addresses, **changes), never_connected_after_s)
    async with running(client):
        yield client


class PvaServer:
    """A server in this process. Its PVs can be opened, closed and opened again with another structure."""

    def __init__(self) -> None:
        self.pvs: dict[str, SharedPV] = {}
        self._provider = StaticProvider("tests")
        self._ports = {"EPICS_PVAS_SERVER_PORT": free_port(), "EPICS_PVAS_BROADCAST_PORT": free_port()}
        self._server: Server | None = None

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self._ports['EPICS_PVAS_BROADCAST_PORT']}"

    @property
    def name_server(self) -> str:
        return f"{LOOPBACK}:{self._ports['EPICS_PVAS_SERVER_PORT']}"

    def add(self, name: str, value: Value) -> SharedPV:
        pv = self.pvs[name] = SharedPV(initial=value)
        self._provider.add(name, pv)
        return pv

    def start(self) -> None:
        conf = {name: str(port) for name, port in self._ports.items()} | {
            "EPICS_PVAS_INTF_ADDR_LIST": LOOPBACK,
            "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
        }
        self._server = Server(providers=[self._provider], conf=conf, useenv=False)

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop()


@contextmanager
def serving(values: Mapping[str, Value] | None = None) -> Iterator[PvaServer]:
    """A server that runs, with a PV for each value."""
    server = PvaServer()
    for name, value in (values or {}).items():
        server.add(name, value)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def stamped(structure: Type, value: Any, **fields: Any) -> Value:
    """A value of a structure, with a time and any further fields by their names (`_` for a dot)."""
    return Value(
        structure,
        {"value": value, "timeStamp": {"secondsPastEpoch": NEW_YEAR_S, "nanoseconds": 123_456_789}, **fields},
    )
