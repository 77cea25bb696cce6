"""The Channel Access client and everything that can go wrong with a server: it always finds its way back."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from itertools import pairwise

import caproto
import pytest

from forwarder.epics import pacing
from forwarder.epics.ca import client as ca_client_module
from forwarder.epics.ca import name_server
from forwarder.epics.ca.client import ChannelAccess
from tests.support.ca_client import Recorder, Run, ca_settings, channel_access, running, until
from tests.support.ca_messages import VERSION, created
from tests.support.ca_servers import answering_searches, silent, tcp_server, well, wire_to
from tests.support.ports import LOOPBACK, free_port


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_refused_connection_leads_back_to_searching_with_back_off(run: Run[None]) -> None:
    async def main() -> None:
        async with answering_searches(free_port()) as searches, channel_access(searches.address) as client:
            recorder = Recorder("PV")
            client.subscribe(recorder)
            await until(lambda: client.counts()["circuits_lost"] >= 5)
            tries = [at for at, _ in searches.asked[:6]]
            gaps = [later - earlier for earlier, later in pairwise(tries)]
            # 0, 0.2, 0.4, 0.8 s and the tick that comes after each.
            assert [gap >= least for gap, least in zip(gaps, [0, 0.15, 0.35, 0.75], strict=False)] == [True] * 4
            assert recorder.heard == []
            assert client.counts()["searching"] == 1

    run(main())


def test_a_refused_server_is_used_as_soon_as_it_listens(run: Run[None]) -> None:
    async def main() -> None:
        port = free_port()
        async with answering_searches(port) as searches, channel_access(searches.address) as client:
            recorder = Recorder("PV")
            client.subscribe(recorder)
            await until(lambda: client.counts()["circuits_lost"] >= 2)
            async with tcp_server(well, port):
                await until(lambda: recorder.values == [1.5])
                assert recorder.story == ["connected", "update"]

    run(main())


class DeafTransport(asyncio.DatagramTransport):
    """Sends as far as one can see, and nothing ever comes by it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.closed = False

    def sendto(self, data: bytes, addr: object = None) -> None:
        self.sent += 1

    def close(self) -> None:
        self.closed = True


RESET = ConnectionResetError(10054, "An existing connection was forcibly closed by the remote host")
DEAFENING = {
    "a refusal on Windows": lambda protocol: protocol.error_received(RESET),
    "the end of it": lambda protocol: protocol.connection_lost(OSError("fatal")),
}


@pytest.mark.parametrize("deafen", DEAFENING.values(), ids=DEAFENING)
def test_a_search_socket_that_is_deaf_is_replaced(
    run: Run[None], deafen: Callable[[asyncio.DatagramProtocol], None]
) -> None:
    async def main() -> None:
        async with (
            tcp_server(well) as server,
            answering_searches(server.port) as searches,
            channel_access(searches.address) as client,
        ):
            deaf, protocol = DeafTransport(), client._search_socket
            protocol.connection_made(deaf)
            # Where hosts that refuse are no harm to the socket.
            protocol.error_received(ConnectionRefusedError(111, "Connection refused"))
            recorder = Recorder("PV")
            client.subscribe(recorder)
            await until(lambda: deaf.sent >= 2)
            assert (recorder.heard, deaf.closed) == ([], False)
            deafen(protocol)
            await until(lambda: recorder.values == [1.5])
            assert deaf.closed

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_server_that_accepts_and_never_answers_is_given_up_again_and_again(
    run: Run[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ca_client_module, "_ECHO_ANSWER_S", 0.1)
    monkeypatch.setattr(ca_client_module, "_WATCH_S", 0.05)

    async def main() -> None:
        async with (
            tcp_server(silent) as server,
            answering_searches(server.port) as searches,
            channel_access(searches.address, conn_timeout_s=0.1) as client,
        ):
            recorder = Recorder("PV")
            client.subscribe(recorder)
            await until(lambda: len(server.connections) >= 3)
            assert recorder.heard == []
            server.answer = well
            await until(lambda: recorder.values)
            assert recorder.story == ["connected", "update"]

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_server_that_closes_after_every_subscription_is_not_hammered(run: Run[None]) -> None:
    async def main() -> None:
        async with (
            tcp_server(well) as server,
            answering_searches(server.port) as searches,
            channel_access(searches.address) as client,
        ):
            server.closes_after = caproto.EventAddRequest
            recorder = Recorder("PV")
            client.subscribe(recorder)
            begin = time.monotonic()
            await until(lambda: client.counts()["circuits_lost"] >= 4)
            assert time.monotonic() - begin > 0.2 + 0.4
            assert recorder.story[:3] == ["connected", "update", "disconnected"]
            server.closes_after = None
            await until(lambda: recorder.story[-1] == "update" and client.counts()["circuits"])

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_server_that_says_it_has_no_such_channel_is_asked_again_later(run: Run[None]) -> None:
    def refusing(command: caproto.Message) -> bytes:
        if isinstance(command, caproto.CreateChanRequest):
            return bytes(caproto.CreateChFailResponse(command.cid))
        return well(command)

    async def main() -> None:
        async with (
            tcp_server(refusing) as server,
            answering_searches(server.port) as searches,
            channel_access(searches.address) as client,
        ):
            recorder = Recorder("PV")
            client.subscribe(recorder)
            await until(lambda: server.count(caproto.CreateChanRequest) >= 3)
            assert recorder.heard == []
            server.answer = well
            await until(lambda: recorder.values)

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_silent_cut_is_noticed_and_the_pv_found_elsewhere(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    """No end of the connection is ever told: not by the wire, nor by a new connection over it."""
    monkeypatch.setattr(ca_client_module, "_ECHO_ANSWER_S", 0.2)
    monkeypatch.setattr(ca_client_module, "_WATCH_S", 0.05)

    async def main() -> None:
        async with (
            tcp_server(well) as server,
            wire_to((LOOPBACK, server.port)) as wire,
            answering_searches(wire.port) as searches,
            channel_access(searches.address, conn_timeout_s=0.2) as client,
        ):
            recorder = Recorder("PV")
            client.subscribe(recorder)
            await until(lambda: recorder.values)
            await until(lambda: server.count(caproto.EchoRequest) >= 2, what="echoes keep a quiet circuit alive")
            assert recorder.story == ["connected", "update"]
            wire.cut = True
            await until(lambda: recorder.story[-1] == "disconnected")
            # Over the wire that is still cut it is tried in vain, more than once.
            await until(lambda: wire.connections >= 3)
            assert recorder.count("disconnected") == 1
            searches.tcp_port = server.port
            await until(lambda: recorder.story[-1] == "update")
            assert recorder.story == ["connected", "update", "disconnected", "connected", "update"]

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_another_length_and_another_server_are_said_and_counted(
    run: Run[None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "forwarder.epics.ca.client")

    def longer(command: caproto.Message) -> bytes:
        return created(command.cid, count=9) if isinstance(command, caproto.CreateChanRequest) else well(command)

    async def main() -> None:
        async with (
            tcp_server(well) as first,
            tcp_server(longer) as second,
            answering_searches(first.port) as searches,
            channel_access(searches.address) as client,
        ):
            recorder = Recorder("PV")
            client.subscribe(recorder)
            await until(lambda: recorder.updates)
            for before, after in pairwise([first, second, second, first]):
                updates = len(recorder.updates)
                searches.tcp_port = after.port
                before.connections[-1].abort()
                await until(lambda updates=updates: len(recorder.updates) > updates)
            addresses = [f"{LOOPBACK}:{server.port}" for server in (first, second)]
            assert [message for message in caplog.messages if message.startswith("PV ")] == [
                "PV has moved from {} to {}".format(*addresses),
                "PV has changed its length from 1 to 9 elements",
                "PV has moved from {1} to {0}".format(*addresses),
                "PV has changed its length from 9 to 1 elements",
            ]
            assert client.counts()["length_changes"] == 2

    run(main())


def test_all_pvs_of_one_server_share_a_circuit_and_are_subscribed_once(run: Run[None]) -> None:
    async def main() -> None:
        async with (
            tcp_server(well) as server,
            answering_searches(server.port) as searches,
            channel_access(searches.address) as client,
        ):
            recorders = [Recorder(f"PV{n}") for n in range(300)]
            for recorder in recorders:
                client.subscribe(recorder)
            await until(lambda: all(recorder.values for recorder in recorders))
            assert client.counts()["circuits"] == len(server.connections) == 1
            assert server.count(caproto.EventAddRequest) == 300
            assert len(searches.datagrams) < 40
            for recorder in recorders:
                client.unsubscribe(recorder)
            await until(lambda: server.count(caproto.ClearChannelRequest) == 300)
            assert client.counts()["circuits"] == 0

    run(main())


def test_unsubscribing_while_the_connection_is_being_opened_leaves_none_behind(run: Run[None]) -> None:
    async def main() -> None:
        async with (
            tcp_server(well) as server,
            answering_searches(server.port) as searches,
            channel_access(searches.address) as client,
        ):
            recorder = Recorder("PV")
            client.subscribe(recorder)
            client._found(0, (LOOPBACK, server.port))
            assert client.counts()["circuits"] == 1
            client.unsubscribe(recorder)
            again = Recorder("PV")
            client.subscribe(again)
            await until(lambda: again.values)
            assert recorder.heard == []
            await until(lambda: sum(not each.transport.is_closing() for each in server.connections) == 1)

    run(main())


def test_a_listener_that_unsubscribes_another_when_both_are_lost_does_no_harm(run: Run[None]) -> None:
    async def main() -> None:
        async with (
            tcp_server(well) as server,
            answering_searches(server.port) as searches,
            channel_access(searches.address) as client,
        ):
            first, second = Recorder("PV1"), Recorder("PV2")

            def disconnected(reason: str = "") -> None:
                first.heard.append(("disconnected",))
                client.unsubscribe(second)

            first.disconnected = disconnected  # type: ignore[method-assign]
            client.subscribe(first)
            client.subscribe(second)
            await until(lambda: first.values and second.values)
            server.connections[0].abort()
            await until(lambda: first.count("connected") == 2)
            assert second.story == ["connected", "update"]

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_pv_that_nobody_has_is_reported_once_and_searched_on(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca_client_module, "_WATCH_S", 0.02)

    async def main() -> None:
        async with (
            tcp_server(well) as server,
            answering_searches(None) as searches,
            channel_access(searches.address, never_connected_after_s=0.3) as client,
        ):
            recorder = Recorder("PV")
            begin = time.monotonic()
            client.subscribe(recorder)
            await until(lambda: recorder.heard)
            assert time.monotonic() - begin >= 0.3
            asked = len(searches.asked)
            await until(lambda: len(searches.asked) > asked + 1)
            assert recorder.story == ["never_connected"]
            searches.tcp_port = server.port
            await until(lambda: recorder.values)
            assert recorder.story == ["never_connected", "connected", "update"]

    run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_pv_that_was_connected_or_is_not_wanted_any_more_is_never_reported(
    run: Run[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ca_client_module, "_WATCH_S", 0.02)

    async def main() -> None:
        async with (
            tcp_server(well) as server,
            answering_searches(server.port) as searches,
            channel_access(searches.address, never_connected_after_s=0.5) as client,
        ):
            there, unwanted, missing = Recorder("PV"), Recorder("UNWANTED"), Recorder("MISSING")
            client.subscribe(there)
            await until(lambda: there.values)
            searches.tcp_port = None
            server.connections[0].abort()
            client.subscribe(unwanted)
            client.subscribe(missing)
            client.unsubscribe(unwanted)
            await until(lambda: missing.heard)
            assert unwanted.heard == []
            assert there.story == ["connected", "update", "disconnected"]

    run(main())


@pytest.mark.parametrize("name", ["", "A" * 2000, "A\0B", "\udc80"], ids=["empty", "long", "NUL", "surrogate"])
def test_a_name_that_cannot_be_searched_harms_no_other(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with (
            tcp_server(well) as server,
            answering_searches(server.port) as searches,
            channel_access(searches.address, never_connected_after_s=0.0) as client,
        ):
            odd, good = Recorder(name), Recorder("PV")
            client.subscribe(odd)
            client.subscribe(good)
            await until(lambda: good.values)
            await until(lambda: odd.heard)
            assert odd.story == ["never_connected"]
            assert {asked for _, asked in searches.asked} == {"PV"}
            client.unsubscribe(odd)

    asyncio.run(main())
    assert "cannot be the name of a PV" in caplog.text


def test_addresses_that_cannot_be_used_harm_no_other(run: Run[None]) -> None:
    async def main() -> None:
        async with (
            tcp_server(well) as server,
            answering_searches(server.port) as searches,
            channel_access("no-such-host.invalid", "127.0.0.1:70000", "127.0.0.1:x", searches.address) as client,
        ):
            recorder = Recorder("PV")
            client.subscribe(recorder)
            await until(lambda: recorder.values)

    run(main())


def test_more_addresses_than_datagrams_a_second_are_all_searched() -> None:
    async def main() -> None:
        async with answering_searches(None) as searches:
            addresses = [f"127.0.1.{n}" for n in range(1, 11)] + [searches.address]
            async with channel_access(*addresses, max_search_datagrams_per_s=5) as client:
                client.subscribe(Recorder("PV"))
                await until(lambda: searches.asked)

    asyncio.run(main())


class TestNameServers:
    """Searching over TCP."""

    def test_a_pv_is_found_without_any_udp(self, run: Run[None]) -> None:
        async def main() -> None:
            async with tcp_server(well) as server:
                server.answer = lambda command: (
                    bytes(caproto.SearchResponse(server.port, None, command.cid, 13))
                    if isinstance(command, caproto.SearchRequest)
                    else well(command)
                )
                async with channel_access(name_servers=(f"{LOOPBACK}:{server.port}",)) as client:
                    recorder = Recorder("PV")
                    client.subscribe(recorder)
                    await until(lambda: recorder.values)
                    assert recorder.story == ["connected", "update"]

        run(main())

    @pytest.mark.parametrize("run", ["uvloop"], indirect=True)
    def test_a_name_server_that_was_away_is_asked_at_once_when_it_is_back(
        self, run: Run[None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(name_server, "_RETRY_S", 0.1)
        monkeypatch.setattr(name_server, "_STEADY_S", 0.05)

        async def main() -> None:
            port = free_port()
            async with (
                answering_searches(None) as searches,
                channel_access(searches.address, name_servers=(f"{LOOPBACK}:{port}",)) as client,
            ):
                client.subscribe(Recorder("PV"))
                await until(lambda: len(searches.asked) >= 5)
                # By itself the next search comes 1.2 s later at the earliest.
                async with tcp_server(well, port) as server:
                    await until(lambda: server.count(caproto.SearchRequest), 1.0)
                    client.subscribe(Recorder("OTHER"))
                    await until(lambda: "over after" in caplog.text)

        run(main())
        first, last = [message for message in caplog.messages if f"the name server {LOOPBACK}" in message][:2]
        assert "cannot be reached" in first
        assert "over after" in last

    @pytest.mark.parametrize("run", ["uvloop"], indirect=True)
    def test_one_that_went_silent_is_given_up_and_opened_again(
        self, run: Run[None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(name_server, "_RETRY_S", 0.05)
        monkeypatch.setattr(name_server, "_ECHO_ANSWER_S", 0.1)

        async def main() -> None:
            async with (
                tcp_server(silent) as server,
                channel_access(name_servers=(f"{LOOPBACK}:{server.port}",), conn_timeout_s=0.1),
            ):
                await until(lambda: len(server.connections) >= 3)
                assert server.count(caproto.EchoRequest) >= 2
                server.answer = well
                connections = len(server.connections)
                echoes = server.count(caproto.EchoRequest)
                await until(lambda: server.count(caproto.EchoRequest) >= echoes + 4)
                assert len(server.connections) <= connections + 1

        run(main())

    def test_junk_from_it_harms_nobody(self, run: Run[None]) -> None:
        async def main() -> None:
            async with (
                tcp_server(lambda _: VERSION + b"\xff" * 1000) as junk,
                tcp_server(well) as server,
                answering_searches(server.port) as searches,
                channel_access(searches.address, name_servers=(f"{LOOPBACK}:{junk.port}",)) as client,
            ):
                recorder = Recorder("PV")
                await until(lambda: junk.heard)
                client.subscribe(recorder)
                await until(lambda: recorder.values)

        run(main())


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_names_without_an_address_are_told_once_and_when_they_have_one(
    run: Run[None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ca_client_module, "_RESOLVE_AGAIN_S", 0.01)
    answers = iter([([], ["ioc1", "ioc2"])] * 5)

    async def resolve(addresses: list[str], port: int) -> tuple[list[tuple[str, int]], list[str]]:
        return next(answers, ([(LOOPBACK, port)], [])) if addresses else ([], [])

    monkeypatch.setattr(ca_client_module, "resolve", resolve)

    async def main() -> None:
        async with channel_access("ioc1"):
            await until(lambda: "over after" in caplog.text)

    run(main())
    told, over = [message for message in caplog.messages if "cannot be resolved" in message]
    assert told.endswith("tried again later: ioc1, ioc2")
    assert over.endswith("occurred 5 times")


@pytest.mark.parametrize("run", ["uvloop"], indirect=True)
def test_a_beacon_of_a_new_server_restarts_the_search(run: Run[None]) -> None:
    async def main() -> None:
        async with answering_searches(None) as searches:
            settings = ca_settings(searches.address)
            client = ChannelAccess(settings, 1e9)
            async with running(client):
                client.subscribe(Recorder("PV"))
                await until(lambda: len(searches.asked) >= 5)
                loop = asyncio.get_running_loop()
                transport, _ = await loop.create_datagram_endpoint(
                    asyncio.DatagramProtocol, remote_addr=(LOOPBACK, settings.repeater_port)
                )
                begin = loop.time()
                for _ in range(3):
                    transport.sendto(bytes(caproto.Beacon(13, 5064, 7, LOOPBACK)))
                # By itself the next search would come 1.2 s after the one before at the earliest.
                await until(lambda: len([at for at, _ in searches.asked if at >= begin]) >= 3, 1.1)
                transport.close()
                assert client.counts()["beacons"] == 3

    run(main())


def test_ten_thousand_missing_pvs_are_all_asked_for_within_the_bound_on_datagrams() -> None:
    rate = 300

    async def main() -> None:
        async with (
            answering_searches(None) as searches,
            channel_access(searches.address, max_search_datagrams_per_s=rate) as client,
        ):
            for n in range(10_000):
                client.subscribe(Recorder(f"IN:DEMO:MISSING:{n:05}"))
            await until(lambda: len({name for _, name in searches.asked}) == 10_000)
            sent = searches.datagrams
            await until(lambda: sent[-1] - sent[0] > 3)
            # One second's worth may have been saved up before.
            assert len(sent) <= rate * (1 + sent[-1] - sent[0]) + rate * 0.05
            assert sum(at - sent[0] < 0.04 for at in sent) < 60, "a server's receive buffer would overflow"

    asyncio.run(main())


def test_ten_thousand_missing_pvs_cost_less_than_three_percent_of_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the steady state, which takes a minute to come by itself: each is searched once in the longest delay."""
    monkeypatch.setattr(pacing, "FIRST_DELAY_S", pacing.LONGEST_DELAY_S)

    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
            deaf.bind((LOOPBACK, 0))
            async with channel_access("{}:{}".format(*deaf.getsockname())) as client:
                for n in range(10_000):
                    client.subscribe(Recorder(f"IN:DEMO:MISSING:{n:05}"))
                    client._pacing.add(n, time.monotonic(), after=n / 10_000 * pacing.LONGEST_DELAY_S)
                cpu, begin, sent = time.process_time(), time.monotonic(), client.counts()["search_datagrams"]
                await asyncio.sleep(4)
                seconds = time.monotonic() - begin
                cpu = time.process_time() - cpu
                sent = client.counts()["search_datagrams"] - sent
                assert client.counts()["searching"] == 10_000
                # A third of a thousand names a second, in at most one started datagram a tick.
                assert 10 < sent / seconds < 30
                assert cpu / seconds < 0.03

    asyncio.run(main())
