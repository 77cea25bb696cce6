"""What Prometheus reads: a table of metrics in its format."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Generic

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from .histogram import Histogram
from .metric import Kind, M, Metric


class Metrics(Generic[M]):
    """Answers scrapes. All values of an answer are of the same moment: nothing else runs while it is made."""

    def __init__(self, measure: Callable[[float], M], table: Sequence[Metric[M]]) -> None:
        """`measure` is told how many seconds the last answer took."""
        self._measure = measure
        self._table = table
        self._seconds = 0.0
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(_Collector(self._families))

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/metrics", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        body, content_type = self.exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The answer to a scrape and its content type, by what the scraper accepts."""
        start = time.perf_counter()
        encode, content_type = choose_encoder(accept)
        body = encode(self._registry)
        self._seconds = time.perf_counter() - start
        return body, content_type

    def _families(self) -> Iterable[Family]:
        measured = self._measure(self._seconds)
        return (_family(metric, measured) for metric in self._table)


class _Collector(Collector):
    def __init__(self, families: Callable[[], Iterable[Family]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families()


def _family(metric: Metric[M], measured: M) -> Family:
    if metric.histogram is not None:
        family = HistogramMetricFamily(metric.full_name, metric.help)
        histogram = metric.histogram(measured)
        family.add_metric((), _buckets(histogram), histogram.sum)
        return family
    of_kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = of_kind(metric.full_name, metric.help, labels=metric.labels)
    for labels, value in metric.samples(measured):
        family.add_metric(labels, value)
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Prometheus counts all up to each bound."""
    bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip(bounds, histogram.counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets
