"""The HTTP server by which the service shows how it is. It only ever answers; nothing can be changed through it."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from aiohttp import web

from forwarder.errors import BadSetting
from forwarder.forever import forever
from forwarder.pulse import Pulse
from forwarder.settings.types import HttpSettings

from .guard import Guard, Handler
from .tls import ServerTls

log = logging.getLogger(__name__)

AddRoutes = Callable[[web.Application], None]
"""Adds what is served: each part of what can be seen brings its own routes."""

MOST_CONNECTIONS = 64
"""When one more comes, the one that has asked for nothing for the longest time is closed."""
SILENCE_S = 30.0
"""After which a connection is closed, whether it sends its request too slowly, reads too slowly, or does nothing."""
_SWEEP_S = 1.0
_LARGEST_LINE_BYTES = 8190
_MOST_HEADERS = 64
_BACKLOG = 64
_HANDSHAKE_S = 5.0


class Server:
    """Listens from `open` to `close`; `run` is the part of the service that keeps its connections within bounds."""

    def __init__(
        self,
        settings: HttpSettings,
        routes: Iterable[AddRoutes],
        every_second: Callable[[], None],
        parts: Mapping[str, Callable[[], Coroutine[Any, Any, object]]] | None = None,
    ) -> None:
        """`every_second` is called while `run` runs; `parts` is what has to run meanwhile for the routes, by name."""
        self.pulse = Pulse()
        self.url = ""
        """Where it is reached, once it is open."""
        self._settings = settings
        self._every_second = every_second
        self._parts = parts or {}
        guard = Guard(settings.user, settings.password)
        self._app = web.Application(middlewares=[self._note_request, *guard.middlewares])
        self._app.on_response_prepare.append(guard.add_headers)
        for add_routes in routes:
            add_routes(self._app)
        self._tls: ServerTls | None = None
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None
        self._asked: dict[object, float] = {}
        """When each connection last began to ask for something, or was made."""

    async def open(self) -> None:
        """Listen. Raises BadSetting for an address that can't be listened at and for a certificate of no use."""
        settings = self._settings
        if settings.certificate_file is not None:
            self._tls = ServerTls(settings.certificate_file, settings.key_file)
        tls = None if self._tls is None else self._tls.context
        self._runner = web.AppRunner(
            self._app,
            access_log=None,
            keepalive_timeout=SILENCE_S,
            lingering_time=1.0,
            max_line_size=_LARGEST_LINE_BYTES,
            max_field_size=_LARGEST_LINE_BYTES,
            max_headers=_MOST_HEADERS,
            shutdown_timeout=0.5,
        )
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._listening = await loop.create_server(
                self._connected,
                settings.host,
                settings.port,
                ssl=tls,
                ssl_handshake_timeout=_HANDSHAKE_S if tls else None,
                backlog=_BACKLOG,
            )
        except OSError as error:
            await self.close()
            place = f"{settings.host}:{settings.port}"
            raise BadSetting(
                f"http: cannot listen at {place}: {_why(error)}; allowed: an address of this machine whose port is free"
            ) from None
        host, port = self._listening.sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{shown}:{port}"
        log.info("see %s", self.url)

    async def run(self) -> None:
        """Do what has to be done in the background, until cancelled."""
        parts = {name: run() for name, run in self._parts.items()}
        await forever({"HTTP connections": self._keep_sweeping(), **parts})

    async def _keep_sweeping(self) -> None:
        """Close connections that have not asked for anything for too long."""
        loop = asyncio.get_running_loop()
        while True:
            self.pulse.beat()
            self._sweep(loop.time())
            if self._tls is not None:
                self._tls.look()
            self._every_second()
            await asyncio.sleep(_SWEEP_S)

    async def close(self) -> None:
        """Listen no more, and end all connections."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._asked.clear()

    def _connected(self) -> asyncio.BaseProtocol:
        assert self._runner is not None
        server = self._runner.server
        assert server is not None
        self._keep(server.connections, MOST_CONNECTIONS - 1)
        connection = server()
        self._asked[connection] = asyncio.get_running_loop().time()
        return connection

    def _keep(self, connections: Sequence[web.RequestHandler], most: int) -> None:
        """Of these, those that have asked last."""
        by_age = sorted(connections, key=lambda each: self._asked.get(each, 0.0))
        for connection in by_age[: max(0, len(by_age) - most)]:
            _abort(connection)

    def _sweep(self, now: float) -> None:
        if self._runner is None or self._runner.server is None:
            return
        connections = self._runner.server.connections
        # Some that came together may have been let in before the others counted.
        self._keep(connections, MOST_CONNECTIONS)
        for connection in connections:
            # aiohttp closes one that is merely idle a little earlier, and in good manners.
            if now - self._asked.get(connection, now) > SILENCE_S + _SWEEP_S:
                _abort(connection)
        known = set(connections)
        for connection in [each for each, asked in self._asked.items() if now - asked > SILENCE_S]:
            if connection not in known:
                del self._asked[connection]

    @web.middleware
    async def _note_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._asked[request.protocol] = asyncio.get_running_loop().time()
        return await handler(request)


def _why(error: OSError) -> str:
    """asyncio puts the address before what the system says; a host that is not known has no error of the system."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)


def _abort(connection: web.RequestHandler) -> None:
    if connection.transport is not None:
        connection.transport.abort()
