"""The pictures: CPU time per update and latency by rate, memory by the number of PVs."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from statistics import median

import matplotlib as mpl

from benchmarks.results import Results, cost, of

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "benchmarks"  # the same results give the same file

from matplotlib import pyplot as plt  # noqa: E402  (the back end has to be chosen first)
from matplotlib.axes import Axes  # noqa: E402

_STYLE = {"bare": ("#777777", "s"), "forwarder": ("#0b6fa4", "o"), "stock": ("#b8541a", "^")}
_TRANSPORTS = {"forwarder": ("Channel Access", "#0b6fa4", "o"), "forwarder PVA": ("pvAccess", "#b8541a", "^")}


def plot_cost(results: Results, path: Path) -> None:
    with _axes(path) as axes:
        for name, trials in (("bare", results.scalars), ("forwarder", results.scalars), ("stock", results.stock)):
            rates = sorted({trial.asked_per_s for trial in trials if trial.subject == name})
            points = [(rate, cost(of(trials, name, rate))) for rate in rates]
            points = [(rate, us) for rate, us in points if not isnan(us)]
            if points:
                colour, marker = _STYLE[name]
                axes.plot(*zip(*points, strict=True), marker=marker, color=colour, label=name)
        axes.set(xscale="log", yscale="log")
        axes.set(xlabel="updates per second", ylabel="CPU µs per update", title="Cost of one CA double update (f142)")


def plot_latency(results: Results, path: Path) -> None:
    """Of the trials that were steady, the middle one where there were several rounds."""
    with _axes(path) as axes:
        for name, (label, colour, marker) in _TRANSPORTS.items():
            trials = [each for each in results.latency if each.subject == name and each.comparable]
            for share, line in (("p50", "-"), ("p99", "--")):
                by_rate: dict[int, list[float]] = {}
                for trial in trials:
                    by_rate.setdefault(trial.asked_per_s, []).append(getattr(trial.latency, share))
                points = [(rate, median(by_rate[rate])) for rate in sorted(by_rate)]
                if points:
                    style = {"marker": marker, "color": colour, "linestyle": line}
                    axes.plot(*zip(*points, strict=True), label=f"{label}, {share}", **style)
        axes.set(xscale="log", xlabel="updates per second", ylabel="ms", title="From the EPICS time to Kafka's append")
        rates = sorted({trial.asked_per_s for trial in results.latency})
        axes.set_xticks(rates, [f"{rate:,}" for rate in rates])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)


def plot_memory(results: Results, path: Path) -> None:
    with _axes(path) as axes:
        for name, (label, colour, marker) in _TRANSPORTS.items():
            points = sorted((each.pvs, each.rss_bytes / 1e6) for each in results.memory if each.subject == name)
            if points:
                axes.plot(*zip(*points, strict=True), marker=marker, color=colour, label=label)
        axes.set(xlabel="PVs", ylabel="MB resident", title="Memory of the process")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_ylim(bottom=0)


@contextmanager
def _axes(path: Path) -> Iterator[Axes]:
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    yield axes
    if axes.lines:
        axes.legend(frameon=False)
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
