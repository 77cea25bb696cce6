"""What every EPICS client of the service looks like, and what it expects of those it serves."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from forwarder.model import ChannelType, Value


class Listener(Protocol):
    """Who wants the updates of one PV."""

    @property
    def alarm_message(self) -> str:
        """The text of the alarm where the transport has one; empty: the status' own name."""
        ...

    @alarm_message.setter
    def alarm_message(self, text: str) -> None:
        """Set before the update it is about, and only when it has changed."""
        ...

    @property
    def channel(self) -> str:
        """Name of the PV."""
        ...

    @property
    def wants_description(self) -> bool:
        """Whether it has a use for `described`; a client that has to ask the server for it does so only then."""
        ...

    def connected(self, kind: ChannelType, server: str = "") -> None:
        """The PV has connected, or connected again, and this is its type; its first update follows.

        `server` is the `host:port` that serves it, empty where the client does not learn that.
        """
        ...

    def described(self, units: str, choices: tuple[str, ...]) -> None:
        """The PV's units or enum strings are known, or have changed; both are empty where there are none."""
        ...

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        """One update: EPICS time in nanoseconds since the Unix epoch, EPICS alarm numbers."""
        ...

    def failed(self, error: Exception) -> None:
        """An update could not be read, or `update` raised this error on it."""
        ...

    def disconnected(self, reason: str = "") -> None:
        """The connection is lost, for a reason in words if one is known; the PV will be searched again."""
        ...

    def never_connected(self) -> None:
        """The grace period is over and no server has ever offered the PV; the search goes on."""
        ...


class Client(Protocol):
    """Reads PVs over one transport. Its methods are called in the event loop and return at once."""

    beats: int
    """How often the work in the background went round: goes up as long as it is not stuck."""

    async def start(self) -> None:
        """Open sockets. Raises OSError when none can be had."""
        ...

    async def run(self) -> None:
        """Do what has to be done in the background, until cancelled."""
        ...

    def subscribe(self, listener: Listener) -> None:
        """Search the listener's PV, subscribe to it, and keep doing so whatever happens to its server."""
        ...

    def describe(self, listener: Listener) -> None:
        """A subscribed listener has come to want its description: tell it, now if it is connected."""
        ...

    def unsubscribe(self, listener: Listener) -> None:
        """Stop; the listener hears nothing more."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Counters of what the client did, for the status."""
        ...

    def searched_at(self) -> Sequence[str]:
        """Where PVs are searched, in words, an address each."""
        ...

    async def close(self) -> None:
        """Unsubscribe everything and close all sockets."""
        ...
