"""A circuit without a network: bytes go in by hand, and what it sends is kept."""

import asyncio
from typing import cast

import caproto

from forwarder.epics.ca.channel import Channel, Event
from forwarder.epics.ca.circuit import LARGE_READ_BYTES, Circuit
from tests.support.ca_client import Recorder

ADDRESS = ("127.0.0.1", 5064)


class Transport:
    def __init__(self) -> None:
        self.written = b""
        self.aborted = False
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        self.closed = True


class Owner:
    """Remembers what it is told, and moves channels as the client does."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.created: list[tuple[str, int]] = []
        """Channels, and how many elements they can hold."""

    def circuit_ready(self, circuit: Circuit) -> None:
        self.told.append(("ready", ""))

    def channel_created(self, channel: Channel, largest_count: int) -> None:
        self.created.append((channel.name, largest_count))

    def channel_lost(self, channel: Channel, reason: str) -> None:
        channel.happened(Event.LOST)
        self.told.append(("channel lost", channel.name))

    def circuit_lost(self, circuit: Circuit, reason: str) -> None:
        self.told.append(("circuit lost", reason))


class Rig:
    """One circuit, connected, with channels whose identifiers are 0, 1, 2 and so on. To be made in an event loop."""

    def __init__(self, *names: str, max_array_bytes: int = 16_384) -> None:
        self.owner = Owner()
        self.circuit = Circuit(
            ADDRESS,
            self.owner,
            0.0,
            identity=("host", "user"),
            max_array_bytes=max_array_bytes,
            buffer=bytearray(LARGE_READ_BYTES),
        )
        self.transport = Transport()
        self._server = caproto.VirtualCircuit(caproto.SERVER, ADDRESS, None)
        self.recorders: list[Recorder] = []
        self.channels: list[Channel] = []
        for name in names:
            self.add(name)
        self.circuit.connection_made(cast("asyncio.BaseTransport", self.transport))

    def add(self, name: str, *, wants_description: bool = False) -> Channel:
        recorder = Recorder(name, wants_description=wants_description)
        channel = Channel(len(self.channels), recorder, 0.0)
        channel.happened(Event.FOUND)
        self.channels.append(channel)
        self.recorders.append(recorder)
        self.circuit.create(channel)
        return channel

    def hear(self, *frames: bytes) -> list[int]:
        """Let it read all that; in reads of how many bytes it did, at most as many as it had room for."""
        left = memoryview(b"".join(frames))
        reads: list[int] = []
        while left:
            buffer = self.circuit.get_buffer(-1)
            reads.append(min(len(buffer), len(left)))
            buffer[: reads[-1]] = left[: reads[-1]]
            self.circuit.buffer_updated(reads[-1])
            # What is kept of a read must not lie in what the next one fills.
            buffer[:] = bytes(len(buffer))
            left = left[reads[-1] :]
        return reads

    async def sent(self) -> list[caproto.Message]:
        """What was sent since the last time, as a server of caproto reads it."""
        await asyncio.sleep(0)
        written, self.transport.written = self.transport.written, b""
        if not written:
            return []
        commands, _ = self._server.recv(written)
        return list(commands)
