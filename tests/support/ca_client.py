"""What tests of the Channel Access client share: a listener that remembers, and a client that runs for a while."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

import numpy as np

from forwarder.epics.ca.client import ChannelAccess
from forwarder.epics.interface import Client
from forwarder.model import ChannelType, Value
from forwarder.settings.types import ChannelAccessSettings
from tests.support.ports import free_port

Result = TypeVar("Result")
Run: TypeAlias = Callable[[Coroutine[Any, Any, Result]], Result]

_PAUSE_S = 0.005

LONG = 1e9


class Recorder:
    """Remembers all that it hears, in order.

    Units, enum strings and alarm texts are kept beside that, each with the number of things heard before it.
    """

    def __init__(self, channel: str, *, wants_description: bool = False) -> None:
        self.channel = channel
        self.wants_description = wants_description
        self.heard: list[tuple[Any, ...]] = []
        self.servers: list[str] = []
        self.messages: list[tuple[int, str]] = []
        self.descriptions: list[tuple[int, str, tuple[str, ...]]] = []
        self.on_connect: Callable[[], None] = lambda: None
        self.on_update: Callable[[], None] = lambda: None

    @property
    def alarm_message(self) -> str:
        return self.messages[-1][1] if self.messages else ""

    @alarm_message.setter
    def alarm_message(self, text: str) -> None:
        self.messages.append((len(self.heard), text))

    def connected(self, kind: ChannelType, server: str = "") -> None:
        self.heard.append(("connected", kind))
        self.servers.append(server)
        self.on_connect()

    def described(self, units: str, choices: tuple[str, ...]) -> None:
        self.descriptions.append((len(self.heard), units, choices))

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        self.heard.append(("update", value, time_ns, status, severity))
        self.on_update()

    def failed(self, error: Exception) -> None:
        self.heard.append(("failed", error))

    def disconnected(self, reason: str = "") -> None:
        self.heard.append(("disconnected",))

    def never_connected(self) -> None:
        self.heard.append(("never_connected",))

    @property
    def story(self) -> list[str]:
        """What happened, without its content; several updates in a row are told once."""
        words = [word for word, *_ in self.heard]
        return [word for before, word in zip(["", *words], words, strict=False) if not before == word == "update"]

    @property
    def kinds(self) -> list[ChannelType]:
        return [kind for word, *(kind, *_) in (entry for entry in self.heard if entry[0] == "connected")]

    @property
    def updates(self) -> list[tuple[Value, int, int, int]]:
        return [(entry[1], entry[2], entry[3], entry[4]) for entry in self.heard if entry[0] == "update"]

    @property
    def values(self) -> list[Any]:
        """The values, arrays as lists."""
        return [plain(entry[1]) for entry in self.heard if entry[0] == "update"]

    @property
    def errors(self) -> list[Exception]:
        return [entry[1] for entry in self.heard if entry[0] == "failed"]

    @property
    def told(self) -> list[tuple[str, tuple[str, ...]]]:
        """The units and enum strings, each time they were told."""
        return [(units, choices) for _, units, choices in self.descriptions]

    def count(self, word: str) -> int:
        return sum(entry[0] == word for entry in self.heard)


def plain(value: Value) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


async def until(predicate: Callable[[], Any], deadline_s: float = 10.0, *, what: str = "") -> Any:
    """As `wait_until`, while the event loop goes on."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + deadline_s
    while not (found := predicate()):
        if loop.time() > give_up:
            raise TimeoutError(f"not within {deadline_s:g} s: {what or predicate}; the last answer was {found!r}")
        await asyncio.sleep(_PAUSE_S)
    return found


def ca_settings(*addresses: str, **changes: Any) -> ChannelAccessSettings:
    """Settings that reach these addresses and nothing else."""
    settings = ChannelAccessSettings(addr_list=addresses, auto_addr_list=False, repeater_port=free_port())
    return replace(settings, **changes)


@asynccontextmanager
async def running(client: Client) -> AsyncIterator[Client]:
    """A client that is started and run, and closed at the end; what its `run` raises is raised here."""
    await client.start()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(client.run())
        try:
            yield client
        finally:
            task.cancel()
            await client.close()
            # Closed transports go in the next turn of the loop.
            await asyncio.sleep(0)


@asynccontextmanager
async def channel_access(
    *addresses: str, never_connected_after_s: float = LONG, **changes: Any
) -> AsyncIterator[ChannelAccess]:
    """A running Channel Access client that searches at these addresses only."""
    client = ChannelAccess(ca_settings(*addresses, **changes), never_connected_after_s)
    async with running(client):
        yield client


def last_value(recorder: Recorder) -> Any:
    return recorder.values[-1] if recorder.values else None
