"""The page's server over a real pipeline, with nothing of EPICS and Kafka: PVs do what a test says."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from forwarder.control import Control
from forwarder.describing import Describing
from forwarder.model import Add, ChannelType, Stream, Transport, ValueType
from forwarder.observe.histogram import Lags
from forwarder.observe.measured import Condition
from forwarder.observe.web import Sampler, add_routes
from forwarder.outbox import Outbox
from forwarder.pipeline import Pipeline
from forwarder.repeats import Repeats
from forwarder.reporting import Reporting
from forwarder.route import Clocks, Route
from forwarder.settings.load import load

DOUBLE = ChannelType(ValueType.FLOAT64, is_array=False)


class Subscriber:
    """Takes what the control asks for; PVs connect when a test says so."""

    beats = 0

    def __init__(self) -> None:
        self.described: list[str] = []

    def subscribe(self, listener: Route) -> None:
        pass

    def describe(self, listener: Route) -> None:
        self.described.append(listener.channel)

    def unsubscribe(self, listener: Route) -> None:
        pass

    def counts(self) -> Mapping[str, int]:
        return {}

    def searched_at(self) -> Sequence[str]:
        return ("10.0.0.255:5064 (UDP)",)


class Bench:
    """What the page is about."""

    def __init__(self) -> None:
        self.settings = load({"config-topic": ["broker:9092/config"], "output-broker": ["broker:9092"]}, {})
        self.outbox = Outbox(10**9)
        clocks = Clocks(time.time_ns, time.monotonic)
        self.pipeline = Pipeline(self.outbox, Repeats(0.0), clocks, "service-1")
        self.client = Subscriber()
        self.clients: Any = dict.fromkeys(Transport, self.client)
        self.control = Control(
            self.pipeline,
            self.clients,
            lambda broker: broker,
            changed=lambda: None,
            leave=lambda: None,
            settings=self.settings.commands,
            wall_ns=time.time_ns,
        )
        self.senders: Any = {}
        self.readers: Any = []
        self.lags = Lags()
        self.well = Condition(0.1, 0.0, 0.0, False, {}, (), 0.0, True, False, 0.0, 0, "", "")
        self.described = Describing(self, Reporting(self, None))
        self.sampler = Sampler(self.described)

    def more(self) -> Mapping[str, Any]:
        return {}

    def condition(self) -> Condition:
        return self.well

    def open(self, *names: str, topic: str = "data", schema: str = "f142", transport: Transport = Transport.CA) -> None:
        self.control.obey(Add(tuple(Stream(name, transport, schema, topic) for name in names)), "a test")

    def route(self, name: str, transport: Transport = Transport.CA) -> Route:
        route = self.pipeline.find(transport, name)
        assert route is not None
        return route

    def connect(self, name: str, value: Any, kind: ChannelType = DOUBLE, severity: int = 0) -> Route:
        route = self.route(name)
        route.connected(kind, "ioc:5064")
        route.update(value, time.time_ns(), 0, severity)
        return route

    def app(self) -> web.Application:
        app = web.Application()
        add_routes(app, self.described, self.sampler)
        return app

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Api"]:
        async with TestClient(TestServer(self.app())) as client:
            yield Api(client)


class Api:
    def __init__(self, client: TestClient[Any, Any]) -> None:
        self.client = client

    async def get(self, path: str, status: int = 200, **parameters: Any) -> dict[str, Any]:
        """The answer, as a parser reads it that takes nothing but JSON."""
        async with self.client.get(f"/api/v1/{path}", params=parameters) as response:
            text = await response.text()
            assert response.status == status, text
            return json.loads(text, parse_constant=_no_json)

    async def names(self, **parameters: Any) -> list[str]:
        return [row["name"] for row in (await self.get("pvs", **parameters))["rows"]]


def _no_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def served(bench: Bench, use: Any) -> None:
    """Run a coroutine that is given the API of a bench."""

    async def main() -> None:
        async with bench.serve() as api:
            await use(api)

    asyncio.run(main())
