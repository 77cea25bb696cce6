"""What people see of the service: a web page, and the same as JSON."""

from aiohttp import web

from . import files
from .api import Api
from .facts import Facts
from .sampler import Sampler

__all__ = ["Facts", "Sampler", "add_routes"]


def add_routes(app: web.Application, facts: Facts, sampler: Sampler) -> None:
    """Serve both. The sampler has to run meanwhile."""
    Api(facts, sampler).add_routes(app)
    files.add_routes(app)
