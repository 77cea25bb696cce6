"""What is served over HTTP: the one place that knows every part of it."""

from .observe.http.server import AddRoutes, Server
from .reporting import Facts
from .settings.types import HttpSettings


def http_server(settings: HttpSettings, facts: Facts) -> Server:
    """The server with everything that can be seen of this service. It listens once it is opened."""
    routes: list[AddRoutes] = []
    return Server(settings, routes)
