"""What is to be reached, and whether it was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

from benchmarks import pva_counting
from benchmarks.pvs import WAVEFORM_ELEMENTS
from benchmarks.results import Results, cost, of
from benchmarks.trial import Trial

_AT_LEAST_S = 60.0
_FULL = 0.9
_SAME_PACE = 0.01
_WAVEFORM_MB = WAVEFORM_ELEMENTS * 8 / 1e6
_WAVEFORM_TARGET = "<= 50 % of a core at 100 MB/s"
_NO_RATIO = "a window was not steady: no ratio"


@dataclass(frozen=True, slots=True)
class Check:
    what: str
    target: str
    figure: str
    reached: bool | None
    """None: it was not measured."""


def checks(results: Results) -> list[Check]:
    return [
        *_losses(results),
        *_ratios(results),
        *_f144(results),
        *_pva(results),
        *_latency(results),
        *_held(results),
        *_pvs(results),
    ]


def _losses(results: Results) -> Iterator[Check]:
    judged = (*results.scalars, *results.scan, *results.waveforms, *results.f144, *results.pva, *results.pva_120hz)
    ours = [t.verdict for t in judged if t.of_the_forwarder and t.verdict is not None]
    if ours:
        records = sum(verdict.records for verdict in ours)
        lost, twice, back = (sum(getattr(v, kind) for v in ours) for kind in ("lost", "twice", "backwards"))
        figure = f"{lost} lost, {twice} twice, {back} backwards of {records:,}"
        yield Check("Updates lost", "none, and none twice", figure, all(verdict.clean for verdict in ours))
        connecting = sum(verdict.lost_connecting for verdict in ours)
        yield Check("Updates lost while connecting", "none", f"{connecting} of {records:,}", connecting == 0)


def _ratios(results: Results) -> Iterator[Check]:
    stock = results.stock_best()
    for rate in (50_000, 100_000):
        compared = [*of(results.scalars, "forwarder", rate), *of(results.scalars, "bare", rate)]
        ours, bare = (cost([t for t in compared if t.subject == name]) for name in ("forwarder", "bare"))
        if not all(trial.comparable for trial in compared):
            yield Check(f"CPU beside bare at {rate:,}/s", "<= 1.6", _NO_RATIO, None)
            continue
        if isnan(ours) or isnan(bare):
            continue
        figure = f"{ours / bare:.2f} ({ours:.2f} / {bare:.2f} µs)"
        yield Check(f"CPU beside bare at {rate:,}/s", "<= 1.6", figure, ours <= 1.6 * bare)
        if stock is not None:
            figure = f"{stock.us_per_update / ours:.0f} ({stock.us_per_update:.0f} µs at {stock.asked_per_s:,}/s)"
            yield Check(f"CPU beside stock at {rate:,}/s", ">= 30 times less", figure, stock.us_per_update >= 30 * ours)


def _f144(results: Results) -> Iterator[Check]:
    yield from _beside("CPU of f144 beside f142", 1.1, results.f144, "forwarder f144", "forwarder")
    ours = [trial for trial in results.waveforms_f144 if trial.of_the_forwarder]
    rates = {trial.asked_per_s for trial in ours if trial.comparable}
    if not rates:
        if ours:
            yield Check("CPU of f144 waveforms", _WAVEFORM_TARGET, "no window was steady", None)
        return
    held = [trial for trial in ours if trial.asked_per_s == max(rates) and trial.comparable]
    cores = cost(held) / _WAVEFORM_MB * 100 / 1e6
    megabytes = sum(t.window.records for t in held) * _WAVEFORM_MB / sum(t.window.seconds for t in held)
    figure = f"{cores:.0%} of a core for each 100 MB/s ({cost(held):.0f} µs a waveform), seen at {megabytes:.0f} MB/s"
    yield Check("CPU of f144 waveforms", _WAVEFORM_TARGET, figure, cores <= 0.5 and megabytes >= 100)


def _pva(results: Results) -> Iterator[Check]:
    yield from _beside("CPU over pvAccess beside counting", 1.4, results.pva, "forwarder PVA", pva_counting.AT_ONCE)
    for trial in results.pva_120hz:
        if (verdict := trial.verdict) is None:
            continue
        gaps = verdict.lost + verdict.lost_connecting + verdict.lost_at_start
        hertz = trial.window.records_per_s / verdict.pvs if verdict.pvs else 0.0
        figure = (
            f"{gaps} left out, {verdict.twice} twice, {verdict.backwards} backwards of {verdict.records:,}; "
            f"{verdict.pvs} PVs at {hertz:.1f} Hz for {trial.window.seconds:.0f} s"
        )
        whole = gaps == 0 and verdict.clean and abs(hertz / 120 - 1) < _SAME_PACE
        yield Check("pvAccess, 100 PVs at 120 Hz", "every count from first to last", figure, whole)


def _beside(what: str, limit: float, trials: Sequence[Trial], ours: str, reference: str) -> Iterator[Check]:
    """The ratio of what an update costs two subjects of one run, at each rate."""
    for rate in sorted({trial.asked_per_s for trial in trials}):
        here = [*of(trials, ours, rate), *of(trials, reference, rate)]
        mine, theirs = cost(of(trials, ours, rate)), cost(of(trials, reference, rate))
        if isnan(mine) or isnan(theirs):
            continue
        steady = all(trial.comparable for trial in here)
        figure = f"{mine / theirs:.2f} ({mine:.2f} / {theirs:.2f} µs)" if steady else _NO_RATIO
        yield Check(f"{what} at {rate:,}/s", f"<= {limit}", figure, mine <= limit * theirs if steady else None)


def _latency(results: Results) -> Iterator[Check]:
    for how, trials in (("in one scan", results.scan), ("spread evenly", results.scalars)):
        ours = of(trials, "forwarder", 1_000)
        for trial in ours[-1:]:
            if trial.latency is None:
                continue
            p50, p99, us = trial.latency.p50, trial.latency.p99, cost(ours)
            yield Check(f"Latency p50 at 1,000/s, {how}", "<= 15 ms", f"{p50:.1f} ms", p50 <= 15)
            yield Check(f"Latency p99 at 1,000/s, {how}", "<= 50 ms", f"{p99:.1f} ms", p99 <= 50)
            yield Check(f"CPU at 1,000/s, {how}", "<= 25 µs", f"{us:.1f} µs", us <= 25)


def _held(results: Results) -> Iterator[Check]:
    if not results.sustained:
        return
    target = "200,000/s for 60 s, or IOC and Kafka leave no more"
    trial = results.held()
    if trial is None:
        yield Check("Highest rate held", target, "none", False)
        return
    too_much = [t for t in results.sustained if t.asked_per_s > trial.asked_per_s]
    figure = f"{trial.window.records_per_s:,.0f}/s for {trial.window.seconds:.0f} s ({_shares(trial)})"
    machine_full = False
    if too_much:
        above = min(too_much, key=lambda t: t.asked_per_s)
        machine_full = _in_all(above) >= _FULL * int(results.machine["cores"])
        figure += f"; asked for {above.asked_per_s:,}/s: {above.window.records_per_s:,.0f}/s ({_shares(above)})"
    enough = trial.window.records_per_s >= 0.98 * 200_000 or machine_full
    yield Check("Highest rate held", target, figure, enough and trial.window.seconds >= _AT_LEAST_S)


def _shares(trial: Trial) -> str:
    shares = ", ".join(f"{name} {trial.window.cores(name):.0%}" for name in trial.window.cpu_s)
    return f"of a core: {shares}"


def _in_all(trial: Trial) -> float:
    return sum(trial.window.cores(name) for name in trial.window.cpu_s)


def _pvs(results: Results) -> Iterator[Check]:
    if (connect := results.connect) is not None:
        what = f"ADD of {connect.pvs:,} PVs to first values"
        yield Check(what, "<= 4 s (10,000)", f"{connect.seconds:.2f} s", connect.seconds <= 4)
        kilobytes = connect.bytes_per_pv / 1e3
        yield Check("Memory per extra PV", "<= 5 kB", f"{kilobytes:.1f} kB", kilobytes <= 5)
    if (missing := results.missing) is not None:
        share = f"{missing.cores:.1%} of a core"
        yield Check(f"CPU for {missing.pvs:,} missing PVs", "< 3 % of a core", share, missing.cores < 0.03)
        figure = f"{missing.most_in_a_second}/s at most, {missing.datagrams_per_s:.0f}/s on average"
        yield Check("Search datagrams meanwhile", "<= 300/s, the default", figure, missing.most_in_a_second <= 330)
