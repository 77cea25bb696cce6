"""The HTTP server: who may ask for what, how it answers, and what a client can't do to it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import uvloop
from aiohttp import web

from forwarder.errors import BadSetting
from forwarder.observe.http import guard, server
from forwarder.observe.http.server import Server
from forwarder.settings.types import HttpSettings
from tests.support.certificates import Authority
from tests.support.http import Answer, ask
from tests.support.ports import LOOPBACK, free_port

Loop = Callable[[], asyncio.AbstractEventLoop]
LARGE = 64_000_000
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


async def said(request: web.Request) -> web.Response:
    return web.Response(text="what is here")


async def broken(request: web.Request) -> web.Response:
    raise ValueError("secret details")


async def slow(request: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    raise AssertionError


async def large(request: web.Request) -> web.Response:
    return web.Response(body=bytes(LARGE))


def add_routes(app: web.Application) -> None:
    for path, handler in (("/live", said), ("/page", said), ("/broken", broken), ("/slow", slow), ("/large", large)):
        app.router.add_get(path, handler)


@contextlib.asynccontextmanager
async def running(settings: HttpSettings) -> AsyncIterator[Server]:
    served = Server(settings, [add_routes], every_second=lambda: None)
    await served.open()
    part = asyncio.create_task(served.run())
    try:
        yield served
    finally:
        part.cancel()
        await asyncio.gather(part, return_exceptions=True)
        await served.close()


def serving(settings: HttpSettings, test: Callable[[Server], Awaitable[None]], loop: Loop | None = None) -> None:
    async def main() -> None:
        async with running(settings) as served:
            await test(served)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


def answers(settings: HttpSettings, *asked: Callable[[str], Answer]) -> list[Answer]:
    """What comes of requests that are made one after the other, each given the server's address."""
    found: list[Answer] = []

    async def test(served: Server) -> None:
        found.extend([await asyncio.to_thread(each, served.url) for each in asked])

    serving(settings, test)
    return found


OPEN = HttpSettings(LOOPBACK, 0)
LOCKED = HttpSettings(LOOPBACK, 0, "ops", "pass:wörd")


def get(path: str, **how: object) -> Callable[[str], Answer]:
    return lambda url: ask(url + path, **how)  # pyright: ignore[reportArgumentType]


def test_every_answer_says_what_a_browser_may_do_with_it() -> None:
    for answer in answers(OPEN, get("/page"), get("/nowhere"), get("/broken")):
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Server"] == "forwarder"


def test_a_head_is_a_get_without_its_text() -> None:
    get_, head = answers(OPEN, get("/page"), get("/page", method="HEAD"))
    assert (head.status, head.text) == (200, "")
    assert head.headers["Content-Length"] == get_.headers["Content-Length"] == "12"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
@pytest.mark.parametrize("path", ["/page", "/live", "/nowhere"])
def test_nothing_can_be_changed(method: str, path: str) -> None:
    (answer,) = answers(OPEN, get(path, method=method))
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET,HEAD"


def test_an_error_is_one_line_and_no_details(caplog: pytest.LogCaptureFixture) -> None:
    missing, failed = answers(OPEN, get("/nowhere"), get("/broken"))
    assert (missing.status, missing.json) == (404, {"error": "Not Found"})
    assert (failed.status, failed.json) == (500, {"error": "the answer could not be made; the log says why"})
    assert "/broken could not be answered" in caplog.text
    assert "ValueError: secret details" in caplog.text


def test_an_answer_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "REQUEST_S", 0.1)
    (answer,) = answers(OPEN, get("/slow"))
    assert (answer.status, answer.json) == (503, {"error": "no answer within 0.1 s"})


@pytest.mark.parametrize(
    ("account", "path", "status"),
    [
        ("ops:pass:wörd", "/page", 200),
        ("ops:pass", "/page", 401),
        ("other:pass:wörd", "/page", 401),
        ("", "/page", 401),
        ("", "/nowhere", 401),
        ("", "/live", 200),
    ],
)
def test_a_password(account: str, path: str, status: int) -> None:
    answer, head = answers(LOCKED, get(path, account=account), get(path, account=account, method="HEAD"))
    assert answer.status == head.status == status
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic /////w==", "Bearer x", "basic b3BzOg=="])
def test_nonsense_in_the_place_of_a_password(header: str) -> None:
    async def test(served: Server) -> None:
        async with connection(served) as (reader, writer):
            writer.write(f"GET /page HTTP/1.1\r\nHost: x\r\nAuthorization: {header}\r\n\r\n".encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")

    serving(LOCKED, test)


@contextlib.asynccontextmanager
async def connection(served: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address(served), limit=1000)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def address(served: Server) -> tuple[str, int]:
    host, _, port = served.url.rpartition("/")[2].rpartition(":")
    return host, int(port)


def test_a_port_that_is_taken_is_one_line() -> None:
    port = free_port()
    settings = HttpSettings(LOOPBACK, port)

    async def test(served: Server) -> None:
        with pytest.raises(BadSetting) as caught:
            async with running(settings):
                raise AssertionError
        assert str(caught.value) == (
            f"http: cannot listen at {LOOPBACK}:{port}: Address already in use; "
            "allowed: an address of this machine whose port is free"
        )
        assert (await asyncio.to_thread(ask, f"{served.url}/page")).status == 200

    serving(settings, test)


def test_an_address_of_another_machine_is_one_line() -> None:
    with pytest.raises(BadSetting, match=r"^http: cannot listen at 192\.0\.2\.1:8080: .+; allowed: an address of this"):
        answers(HttpSettings("192.0.2.1", 8080))


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_tls_with_a_certificate_that_is_renewed_while_it_runs(loop: Loop, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    pair = authority.issue("first", [LOOPBACK])
    renewed = authority.issue("second", [LOOPBACK])
    settings = HttpSettings(LOOPBACK, 0, certificate_file=pair.certificate, key_file=pair.key)
    trusting = ssl.create_default_context(cafile=authority.certificate)

    async def test(served: Server) -> None:
        assert served.url.startswith("https://")
        assert (await asyncio.to_thread(partial(ask, f"{served.url}/page", tls=trusting))).text == "what is here"
        before = await asyncio.to_thread(ssl.get_server_certificate, address(served))
        pair.replace(renewed)
        async with asyncio.timeout(10):
            while await asyncio.to_thread(ssl.get_server_certificate, address(served)) == before:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert (await asyncio.to_thread(partial(ask, f"{served.url}/page", tls=trusting))).text == "what is here"

    serving(settings, test, loop)


def test_half_a_renewal_changes_nothing_yet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority(tmp_path, "authority")
    pair, other = authority.issue("first", [LOOPBACK]), authority.issue("second", [LOOPBACK])
    settings = HttpSettings(LOOPBACK, 0, certificate_file=pair.certificate, key_file=pair.key)
    trusting = ssl.create_default_context(cafile=authority.certificate)

    async def test(served: Server) -> None:
        pair.certificate.write_bytes(other.certificate.read_bytes())
        async with asyncio.timeout(10):
            while "can't be read again" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert (await asyncio.to_thread(partial(ask, f"{served.url}/page", tls=trusting))).status == 200

    serving(settings, test)


def test_a_certificate_of_no_use_is_one_line(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    pair, other = authority.issue("first"), authority.issue("second")
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing\n")
    for certificate, key, line in (
        (nothing, pair.key, f'http-cert-file: "{nothing}" holds no certificate; allowed: a file in the format PEM'),
        (
            pair.certificate,
            nothing,
            f'http-key-file: "{nothing}" holds no private key; allowed: a file in the format PEM',
        ),
        (pair.certificate, other.key, f'http-key-file: "{other.key}" is not the key of "{pair.certificate}"'),
        (pair.certificate, None, f'http-key-file: not set, and "{pair.certificate}" holds no key either'),
        (tmp_path / "gone", None, f'http-cert-file: "{tmp_path / "gone"}" cannot be read: No such file or directory'),
    ):
        with pytest.raises(BadSetting) as caught:
            answers(HttpSettings(LOOPBACK, 0, certificate_file=certificate, key_file=key))
        assert str(caught.value) == line


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_who_sends_too_slowly_or_reads_too_slowly_is_cut_off(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SILENCE_S", 0.2)
    monkeypatch.setattr(server, "_SWEEP_S", 0.1)

    async def cut_off_while_it_sends(served: Server, request: bytes) -> bool:
        """A bit more is sent all the time."""
        async with connection(served) as (_, writer):
            try:
                while True:
                    writer.write(request[:1])
                    request = request[1:] or b"X"
                    await writer.drain()
                    await asyncio.sleep(0.02)
            except ConnectionError:
                return True

    async def got_by_who_reads_nothing_for(served: Server, seconds: float) -> int:
        """How many bytes there are afterwards: those that the system had taken from the server."""
        got = 0
        async with connection(served) as (reader, writer):
            writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(seconds)
            with contextlib.suppress(ConnectionError):
                while part := await reader.read(100_000):
                    got += len(part)
        return got

    async def test(served: Server) -> None:
        async with asyncio.timeout(10):
            assert await cut_off_while_it_sends(served, b"GET /page HT")
            assert await cut_off_while_it_sends(served, b"GET /page HTTP/1.1\r\nHost: x\r\nX-")
            assert 0 < await got_by_who_reads_nothing_for(served, 1.0) < LARGE
            assert (await asyncio.to_thread(ask, f"{served.url}/page")).status == 200

    serving(OPEN, test, loop)


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_a_crowd_leaves_room_for_the_next_one(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 4)

    async def test(served: Server) -> None:
        async with contextlib.AsyncExitStack() as opened, asyncio.timeout(10):
            connections = [await opened.enter_async_context(connection(served)) for _ in range(20)]
            assert (await asyncio.to_thread(ask, f"{served.url}/page")).status == 200
            # The oldest are cut off; as many are left as there is room for, less the one that asked.
            assert await ends(connections[0][0])
            assert await ends(connections[15][0])
            reader, writer = connections[19]
            writer.write(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"

    async def ends(reader: asyncio.StreamReader) -> bool:
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True

    serving(OPEN, test, loop)


@pytest.mark.parametrize(
    "nonsense",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 10_000, b"\0" * 100],
)
def test_what_is_no_http_gets_no_further(nonsense: bytes) -> None:
    async def test(served: Server) -> None:
        async with connection(served) as (reader, writer), asyncio.timeout(10):
            writer.write(nonsense + b"\r\n\r\n")
            writer.write_eof()
            first = await reader.readline()
        assert first.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 ")) or not first
        assert (await asyncio.to_thread(ask, f"{served.url}/page")).status == 200

    serving(OPEN, test)
