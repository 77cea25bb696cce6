"""The parts of a run, in order, and what each of them does when there is little time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaException

from benchmarks import connect_time, memory, missing, pva_counting, rates
from benchmarks.pvs import WAVEFORM_ELEMENTS, Pvs
from benchmarks.results import Results
from benchmarks.trial import Trial
from tests.support.kafka import Broker

PARTS = (
    "scalars",
    "scan",
    "f144",
    "pva",
    "pva-120hz",
    "waveforms",
    "waveforms-f144",
    "stock",
    "latency",
    "connect",
    "memory",
    "missing",
    "sustained",
)
PVA_PARTS = ("pva", "pva-120hz")
"""Those that caproto's IOC cannot be the source of."""
QUICK_PARTS = ("scalars", "f144", "pva", "waveforms", "waveforms-f144")
"""Not 120 Hz over pvAccess: an IOC that has to share its core for a moment merges updates of that rate itself."""

SCAN_RATE = 1_000
F144_RATE = 50_000
PVA_RATE = 10_000
WAVEFORMS_F144_RATES = (6_110, 4_000, 2_000, 1_000)
"""Per second, from 100 MB/s downwards, until one is held."""
LATENCY_RATES = (1_000, 5_000, 10_000, 20_000, 50_000)
MEMORY_PVS = (0, 1_000, 5_000, 10_000, 20_000)
BOTH_TRANSPORTS = ("forwarder", "forwarder PVA")
HZ_120 = Pvs(100, beats=12, phases=1)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    ioc: str
    parts: Sequence[str]
    subjects: Sequence[str]
    rates: Sequence[int]
    waveform_rate: int
    f144_rate: int
    pva_rate: int
    waveforms_f144_rates: Sequence[int]
    latency_rates: Sequence[int]
    seconds: float
    rounds: int
    quick: bool
    hold_s: float = 60.0
    hold_120hz_s: float = 60.0
    pvs: int = 10_000
    memory_pvs: Sequence[int] = MEMORY_PVS
    missing_settle_s: float = 5.0
    missing_s: float = 20.0


def run(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    """Adds to `results` what it finds. A part that fails is written down there too, and the others go on."""
    for part in plan.parts:
        say(f"{part} ...")
        try:
            _RUN[part](plan, broker, results, say)
        except (OSError, RuntimeError, KafkaException) as error:  # TimeoutError is an OSError
            reason = "\n".join([f"{part}: {error}", *getattr(error, "__notes__", ())])
            results.failures.append(reason)
            say(f"  FAILED: {reason}")


def _scalars(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    for rate in plan.rates:
        pvs = Pvs.for_rate(rate)
        for trial in rates.compare(broker, plan.ioc, pvs, plan.subjects, seconds=plan.seconds, rounds=plan.rounds):
            results.scalars.append(_told(trial, say))


def _scan(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    pvs = Pvs.for_rate(SCAN_RATE, phases=1)
    for trial in rates.compare(broker, plan.ioc, pvs, plan.subjects, seconds=plan.seconds, rounds=plan.rounds):
        results.scan.append(_told(trial, say))


def _waveforms(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    pvs = Pvs.for_rate(plan.waveform_rate, WAVEFORM_ELEMENTS)
    for trial in rates.compare(broker, plan.ioc, pvs, plan.subjects, seconds=plan.seconds, rounds=plan.rounds):
        results.waveforms.append(_told(trial, say))


def _f144(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    pvs = Pvs.for_rate(plan.f144_rate)
    subjects = ("forwarder", "forwarder f144")
    for trial in rates.compare(broker, plan.ioc, pvs, subjects, seconds=plan.seconds, rounds=plan.rounds):
        results.f144.append(_told(trial, say))


def _waveforms_f144(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    subjects = ("bare", "forwarder f144")
    for rate in plan.waveforms_f144_rates:
        pvs = Pvs.for_rate(rate, WAVEFORM_ELEMENTS)
        held = True
        for trial in rates.compare(broker, plan.ioc, pvs, subjects, seconds=plan.seconds, rounds=plan.rounds):
            results.waveforms_f144.append(_told(trial, say))
            held &= trial.comparable
        if held:
            return


def _pva(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    pvs = Pvs.for_rate(plan.pva_rate)
    subjects = (pva_counting.AT_ONCE, pva_counting.PACED, "forwarder PVA")
    for trial in rates.compare(broker, plan.ioc, pvs, subjects, seconds=plan.seconds, rounds=plan.rounds):
        results.pva.append(_told(trial, say))


def _pva_120hz(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    for trial in rates.compare(broker, plan.ioc, HZ_120, ("forwarder PVA",), seconds=plan.hold_120hz_s, rounds=1):
        results.pva_120hz.append(_told(trial, say))


def _latency(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    subjects = BOTH_TRANSPORTS if plan.ioc == "epics" else BOTH_TRANSPORTS[:1]
    for rate in plan.latency_rates:
        pvs = Pvs.for_rate(rate)
        for trial in rates.compare(broker, plan.ioc, pvs, subjects, seconds=plan.seconds, rounds=plan.rounds):
            results.latency.append(_told(trial, say))


def _stock(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    for trial in rates.stock_ramp(broker, plan.ioc, rates.STOCK_RATES, seconds=plan.seconds):
        results.stock.append(_told(trial, say))


def _sustained(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    for name in plan.subjects[-1:]:
        for trial in rates.sustained(broker, plan.ioc, name, rates.SUSTAINED_RATES, seconds=plan.hold_s):
            results.sustained.append(_told(trial, say))


def _connect(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    results.connect = connect_time.measure(broker, plan.ioc, plan.pvs)
    say(f"  {results.connect}")


def _memory(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    for name in BOTH_TRANSPORTS if plan.ioc == "epics" else BOTH_TRANSPORTS[:1]:
        for count in plan.memory_pvs:
            results.memory.append(memory.measure(broker, plan.ioc, name, count))
            say(f"  {results.memory[-1]}")


def _missing(plan: Plan, broker: Broker, results: Results, say: Say) -> None:
    results.missing = missing.measure(broker, plan.pvs, settle_s=plan.missing_settle_s, seconds=plan.missing_s)
    say(f"  {results.missing}")


def _told(trial: Trial, say: Say) -> Trial:
    say(
        f"  {trial.subject:17} {trial.asked_per_s:7,}/s asked {trial.window.records_per_s:9,.0f}/s seen "
        f"{trial.us_per_update:8.2f} µs  {_arrived(trial)}"
    )
    return trial


def _arrived(trial: Trial) -> str:
    verdict, latency = trial.verdict, trial.latency
    if verdict is None or latency is None:
        return ""
    return (
        f"p50 {latency.p50:.1f} ms  p99 {latency.p99:.1f} ms  {verdict.lost} lost (+{verdict.lost_connecting} "
        f"connecting), {verdict.twice} twice, {verdict.backwards} backwards"
    )


_RUN: dict[str, Callable[[Plan, Broker, Results, Say], None]] = {
    "scalars": _scalars,
    "scan": _scan,
    "f144": _f144,
    "pva": _pva,
    "pva-120hz": _pva_120hz,
    "waveforms": _waveforms,
    "waveforms-f144": _waveforms_f144,
    "stock": _stock,
    "latency": _latency,
    "connect": _connect,
    "memory": _memory,
    "missing": _missing,
    "sustained": _sustained,
}
