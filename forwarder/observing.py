"""What is served over HTTP: the one place that knows every part of it."""

import time
from collections import Counter
from dataclasses import replace
from functools import partial

from .describing import Describing
from .measuring import Measurable, cluster_name, measure
from .observe import web
from .observe.exposition import Metrics
from .observe.health import Backlog, Health, Vitals
from .observe.http.server import AddRoutes, Server
from .observe.metrics import METRICS
from .reporting import Reporting
from .settings.types import HttpSettings


def http_server(settings: HttpSettings, facts: Measurable, reporting: Reporting) -> Server:
    """The server with everything that can be seen of this service. It listens once it is opened."""
    health = Health(partial(vitals, facts, reporting), time.monotonic)
    metrics = Metrics(lambda scrape_s: replace(measure(facts, reporting), scrape_s=scrape_s), METRICS)
    described = Describing(facts, reporting)
    sampler = web.Sampler(described)
    page = partial(web.add_routes, facts=described, sampler=sampler)
    routes: list[AddRoutes] = [health.add_routes, metrics.add_routes, page]
    return Server(settings, routes, every_second=health.look, parts={"samples of PVs": sampler.run})


def vitals(facts: Measurable, reporting: Reporting) -> Vitals:
    """What the service's health is judged by, now."""
    acknowledged: Counter[str] = Counter()
    waiting: Counter[str] = Counter()
    for lane in reporting.data_lanes():
        acknowledged[lane.broker] += lane.acknowledged
        waiting[lane.broker] += lane.waiting
    return Vitals(
        facts.condition(),
        {reader.name: reader.reading.is_set() for reader in facts.readers},
        {cluster_name(each): Backlog(acknowledged[each], waiting[each]) for each in facts.senders},
    )
