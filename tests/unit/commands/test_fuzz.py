"""Configuration messages damaged in every way, in bulk: refused, or believed only as what no reader can tell apart.

What must hold of each is said at `Sample.judge`. FUZZ_INPUTS and FUZZ_SEED choose how many, and which.
"""

import gc
import logging
import os
import sys
import time
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

import psutil
import pytest

from forwarder.control import Control
from forwarder.model import Replace, Stream, Transport
from forwarder.outbox import Outbox
from forwarder.pipeline import Pipeline
from forwarder.repeats import Repeats
from forwarder.route import Clocks, Route
from forwarder.settings.types import CommandSettings
from tests.support import fuzz
from tests.support.fuzz import Anatomy, Sample, with_number
from tests.unit.commands.hostile import hostile
from tests.unit.commands.mutations import mutated, one_byte_changes

log = logging.getLogger(__name__)

INPUTS = int(os.environ.get("FUZZ_INPUTS", "200000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
SAMPLES = fuzz.samples()
BY_NAME = {sample.name: sample for sample in SAMPLES}
GENUINE = {sample.message for sample in SAMPLES}
REPLACES = ["fc00 REPLACE 20", "own REPLACE 20", "flatc REPLACE 5", "flatc all REPLACE 5"]


@dataclass
class Watch:
    """Judges damaged messages; counts what they are believed to be, and keeps the slowest."""

    outcomes: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    slowest: tuple[float, str] = (0.0, "none")

    def judge(self, sample: Sample, damaged: bytes, mixed_with: Sample | None = None) -> str:
        """Raises AssertionError if what must not happen does."""
        outcome, took = self._timed(sample, damaged, mixed_with)
        bound = seconds_for(damaged)
        if took > bound:
            # Once more without what Python itself may have had to do just then.
            took = min(took, self._timed(sample, damaged, mixed_with)[1])
            assert took <= bound, f"{took:.3f} s for {shown(sample, damaged)}"
        if took > self.slowest[0]:
            self.slowest = (took, f"{len(damaged)} bytes of {sample.name}, {outcome}")
        self.outcomes[kind_of(sample) if mixed_with is None else "parts of two"][outcome] += 1
        return outcome

    def _timed(self, sample: Sample, damaged: bytes, mixed_with: Sample | None) -> tuple[str, float]:
        start = time.thread_time()
        try:
            outcome = sample.judge(damaged) if mixed_with is None else fuzz.judge_mixed(sample, mixed_with, damaged)
        except Exception as error:
            error.add_note(shown(sample, damaged))
            raise
        return outcome, time.thread_time() - start

    def report(self, title: str) -> None:
        columns = sorted({outcome for counts in self.outcomes.values() for outcome in counts}, key=str.swapcase)
        lines = [f"{title}; the slowest took {self.slowest[0] * 1e3:.1f} ms: {self.slowest[1]}"]
        for name, counts in sorted(self.outcomes.items()):
            lines.append(f"  {name:22}" + ", ".join(f"{counts[each]} {each}" for each in columns if counts[each]))
        log.info("%s", "\n".join(lines))


def kind_of(sample: Sample) -> str:
    return sample.name if sample.name.endswith(" 0") else sample.name.rstrip(" 0123456789")


def seconds_for(message: bytes) -> float:
    return 0.02 + 2e-6 * len(message)


def shown(sample: Sample, damaged: bytes) -> str:
    return f"{sample.name} damaged to bytes.fromhex({damaged[:4000].hex()!r})"


def test_the_samples_are_genuine() -> None:
    assert {type(sample.command).__name__ for sample in SAMPLES} == {"Add", "Remove", "RemoveAll", "Replace", "Exit"}
    for sample in SAMPLES:
        assert sample.judge(sample.message) == fuzz.SAME


@pytest.mark.timeout(120 + INPUTS / 500)
def test_in_bulk_no_damage_crashes_hangs_piles_up_or_is_believed() -> None:
    random = Random(SEED)
    # Small messages have the same parts as large ones, which would take nearly all of the time.
    weights = [1 / (1 + len(sample.message) / 200) for sample in SAMPLES]
    watch = Watch()
    done = 0
    kept: list[tuple[int, int]] = []
    for share in (0.3, 0.3, 0.4):
        chosen = random.choices(SAMPLES, weights, k=round(INPUTS * share))
        others = random.choices(SAMPLES, k=1000)
        for sample in chosen:
            other = others[done % 1000]
            damaged, mixed = mutated(random, sample.message, other.message)
            done += 1
            if damaged not in GENUINE:
                watch.judge(sample, damaged, other if mixed else None)
        del chosen, others
        kept.append(memory())
    watch.report(f"{done} damaged messages of seed {SEED}")
    log.info("blocks and bytes of memory after each part of the run: %s", kept)
    # Caches of names are full after the first part or grow slowly; they hold some thousand names at most.
    assert kept[2][0] - kept[0][0] < 30_000
    assert kept[2][1] - kept[0][1] < 32 * 1024 * 1024


def memory() -> tuple[int, int]:
    """Blocks that Python has in use, and what the process has of the machine."""
    gc.collect()
    return sys.getallocatedblocks(), psutil.Process().memory_info().rss


@pytest.mark.parametrize("sample", [each for each in SAMPLES if len(each.message) < 1500], ids=lambda each: each.name)
def test_cut_anywhere_a_message_is_refused(sample: Sample) -> None:
    whole = sample.message.rstrip() if sample.is_json else sample.message
    assert [n for n in range(len(whole)) if fuzz.believed(whole[:n]) is not None] == []


@pytest.mark.parametrize("name", REPLACES)
def test_one_changed_byte_of_a_replace_takes_no_stream_away(name: str) -> None:
    sample, watch = BY_NAME[name], Watch()
    elsewhere = [
        (at, outcome)
        for at, damaged in one_byte_changes(sample.message)
        if (outcome := watch.judge(sample, damaged)) in ("ADD", "REMOVE") and at != sample.change_at.start
    ]
    watch.report(f"every byte of {name} changed")
    assert elsewhere == []
    # The only exceptions: the number that says what to do is another one, which nobody could tell from the rest.
    assert set().union(*watch.outcomes.values()) == {fuzz.REFUSED, fuzz.OTHER_NAMES, "ADD", "REMOVE"} | (
        {fuzz.SAME} & set().union(*watch.outcomes.values())
    )


def losses(message: bytes) -> Iterator[tuple[str, bytes]]:
    """Damage that hits just what leads to the streams.

    Where a builder puts the list last, a list of none with nothing behind is its genuine REPLACE by nothing.
    """
    anatomy = Anatomy(message)
    count = len(anatomy.places)
    for fewer in range(count + 3):
        if fewer == count:
            continue
        shorter = with_number(message, anatomy.list_at, "I", fewer)
        yield f"a list of {fewer}", shorter
        for place in anatomy.places[fewer:]:
            shorter = with_number(shorter, place, "I", 0)
        yield f"a list of {fewer} with the others zero", shorter
        rest = anatomy.list_at + 4 + 4 * fewer
        yield f"a list of {fewer} with nothing behind", shorter[:rest]
        yield f"a list of {fewer} with only zeros behind", shorter[:rest] + bytes(len(shorter[rest:]))
    for place, table in zip(anatomy.places, anatomy.tables, strict=True):
        for number, other in enumerate(anatomy.tables, 1):
            if other != table:
                yield f"stream {number} twice", with_number(message, place, "I", other - place)
    for at in anatomy.slots():
        for number in (*range(0, 40, 2), 0xFFFE, 0xFFFF, 1, 3, 5, 7):
            if number != anatomy.number(at, "H"):
                yield f"{number} in a vtable at {at}", with_number(message, at, "H", number)
    without_list = with_number(message, anatomy.streams_slot, "H", 0)
    at = anatomy.root + anatomy.number(anatomy.streams_slot, "H")
    yield "no list", without_list
    yield "no list and no offset of it", with_number(without_list, at, "I", 0)
    yield "no list, no offset of it and no end", with_number(without_list, at, "I", 0)[: anatomy.list_at]


@pytest.mark.parametrize("name", REPLACES)
def test_no_broken_list_or_vtable_takes_a_stream_away(name: str) -> None:
    sample, watch = BY_NAME[name], Watch()
    found = {what: watch.judge(sample, each) for what, each in losses(sample.message) if each not in GENUINE}
    watch.report(f"the lists and vtables of {name} changed")
    assert {what for what, outcome in found.items() if outcome != fuzz.REFUSED and "vtable" not in what} == set()


MOST_STREAMS = 10_000


class Service:
    """The part that obeys, with subscriptions that are only counted."""

    def __init__(self) -> None:
        self.calls = 0
        self.exits = 0
        pipeline = Pipeline(Outbox(10**9), Repeats(0.0), Clocks(lambda: 0, lambda: 0.0), "service-1")
        self.control = Control(
            pipeline,
            dict.fromkeys(Transport, self),
            lambda broker: broker,
            changed=lambda: None,
            leave=self._leave,
            settings=CommandSettings(max_streams=MOST_STREAMS),
        )

    def subscribe(self, listener: Route) -> None:
        self.calls += 1

    def describe(self, listener: Route) -> None:
        self.calls += 1

    def unsubscribe(self, listener: Route) -> None:
        self.calls += 1

    def forwarded(self) -> list[tuple[Stream, bool]]:
        return [(stream, stream.periodic) for stream in self.control.table]

    def refuses(self, message: bytes) -> bool:
        """Whether a message is refused; then it has changed nothing."""
        before, calls, refused = self.forwarded(), self.calls, self.control.counts.refused.total()
        self.control.receive(message, "here")
        assert self.exits == 0
        if self.control.counts.refused.total() == refused:
            return False
        assert (self.forwarded(), self.calls) == (before, calls)
        return True

    def _leave(self) -> None:
        self.exits += 1


@pytest.fixture
def service(caplog: pytest.LogCaptureFixture) -> Service:
    """One that forwards twenty streams, and does not log every refusal."""
    caplog.set_level(logging.CRITICAL, logger="forwarder.control")
    made = Service()
    made.control.obey(BY_NAME["fc00 REPLACE 20"].command, "start")
    return made


def test_what_is_refused_changes_nothing(service: Service) -> None:
    random = Random(SEED)
    forwarded = service.forwarded()
    assert len(forwarded) == 20
    small = [sample for sample in SAMPLES if len(sample.message) < 3000]
    refused = 0
    for _ in range(INPUTS // 20):
        sample, other = random.choice(small), random.choice(small)
        damaged, _ = mutated(random, sample.message, other.message)
        if service.refuses(damaged):
            refused += 1
        else:
            service.control.obey(Replace(tuple(stream for stream, _ in forwarded)), "again")
    assert 0.5 < refused / (INPUTS // 20) < 1


HOSTILE = hostile(MOST_STREAMS)


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_message_is_refused_at_little_cost(make: Callable[[], bytes], service: Service) -> None:
    message = make()
    start = time.thread_time()
    assert service.refuses(message)
    took = time.thread_time() - start
    tracemalloc.start()
    try:
        assert service.refuses(message)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    log.info(
        "%d bytes cost %.2f s and %.0f bytes for each: %s",
        len(message), took, most / len(message), service.control.counts.last_refusal,
    )  # fmt: skip
    size = len(message)
    assert took < seconds_for(message)
    assert most < 1024 * 1024 + 60 * size
    assert len(service.control.counts.last_refusal) < 500
