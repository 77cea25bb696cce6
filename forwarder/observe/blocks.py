"""The table of metrics of the process beside an instrument, and what they are read from."""

import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .metric import Kind, Metric, Sample


@dataclass(frozen=True, slots=True)
class SourceOf:
    """One source of what is wanted."""

    name: str
    pvs: int
    """Of its last good value."""
    changes: int
    bad: Mapping[str, int]
    """By what was wrong."""
    reconnects: int
    connected: bool
    age_s: float | None
    """Of its last good value; None where there was none since the start."""


@dataclass(frozen=True, slots=True)
class MeasuredBlocks:
    """All that is counted, at one moment."""

    version: str
    sources: tuple[SourceOf, ...]
    wanted: int
    """Streams."""
    served: int | None
    """Wanted streams that the forwarder serves; None where nobody says so."""
    announced: int
    held_back: int
    unconfirmed: Mapping[str, int]
    """By kind of command."""
    commands: Mapping[tuple[str, str], int]
    """By kind, and what came of it."""
    statuses: int
    forwarder_alive: bool | None
    """None where nobody says so."""
    deaths: Mapping[str, int]
    """By part: how often it was started again."""
    scrape_s: float


def _one(value: Callable[[MeasuredBlocks], float]) -> Callable[[MeasuredBlocks], list[Sample]]:
    return lambda measured: [((), value(measured))]


def _maybe(value: Callable[[MeasuredBlocks], float | None]) -> Callable[[MeasuredBlocks], list[Sample]]:
    def samples(measured: MeasuredBlocks) -> list[Sample]:
        found = value(measured)
        return [] if found is None else [((), found)]

    return samples


def _by_source(value: Callable[[SourceOf], float | None]) -> Callable[[MeasuredBlocks], list[Sample]]:
    def samples(measured: MeasuredBlocks) -> list[Sample]:
        return [((each.name,), found) for each in measured.sources if (found := value(each)) is not None]

    return samples


def _metric(
    kind: Kind,
    name: str,
    help: str,
    samples: Callable[[MeasuredBlocks], Iterable[Sample]],
    labels: tuple[str, ...] = (),
) -> Metric[MeasuredBlocks]:
    return Metric(f"blocks_{name}", kind, help, labels, samples)


_SOURCE = ("source",)

METRICS: tuple[Metric[MeasuredBlocks], ...] = (
    _metric(
        Kind.GAUGE,
        "build_info",
        "Always 1; the labels say what runs.",
        lambda m: [((m.version, platform.python_version()), 1)],
        ("version", "python"),
    ),
    _metric(Kind.GAUGE, "wanted_pvs", "PVs of the last good value of a source.", _by_source(lambda s: s.pvs), _SOURCE),
    _metric(
        Kind.COUNTER,
        "changes_total",
        "Good values of a source that were not those of before.",
        _by_source(lambda s: s.changes),
        _SOURCE,
    ),
    _metric(
        Kind.COUNTER,
        "bad_values_total",
        "Values of a source, or names or rows in one, that were not believed, by what was wrong.",
        lambda m: [((each.name, reason), count) for each in m.sources for reason, count in each.bad.items()],
        ("source", "reason"),
    ),
    _metric(
        Kind.GAUGE,
        "source_connected",
        "1 while a source is heard, else 0; for the archive, when it was asked last.",
        _by_source(lambda s: s.connected),
        _SOURCE,
    ),
    _metric(
        Kind.COUNTER,
        "reconnects_total",
        "How often a source was back after it had been away.",
        _by_source(lambda s: s.reconnects),
        _SOURCE,
    ),
    _metric(
        Kind.GAUGE,
        "last_good_value_age_seconds",
        "How long ago the last good value of a source came; blocks that do not change send none.",
        _by_source(lambda s: s.age_s),
        _SOURCE,
    ),
    _metric(Kind.GAUGE, "wanted_streams", "Streams that are wanted.", _one(lambda m: m.wanted)),
    _metric(
        Kind.GAUGE,
        "served_streams",
        "Wanted streams that the forwarder serves, as its status says; not there without a status.",
        _maybe(lambda m: m.served),
    ),
    _metric(
        Kind.GAUGE,
        "missing_streams",
        "Wanted streams that the forwarder does not serve, as its status says; not there without a status.",
        _maybe(lambda m: None if m.served is None else m.wanted - m.served),
    ),
    _metric(
        Kind.GAUGE,
        "announced_streams",
        "Streams that were announced for this instrument and not removed: those that may be removed.",
        _one(lambda m: m.announced),
    ),
    _metric(
        Kind.GAUGE,
        "held_back_streams",
        "Streams that can't be removed without another one that is to stay.",
        _one(lambda m: m.held_back),
    ),
    _metric(
        Kind.COUNTER,
        "commands_total",
        "Commands by kind and by what came of them: sent is in the config topic, failed is not, and refused is what "
        "the forwarder says of one.",
        lambda m: [(labels, count) for labels, count in m.commands.items()],
        ("kind", "result"),
    ),
    _metric(
        Kind.COUNTER,
        "unconfirmed_streams_total",
        "Streams of sent commands that did not show in the status of a running forwarder in time, by kind of command.",
        lambda m: [((kind,), count) for kind, count in m.unconfirmed.items()],
        ("kind",),
    ),
    _metric(
        Kind.COUNTER, "statuses_total", "Status messages of the forwarder that were read.", _one(lambda m: m.statuses)
    ),
    _metric(
        Kind.GAUGE,
        "forwarder_running",
        "1 while the status says that the forwarder runs, else 0; not there without a status topic.",
        _maybe(lambda m: m.forwarder_alive),
    ),
    _metric(
        Kind.COUNTER,
        "part_restarts_total",
        "How often a part of the process died and was started again.",
        lambda m: [((part,), count) for part, count in m.deaths.items()],
        ("part",),
    ),
    _metric(Kind.GAUGE, "scrape_seconds", "How long the last scrape took.", _one(lambda m: m.scrape_s)),
)
