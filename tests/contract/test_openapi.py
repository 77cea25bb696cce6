"""The API keeps to its description, whatever it is asked: schemathesis makes the questions from the description."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from forwarder.model import ChannelType, ValueType
from forwarder.observe.http.server import Server
from forwarder.observe.web import add_routes
from forwarder.observe.web.api import Api
from forwarder.settings.types import HttpSettings
from tests.unit.observe.web.rig import Bench


def bench() -> Bench:
    """PVs in every state, some with odd values."""
    bench = Bench()
    bench.open("A", "B", "C", "D", "NAN")
    bench.open("E", schema="f144", topic="other")
    bench.connect("A", 1.5)
    bench.connect("B", "text", ChannelType(ValueType.STRING, is_array=False))
    bench.connect("C", 2.0, severity=2).disconnected("closed by the server")
    bench.route("D").never_connected()
    bench.connect("NAN", float("nan")).failed(ValueError("odd"))
    bench.connect("E", "text", ChannelType(ValueType.STRING, is_array=False))
    bench.outbox.lane("", "data").drop("memory full", [(b"A", b"", 0)])
    bench.control.receive(b"junk", "config[0]@1")
    return bench


async def serve(url: list[str], ready: threading.Event, stop: asyncio.Event) -> None:
    here = bench()
    routes = partial(add_routes, facts=here.described, sampler=here.sampler)
    server = Server(HttpSettings("127.0.0.1", 0), [routes], lambda: None)
    await server.open()
    await here.sampler.look()
    await here.sampler.look()
    url.append(server.url)
    ready.set()
    await stop.wait()
    await server.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where the API is, in a thread of its own."""
    url: list[str] = []
    ready, stop, loop = threading.Event(), asyncio.Event(), asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(url, ready, stop)), name="server")
    thread.start()
    assert ready.wait(10)
    yield url[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


description = schemathesis.openapi.from_dict(Api(Bench().described, Bench().sampler).description())


@description.parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: schemathesis.Case, url: str) -> None:
    case.call_and_validate(base_url=url, timeout=10)


def test_the_description_is_served_as_it_is(url: str) -> None:
    with urllib.request.urlopen(f"{url}/api/openapi.json", timeout=10) as answer:
        assert json.load(answer) == description.raw_schema
