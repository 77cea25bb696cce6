"""The files of the page: read once, at the start, and sent as they are."""

import gzip
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import hdrs, web

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_PAGES = ("/", "/pvs", "/pv", "/reports", "/topics", "/commands")
"""Addresses of the one page; which part of it is shown follows from them."""
_PAGE = "index.html"
_FOLDER = "static"


def add_routes(app: web.Application) -> None:
    """Serve the page at its addresses and its files under /static/."""
    for file in sorted((Path(__file__).parent / _FOLDER).iterdir()):
        if file.suffix in _TYPES:
            handler = _handler(file.read_bytes(), _TYPES[file.suffix])
            for path in _PAGES if file.name == _PAGE else (f"/{_FOLDER}/{file.name}",):
                app.router.add_get(path, handler)


def _handler(content: bytes, content_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    small = gzip.compress(content, mtime=0)

    async def handle(request: web.Request) -> web.Response:
        # What was read before is asked for again, and sent again only after an update of the service.
        headers = {hdrs.ETAG: tag, hdrs.CACHE_CONTROL: "no-cache", hdrs.VARY: hdrs.ACCEPT_ENCODING}
        if request.headers.get(hdrs.IF_NONE_MATCH) == tag:
            return web.Response(status=304, headers=headers)
        body = content
        if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            body = small
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)

    return handle
