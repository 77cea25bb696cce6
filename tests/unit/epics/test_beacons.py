"""Beacons on real sockets of the loopback interface; the repeater's port is a free one each time."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing

import caproto
import pytest

from forwarder.epics.ca import beacons
from forwarder.epics.ca.beacons import Beacons
from tests.support.ca_client import Run, until
from tests.support.ports import LOOPBACK, free_port

HOST = "10.1.2.3"


def beacon(identifier: int, *, host: str = HOST, port: int = 5064) -> bytes:
    return bytes(caproto.Beacon(13, port, identifier, host))


class Heard:
    """A listener to beacons, and what it told."""

    def __init__(self, port: int) -> None:
        self.appeared: list[tuple[str, int]] = []
        self.port = port
        self.beacons = Beacons(lambda host, port: self.appeared.append((host, port)), port)

    async def hears(self, *datagrams: bytes) -> None:
        """Send datagrams, and wait until all their beacons have been counted."""
        with closing(udp_socket()) as server:
            for datagram in datagrams:
                before = self.beacons.received
                server.sendto(datagram, (LOOPBACK, self.port))
                await until(lambda before=before: self.beacons.received > before)


def udp_socket(port: int = 0) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((LOOPBACK, port))
    opened.setblocking(False)
    return opened


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[Heard]:
    heard = Heard(port)
    await heard.beacons.open()
    running = asyncio.create_task(heard.beacons.run())
    try:
        yield heard
    finally:
        running.cancel()
        await asyncio.wait([running])
        heard.beacons.close()
        await asyncio.sleep(0)


async def receive(client: socket.socket) -> tuple[bytes, tuple[str, int]]:
    def received() -> tuple[bytes, tuple[str, int]] | None:
        try:
            return client.recvfrom(1024)
        except BlockingIOError:
            return None

    return await until(received, 5)


# Identifiers of the beacons of one server, and how many of them tell that it is new or was restarted.
SEQUENCES = {
    "first of all": ([5], 1),
    "going on": ([5, 6, 7, 8], 1),
    "with a gap": ([5, 9], 1),
    "the same twice, over two networks": ([5, 5, 6, 6], 1),
    "restarted": ([5, 6, 0, 1, 2], 2),
    "restarted twice": ([5, 0, 1, 0], 3),
}


@pytest.mark.parametrize(("identifiers", "appeared"), SEQUENCES.values(), ids=SEQUENCES)
def test_a_sequence_that_begins_tells_of_a_server(run: Run[None], identifiers: list[int], appeared: int) -> None:
    async def main() -> None:
        async with listening(free_port()) as heard:
            await heard.hears(*map(beacon, identifiers))
            assert heard.appeared == [(HOST, 5064)] * appeared

    run(main())


def test_servers_are_told_apart_by_host_and_port(run: Run[None]) -> None:
    async def main() -> None:
        async with listening(free_port()) as heard:
            await heard.hears(beacon(9), beacon(3, port=5066), beacon(3, host="10.1.2.4"), beacon(10))
            assert heard.appeared == [(HOST, 5064), (HOST, 5066), ("10.1.2.4", 5064)]

    run(main())


def test_a_beacon_without_an_address_is_its_senders(run: Run[None]) -> None:
    async def main() -> None:
        async with listening(free_port()) as heard:
            await heard.hears(beacon(1, host="0.0.0.0"))
            assert heard.appeared == [(LOOPBACK, 5064)]

    run(main())


def test_junk_is_passed_over(run: Run[None]) -> None:
    async def main() -> None:
        async with listening(free_port()) as heard:
            with closing(udp_socket()) as server:
                for junk in (b"x", b"\xff" * 100, beacon(1)[:15]):
                    server.sendto(junk, (LOOPBACK, heard.port))
            await heard.hears(beacon(2))
            assert heard.beacons.received == 1

    run(main())


REGISTRATIONS: dict[str, Callable[[], bytes]] = {
    "registration": lambda: bytes(caproto.RepeaterRegisterRequest(LOOPBACK)),
    "empty datagram, as old clients send": lambda: b"",
}


@pytest.mark.parametrize("registration", REGISTRATIONS.values(), ids=REGISTRATIONS)
def test_the_owner_of_the_port_confirms_clients_and_passes_beacons_on(
    run: Run[None], registration: Callable[[], bytes]
) -> None:
    async def main() -> None:
        async with listening(free_port()) as heard:
            with closing(udp_socket()) as client:
                client.sendto(registration(), (LOOPBACK, heard.port))
                confirm = caproto.Broadcaster(caproto.CLIENT).recv(*await receive(client))
                assert [type(command) for command in confirm] == [caproto.RepeaterConfirmResponse]
                await heard.hears(beacon(7, host="0.0.0.0"))
                (passed,) = caproto.Broadcaster(caproto.CLIENT).recv(*await receive(client))
                assert isinstance(passed, caproto.Beacon)
                assert (passed.beacon_id, passed.server_port, passed.address) == (7, 5064, LOOPBACK)

    run(main())


def test_clients_that_have_gone_are_forgotten(run: Run[None]) -> None:
    async def main() -> None:
        async with listening(free_port()) as heard:
            for _ in range(5):
                with closing(udp_socket()) as client:
                    client.sendto(REGISTRATIONS["registration"](), (LOOPBACK, heard.port))
                    await receive(client)
            assert len(heard.beacons._clients) == 1

    run(main())


def test_a_second_listener_registers_with_the_first_and_hears_what_it_passes_on(run: Run[None]) -> None:
    async def main() -> None:
        port = free_port()
        async with listening(port) as first, listening(port) as second:
            await until(lambda: first.beacons._clients)
            await first.hears(beacon(5))
            await until(lambda: second.appeared)
            await first.hears(beacon(6), beacon(0))
            await until(lambda: second.beacons.received == 3)
            assert first.appeared == second.appeared == [(HOST, 5064)] * 2

    run(main())


def test_a_listener_registers_with_a_repeater_that_exists(run: Run[None]) -> None:
    async def main() -> None:
        with closing(udp_socket(free_port())) as repeater:
            async with listening(repeater.getsockname()[1]):
                (registration,) = caproto.Broadcaster(caproto.SERVER).recv(*await receive(repeater))
                assert isinstance(registration, caproto.RepeaterRegisterRequest)
                assert registration.client_address == LOOPBACK

    run(main())


def test_when_the_repeater_has_gone_its_port_is_taken_over(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beacons, "_REGISTER_AGAIN_S", 0.05)

    async def main() -> None:
        repeater = udp_socket(free_port())
        port = repeater.getsockname()[1]
        async with listening(port) as heard:
            repeater.close()
            await until(lambda: heard.beacons._owns_port)
            await heard.hears(beacon(5))
            assert heard.appeared == [(HOST, 5064)]

    run(main())
