"""The results as a JSON file, a Markdown page and plots."""

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.plot import plot_cost, plot_latency, plot_memory
from benchmarks.results import Results
from benchmarks.targets import Check, checks
from benchmarks.trial import Trial

_VERDICT = {True: "yes", False: "**NO**", None: "not measured"}


def save(results: Results, folder: Path) -> str:
    """Write all of it; gives the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(results)
    (folder / "benchmarks.json").write_text(json.dumps(results.as_json(), indent=2) + "\n")
    (folder / "benchmarks.md").write_text(text)
    for draw, name, found in (
        (plot_cost, "benchmarks.svg", results.scalars or results.stock),
        (plot_latency, "latency.svg", results.latency),
        (plot_memory, "memory.svg", results.memory),
    ):
        if found:
            draw(results, folder / name)
    return text


def markdown(results: Results) -> str:
    machine = "".join(f"- {what.replace('_', ' ')}: {value}\n" for what, value in results.machine.items())
    window = f"windows of {results.seconds:g} s{', quick' if results.quick else ''}"
    parts = [f"# Benchmarks\n\n{results.started}, {results.ioc} IOC, {window}\n\n{machine}"]
    if verdicts := checks(results):
        parts.append(f"## Targets\n\n{_checks(verdicts)}")
    if results.failures:
        parts.append("## Not measured\n\n" + "".join(f"- {failure.splitlines()[0]}\n" for failure in results.failures))
    for title, trials in (
        ("Scalars: CA double, f142", results.scalars),
        ("One scan: the same, all records at once as EPICS does it", results.scan),
        ("Waveforms: 2,048 doubles, f142", results.waveforms),
        ("f144: CA double, f142 and f144", results.f144),
        ("f144 waveforms: 2,048 doubles", results.waveforms_f144),
        ("pvAccess: double, f142", results.pva),
        ("pvAccess, 120 Hz: the same, 100 PVs", results.pva_120hz),
        ("Latency: double, f142", results.latency),
        ("Stock: ever more, until it falls behind", results.stock),
        ("Sustained: ever less, until it holds", results.sustained),
    ):
        if trials:
            parts.append(f"## {title}\n\n{_trials(trials)}")
    if results.memory:
        rows = [(one.subject, f"{one.pvs:,}", f"{one.rss_bytes / 1e6:.0f}") for one in results.memory]
        parts.append(f"## Memory: PVs that keep their value\n\n{_table(('subject', 'PVs', 'RSS MB'), rows)}")
    return "\n".join(parts)


def _checks(verdicts: Sequence[Check]) -> str:
    rows = [(c.what, c.target, c.figure, _VERDICT[c.reached]) for c in verdicts]
    return _table(("what", "target", "figure", "reached"), rows)


def _trials(trials: Sequence[Trial]) -> str:
    head = ("subject", "asked/s", "seen/s", "µs/update", "of a core: it", "IOC", "Kafka", "RSS MB")
    return _table(
        (*head, "lost", "(connecting)", "twice", "back", "p50 ms", "p99 ms"), [_row(trial) for trial in trials]
    )


def _row(trial: Trial) -> tuple[str, ...]:
    seen = trial.window
    return (
        trial.subject if trial.comparable else f"{trial.subject} (not steady)",
        f"{trial.asked_per_s:,}",
        f"{seen.records_per_s:,.0f}",
        f"{trial.us_per_update:.2f}",
        *(f"{seen.cores(name):.0%}" for name in (trial.subject, "ioc", "kafka")),
        f"{seen.rss_bytes[trial.subject] / 1e6:.0f}",
        *_arrived(trial),
    )


def _arrived(trial: Trial) -> tuple[str, ...]:
    verdict, latency = trial.verdict, trial.latency
    if verdict is None or latency is None:
        return ("",) * 6
    counts = verdict.lost, verdict.lost_connecting, verdict.twice, verdict.backwards
    return (*map(str, counts), f"{latency.p50:.1f}", f"{latency.p99:.1f}")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
