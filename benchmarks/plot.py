"""The picture: CPU time per update by rate."""

from math import isnan
from pathlib import Path

import matplotlib as mpl

from benchmarks.results import Results, cost, of

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "benchmarks"  # the same results give the same file

from matplotlib import pyplot as plt  # noqa: E402  (the back end has to be chosen first)

_STYLE = {"bare": ("#777777", "s"), "forwarder": ("#0b6fa4", "o"), "stock": ("#b8541a", "^")}


def plot(results: Results, path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for name, trials in (("bare", results.scalars), ("forwarder", results.scalars), ("stock", results.stock)):
        rates = sorted({trial.asked_per_s for trial in trials if trial.subject == name})
        points = [(rate, cost(of(trials, name, rate))) for rate in rates]
        points = [(rate, us) for rate, us in points if not isnan(us)]
        if points:
            colour, marker = _STYLE[name]
            axes.plot(*zip(*points, strict=True), marker=marker, color=colour, label=name)
    if axes.lines:
        axes.set(xscale="log", yscale="log")
        axes.legend(frameon=False)
    axes.set(xlabel="updates per second", ylabel="CPU µs per update", title="Cost of one CA double update (f142)")
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
