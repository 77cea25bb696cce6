"""Channel Access servers that misbehave in one way each: what no real one does on demand."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import caproto

from tests.support.ca_messages import ECHO, VERSION, created, event
from tests.support.ports import LOOPBACK


class Searches(asyncio.DatagramProtocol):
    """Answers every search with one TCP port, or with nothing; remembers when what was asked for."""

    def __init__(self, tcp_port: int | None) -> None:
        self.tcp_port = tcp_port
        self.datagrams: list[float] = []
        self.asked: list[tuple[float, str]] = []
        self.transport: asyncio.DatagramTransport | None = None

    @property
    def address(self) -> str:
        assert self.transport is not None
        return f"{LOOPBACK}:{self.transport.get_extra_info('sockname')[1]}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        now = asyncio.get_running_loop().time()
        self.datagrams.append(now)
        for name, cid in searched(data):
            self.asked.append((now, name))
            if self.tcp_port is not None:
                self.transport.sendto(bytes(caproto.SearchResponse(self.tcp_port, None, cid, 13)), addr)


def searched(data: bytes) -> list[tuple[str, int]]:
    """The names and identifiers of the searches among whole messages, without caproto's slowness."""
    found = []
    at = 0
    while len(data) - at >= 16:
        command, size, _, _, cid, _ = struct.unpack_from(">HHHHII", data, at)
        if command == 6:
            found.append((data[at + 16 : at + 16 + size].rstrip(b"\0").decode(), cid))
        at += 16 + size
    return found


@asynccontextmanager
async def answering_searches(tcp_port: int | None) -> AsyncIterator[Searches]:
    searches = Searches(tcp_port)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: searches, local_addr=(LOOPBACK, 0))
    try:
        yield searches
    finally:
        transport.close()
        await asyncio.sleep(0)


class Conversation(asyncio.Protocol):
    """One connection of a client: what it says, and what it is answered, is up to a function."""

    def __init__(self, server: "TcpServer") -> None:
        self._server = server
        self._circuit = caproto.VirtualCircuit(caproto.SERVER, (LOOPBACK, 0), None)
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._server.connections.append(self)

    def data_received(self, data: bytes) -> None:
        commands, _ = self._circuit.recv(data)
        for command in commands:
            self._server.heard.append(command)
            assert self.transport is not None
            self.transport.write(self._server.answer(command))
            if self._server.closes_after is not None and isinstance(command, self._server.closes_after):
                self.transport.close()

    def is_closing(self) -> bool:
        assert self.transport is not None
        return self.transport.is_closing()

    def abort(self) -> None:
        assert self.transport is not None
        self.transport.abort()


class TcpServer:
    """Accepts connections; tells what came, and answers as its function says."""

    def __init__(self, answer: Callable[[caproto.Message], bytes]) -> None:
        self.answer = answer
        self.closes_after: type[caproto.Message] | None = None
        self.heard: list[caproto.Message] = []
        self.connections: list[Conversation] = []
        self.port = 0

    def count(self, kind: type[caproto.Message]) -> int:
        return sum(isinstance(command, kind) for command in self.heard)


@asynccontextmanager
async def tcp_server(answer: Callable[[caproto.Message], bytes], port: int = 0) -> AsyncIterator[TcpServer]:
    served = TcpServer(answer)
    listening = await asyncio.get_running_loop().create_server(lambda: Conversation(served), LOOPBACK, port)
    served.port = listening.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        listening.close()
        for connection in served.connections:
            connection.abort()
        await asyncio.sleep(0)


def silent(_: caproto.Message) -> bytes:
    return b""


def well(command: caproto.Message) -> bytes:
    """Every PV is here, and has the value 1.5."""
    match command:
        case caproto.VersionRequest():
            return VERSION
        case caproto.CreateChanRequest():
            return created(command.cid)
        case caproto.EventAddRequest():
            return event(command.subscriptionid, [1.5])
        case caproto.EchoRequest():
            return ECHO
        case caproto.ClearChannelRequest():
            return bytes(caproto.ClearChannelResponse(command.sid, command.cid))
        case _:
            return b""


class Wire:
    """Passes bytes on between a client and a server, until it is cut: then nothing at all, and no end either."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.connections = 0
        self.cut = False
        self.port = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        if self.cut:
            return
        from_server, to_server = await asyncio.open_connection(*self._server)
        self._writers.append(to_server)
        for source, sink in ((reader, to_server), (from_server, writer)):
            task = asyncio.get_running_loop().create_task(self._pass_on(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if not self.cut:
                sink.write(data)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def wire_to(server: tuple[str, int]) -> AsyncIterator[Wire]:
    wire = Wire(server)
    listening = await asyncio.start_server(wire.accept, LOOPBACK, 0)
    wire.port = listening.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        listening.close()
        await wire.close()
