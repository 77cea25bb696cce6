"""The service's web server: it answers in the event loop that forwards, and nobody who asks can hold that up."""

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from forwarder.faults import RepeatingFault

log = logging.getLogger(__name__)

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"

_CONNECTIONS = 64
"""At a time; a browser opens six."""
_AT_LEAST_S = 5.0
"""How long after its last question a connection is left alone, however many others wait."""
_STOP_S = 1.0
"""How long answers on their way may take at the stop."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names are found in any case."""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What they are told."""

    body: bytes | str
    content_type: str = PLAIN
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path and who answers there. GET answers HEAD too."""

    path: str
    """May hold parts in braces, as `/api/streams/{name}`."""
    answer: Callable[[Request], Awaitable[Answer]]
    method: str = "GET"


def as_json(facts: object, status: int = 200) -> Answer:
    """Facts for a program; they are of the moment, so nobody may keep them."""
    return Answer(json.dumps(facts) + "\n", JSON, status, {"Cache-Control": "no-store"})


class HttpServer:
    """Serves endpoints at one address, from `start` to `close`."""

    def __init__(
        self,
        host: str,
        port: int,
        endpoints: Iterable[Endpoint],
        *,
        max_connections: int = _CONNECTIONS,
        security: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`host` is an address or name of this machine, empty for all of them; `port` 0 is any free one.

        `clock` gives seconds that never go back.
        """
        self._host = host
        self._port = port
        self._security = security
        self._max_connections = max_connections
        self._clock = clock
        self._asked: dict[RequestHandler, float] = {}
        """When each connection was opened, or asked something last."""
        self._crowded = RepeatingFault(log, "too many connections to the web server", clock)
        application = web.Application()
        for endpoint in endpoints:
            fault = RepeatingFault(log, f"{endpoint.method} {endpoint.path} has failed", clock, logging.ERROR)
            application.router.add_route(endpoint.method, endpoint.path, self._handler(endpoint, fault))
            if endpoint.method == "GET":
                application.router.add_route("HEAD", endpoint.path, self._handler(endpoint, fault))
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_STOP_S)
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens; to be asked after the start."""
        assert self._server is not None, "it has been started"
        return self._server.sockets[0].getsockname()[1]

    async def start(self) -> None:
        """Listen. Raises OSError when the address can't be had."""
        await self._runner.setup()
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._connection, self._host or None, self._port, ssl=self._security
            )
        except BaseException:
            await self._runner.cleanup()
            raise

    async def close(self) -> None:
        """Finish the answers that are on their way, but not for long, and close all connections."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await self._runner.cleanup()
            await server.wait_closed()

    def _handler(
        self, endpoint: Endpoint, fault: RepeatingFault
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self._asked[request.protocol] = self._clock()
            question = Request(request.path, request.query, request.headers, await request.read())
            try:
                answer = await endpoint.answer(question)
            except Exception as error:
                log.debug("where %s failed", endpoint.path, exc_info=error)
                fault.occurred(repr(error))
                answer = Answer("internal error; the log says more\n", status=500)
            else:
                fault.over()
            body = answer.body.encode() if isinstance(answer.body, str) else answer.body
            headers = {"Content-Type": answer.content_type, **answer.headers}
            return web.Response(body=body, status=answer.status, headers=headers)

        return handle

    def _connection(self) -> asyncio.Protocol:
        """What serves a new connection. When there are too many, the one that was silent for longest goes.

        So neither those who open connections and say nothing nor those who do not read can keep others away.
        """
        server = self._runner.server
        assert server is not None, "connections come after the start"
        now = self._clock()
        connections = server.connections
        self._asked = {each: self._asked.get(each, now) for each in connections}
        if len(connections) >= self._max_connections:
            silent = min(connections, key=self._asked.__getitem__)
            if now - self._asked[silent] < _AT_LEAST_S:
                self._crowded.occurred(f"there are {len(connections)}, new ones are closed")
                return _Refused()
            _abort(silent.transport)
        elif self._crowded.count:
            self._crowded.over()
        connection = server()
        self._asked[connection] = now
        return connection


class _Refused(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        _abort(transport)


def _abort(transport: Any) -> None:
    if transport is not None:
        transport.abort()
