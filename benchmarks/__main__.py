"""`python -m benchmarks`: run what is asked for, print the table, save the results. Non-zero if anything was lost."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report, suite
from benchmarks.ioc import KINDS
from benchmarks.privileges import without_real_time_priority
from benchmarks.results import Results
from tests.support.kafka import Broker

_RATES = (1_000, 10_000, 50_000, 100_000)
_QUICK_RATES = (5_000,)
_QUICK_PVA_RATE = 2_000
# caproto's IOC posts about a thousand updates a second on one core.
_CAPROTO_RATES = (500, 1_000)


def plan(arguments: Sequence[str]) -> tuple[suite.Plan, Path]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one rate and short windows, to see that all works")
    parser.add_argument("--ioc", choices=KINDS, default="epics")
    parser.add_argument("--seconds", type=float, help="length of a window (default: 10; quick: 3)")
    parser.add_argument("--rounds", type=int, default=1, help="how often the subjects take turns at each rate")
    parser.add_argument("--rates", type=int, nargs="+", metavar="N", help="scalar updates per second")
    parser.add_argument("--waveform-rate", type=int, metavar="N", help="waveform updates per second")
    parser.add_argument("--only", nargs="+", choices=suite.PARTS, metavar="NAME", help=", ".join(suite.PARTS))
    parser.add_argument("--subjects", nargs="+", choices=("bare", "forwarder"), default=("bare", "forwarder"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", metavar="DIR")
    given = parser.parse_args(arguments)
    parts = given.only or (suite.QUICK_PARTS if given.quick else suite.PARTS)
    if given.ioc == "caproto" and not given.only:
        parts = [part for part in parts if part not in suite.PVA_PARTS]
    few = given.quick or given.ioc == "caproto"
    return suite.Plan(
        ioc=given.ioc,
        parts=parts,
        subjects=given.subjects,
        rates=given.rates or (_CAPROTO_RATES if given.ioc == "caproto" else _QUICK_RATES if given.quick else _RATES),
        waveform_rate=given.waveform_rate or (100 if few else 1_000),
        f144_rate=_QUICK_RATES[0] if few else suite.F144_RATE,
        pva_rate=_QUICK_PVA_RATE if given.quick else suite.PVA_RATE,
        latency_rates=given.rates or (_CAPROTO_RATES if given.ioc == "caproto" else suite.LATENCY_RATES),
        waveforms_f144_rates=(100,) if few else suite.WAVEFORMS_F144_RATES,
        hold_120hz_s=5.0 if given.quick else 60.0,
        seconds=given.seconds or (3.0 if given.quick else 10.0),
        rounds=given.rounds,
        quick=given.quick,
    ), given.out


def main(arguments: Sequence[str]) -> int:
    what, folder = plan(arguments)
    results = Results(what.ioc, what.quick, what.seconds)
    try:
        # Twice the heap of the tests' broker: its garbage collections would take cores away from what is measured.
        with Broker(heap="1g", quick_start=False) as broker:
            suite.run(what, broker, results, lambda line: print(line, flush=True))
    finally:
        print(f"\n{report.save(results, folder)}\nsaved in {os.path.relpath(folder)}")
    # The search for the highest rate that holds begins with rates that don't, and an IOC merges arrays that it can't
    # get rid of fast enough. Latency is measured up to rates that a small machine can't carry over pvAccess.
    unjudged = [*results.sustained, *results.waveforms_f144, *results.latency]
    ours = [trial for trial in results.trials if trial.of_the_forwarder and trial not in unjudged]
    judged = [trial.verdict for trial in ours if trial.verdict is not None]
    clean = all(verdict.clean and verdict.lost_connecting == 0 for verdict in judged)
    return 0 if clean and not results.failures else 1


if __name__ == "__main__":
    without_real_time_priority(sys.argv[1:])
    sys.exit(main(sys.argv[1:]))
