"""What a metric is: a row of a table, with where its values come from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

from .histogram import Histogram

M = TypeVar("M")
"""All that is measured at one moment."""

PREFIX = "forwarder_"

Sample: TypeAlias = tuple[tuple[str, ...], float]
"""Values of the labels, and the value."""


class Kind(Enum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric(Generic[M]):
    """One metric. A counter's name ends with `_total`, and a unit is a base unit: seconds, bytes."""

    name: str
    """Without the prefix."""
    kind: Kind
    help: str
    labels: tuple[str, ...]
    samples: Callable[[M], Iterable[Sample]]
    histogram: Callable[[M], Histogram] | None = None

    @property
    def full_name(self) -> str:
        return PREFIX + self.name
