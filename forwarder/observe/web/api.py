"""The API: JSON under /api/, described in /api/openapi.json."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from . import table
from .facts import PROTOCOLS, CommandFacts, Facts, TopicFacts
from .openapi import description
from .overview import overview
from .parameters import BadParameter, Parameter, Text, parse
from .rows import row, whole
from .sampler import Sampler
from .slices import in_slices
from .values import utc

ROOT = "/api/v1"
DESCRIPTION = "/api/openapi.json"

_PV = (
    Text("protocol", "How the PV is read.", allowed=PROTOCOLS),
    Text("name", "The PV's whole name.", longest=4000),
)

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class NoSuchPv(LookupError):
    """A PV is asked for that is not forwarded."""


@dataclass(frozen=True, slots=True)
class _Operation:
    summary: str
    schema: str
    parameters: Sequence[Parameter]
    answer: Answer
    may_miss: bool = False


class Api:
    """Answers from what the service knows; every answer is made anew."""

    def __init__(self, facts: Facts, sampler: Sampler) -> None:
        self._facts = facts
        self._sampler = sampler
        self._operations: Mapping[str, _Operation] = {
            f"{ROOT}/overview": _Operation(
                "What is wrong now, the worst first; PVs by state; rates, latency, backlog, and their last minutes.",
                "Overview",
                (),
                self._overview,
            ),
            f"{ROOT}/pvs": _Operation(
                "The table of PVs: searched, filtered, sorted, in pages.", "Pvs", table.PARAMETERS, self._pvs
            ),
            f"{ROOT}/pv": _Operation(
                "Everything about one PV: its value, where it goes, where it is searched, its last connection events.",
                "Pv",
                _PV,
                self._pv,
                may_miss=True,
            ),
            f"{ROOT}/topics": _Operation(
                "What each topic has acknowledged, what waits for it, what was dropped and why.",
                "Topics",
                (),
                self._topics,
            ),
            f"{ROOT}/commands": _Operation(
                "The last commands with their place, what came of them, and why.", "Commands", (), self._commands
            ),
        }

    def add_routes(self, app: web.Application) -> None:
        """Serve it."""
        for path, operation in self._operations.items():
            app.router.add_get(path, _handler(operation))
        app.router.add_get(DESCRIPTION, self._describe)

    def description(self) -> dict[str, Any]:
        """The API in OpenAPI's words."""
        paths = {
            path: (each.summary, each.schema, each.parameters, each.may_miss) for path, each in self._operations.items()
        }
        return description(self._facts.service().version, paths)

    async def _describe(self, request: web.Request) -> web.Response:
        return _json(self.description())

    async def _overview(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._sampler.read()
        return overview(self._facts, self._sampler)

    async def _pvs(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._sampler.read()
        page = await table.select(self._facts, self._sampler, asked)
        rows: list[dict[str, Any]] = []
        async for some in in_slices(page.pvs):
            rows += [row(pv, self._sampler) for pv in some]
        return {
            "total": page.total,
            "matched": page.matched,
            "offset": asked["offset"],
            "limit": asked["limit"],
            "rows": rows,
        }

    async def _pv(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._sampler.read()
        pv = self._facts.find(asked["protocol"], asked["name"])
        if pv is None:
            raise NoSuchPv("no PV of this name is forwarded over this protocol")
        self._facts.wants_description(pv)
        return whole(pv, self._sampler, self._facts)

    async def _topics(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._sampler.read()
        return {"topics": [self._topic(topic) for topic in self._facts.topics()]}

    def _topic(self, topic: TopicFacts) -> dict[str, Any]:
        return {
            "cluster": topic.cluster,
            "topic": topic.topic,
            "streams": self._sampler.census.streams[topic.broker, topic.topic],
            "partitions": topic.partitions,
            "acknowledged": topic.acknowledged,
            "acknowledged_by_schema": dict(topic.acknowledged_by_schema),
            "waiting": topic.waiting,
            "waiting_bytes": topic.waiting_bytes,
            "on_disk": topic.on_disk,
            "dropped": sum(topic.dropped.values()),
            "dropped_by_reason": dict(topic.dropped),
            "dropped_unread": topic.dropped_unread,
            "restamped": topic.restamped,
            "oldest_s": topic.oldest_s,
            "problem": topic.problem or None,
        }

    async def _commands(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"commands": [_command(command) for command in self._facts.commands()]}


def _command(command: CommandFacts) -> dict[str, Any]:
    partly = "partly" if command.refused_streams else "obeyed"
    return {
        "time": utc(command.time_ns),
        "place": command.place,
        "dialect": command.dialect or None,
        "command": command.command or None,
        "result": "refused" if command.refused else partly,
        "reason": command.refused or command.stream_refusal or None,
        "opened": command.opened,
        "closed": command.closed,
        "refused_streams": command.refused_streams,
    }


def _handler(operation: _Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return _json(await operation.answer(parse(operation.parameters, request)))
        except BadParameter as error:
            return _json({"error": str(error)}, 400)
        except NoSuchPv as error:
            return _json({"error": str(error)}, 404)

    return handle


def _json(answer: Mapping[str, Any], status: int = 200) -> web.Response:
    # Not every parser takes NaN: where one is left, that is a fault of ours.
    text = json.dumps(answer, separators=(",", ":"), allow_nan=False)
    return web.Response(text=text, status=status, content_type="application/json")
