"""What holds for every request, whatever it asks for: who may ask, how, and for how long."""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable

from aiohttp import BasicAuth, hdrs, web

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

KNOWN = web.RequestKey("known", bool)
"""Of a request: whether who asks may see all there is."""
OPEN_TO_ALL = ("/live", "/ready")
"""What probes ask for, which have no password, and which tells nothing but whether the service is well."""
REQUEST_S = 10.0
"""How long an answer may take to be made."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Of every answer that says nothing else in their place."""
_METHODS = (hdrs.METH_GET, hdrs.METH_HEAD)
_CHALLENGE = 'Basic realm="forwarder", charset="UTF-8"'


class Guard:
    """The middlewares that stand before every handler."""

    def __init__(self, user: str, password: str) -> None:
        """`user` is who may read; empty: everybody."""
        self._account = (user.encode(), password.encode()) if user else None
        self.middlewares = (self._say_errors, self._let_in)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        # The versions of our libraries are nobody's business.
        response.headers[hdrs.SERVER] = "forwarder"

    @web.middleware
    async def _say_errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every error is a small JSON with one line in it."""
        try:
            async with asyncio.timeout(REQUEST_S):
                return await handler(request)
        except web.HTTPException as error:
            headers = {name: error.headers[name] for name in (hdrs.ALLOW, hdrs.LOCATION) if name in error.headers}
            return web.json_response({"error": error.reason}, status=error.status, headers=headers)
        except TimeoutError:
            return web.json_response({"error": f"no answer within {REQUEST_S:g} s"}, status=503)
        except Exception:
            log.exception("%s could not be answered", request.path)
            return web.json_response({"error": "the answer could not be made; the log says why"}, status=500)

    @web.middleware
    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in _METHODS:
            raise web.HTTPMethodNotAllowed(request.method, _METHODS)
        known = request[KNOWN] = self._is_known(request.headers.get(hdrs.AUTHORIZATION, ""))
        if not known and request.path not in OPEN_TO_ALL:
            return web.json_response(
                {"error": "a user and a password are needed"}, status=401, headers={hdrs.WWW_AUTHENTICATE: _CHALLENGE}
            )
        return await handler(request)

    def _is_known(self, authorization: str) -> bool:
        if self._account is None:
            return True
        try:
            given = BasicAuth.decode(authorization, "utf-8")
        except ValueError:
            return False
        user, password = self._account
        # Both are compared, and in full: how long it takes tells nothing of where they differ.
        right = hmac.compare_digest(given.login.encode(), user) & hmac.compare_digest(given.password.encode(), password)
        return bool(right)
