"""What a forwarder is told: all that is wanted is served, nothing else is touched, and nothing unchanged is closed."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.blocks.ledger import CONFIRM_S, Ledger, Plan
from forwarder.blocks.memory import Remembered
from forwarder.blocks.removal import removal
from forwarder.blocks.wanted import Site, Source
from forwarder.model import Add, RemoveAll, Stream, Transport
from forwarder.streams import StreamTable

LARMOR, ZOOM = Site("IN:LARMOR:", "LARMOR", "f142"), Site("IN:ZOOM:", "ZOOM", "f142")
SOURCES = (Source.BLOCKS,)


def block(name: str, site: Site = LARMOR) -> Stream:
    return site.stream(Source.BLOCKS, *site.blocks([name]))


class Forwarder:
    """Obeys as the real one does, and knows what it closed."""

    def __init__(self, streams: Iterable[Stream] = ()) -> None:
        self.table = StreamTable()
        self.table.apply(Add(tuple(streams)))
        self.closed: list[Stream] = []
        self.process = 1

    def obey(self, ledger: Ledger, plan: Plan, now: float, *, whole_channels: bool = False) -> None:
        if plan.remove:
            self.closed += self.table.apply(removal(plan.remove, whole_channels=whole_channels)).closed
            ledger.removed(plan.remove, 1, now)
        if plan.add:
            self.table.apply(Add(plan.add))
            ledger.added(plan.add, 2, now)

    def tells(self, ledger: Ledger, now: float) -> None:
        ledger.serves(tuple(self.table), ("host", self.process), alive=True, now=now)


def ledger(site: Site = LARMOR, remembered: Remembered | None = None, **more: bool) -> Ledger:
    return Ledger(site, SOURCES, remembered, **more)


def wants(one: Ledger, *names: str, site: Site = LARMOR) -> bool:
    return one.said(Source.BLOCKS, site.blocks(names))


def test_only_the_difference_is_told() -> None:
    one, forwarder = ledger(), Forwarder()
    forwarder.tells(one, 0)
    assert wants(one, "A", "B")
    forwarder.obey(one, one.plan(0), 0)
    assert not one.plan(0), "it is on its way"
    assert wants(one, "B", "C")
    assert one.plan(1) == Plan((block("A"),), (block("C"),))
    assert not wants(one, "B", "C"), "nothing new"


def test_what_was_added_and_is_not_wanted_any_more_is_removed_before_it_ever_showed() -> None:
    one = ledger()
    one.serves((), ("h", 1), alive=True, now=0)
    wants(one, "A")
    one.added(one.plan(0).add, 1, 0)
    wants(one)
    assert one.plan(0.1).remove == (block("A"),)


def test_an_older_status_is_not_taken_for_the_answer() -> None:
    one = ledger()
    one.serves((), ("h", 1), alive=True, now=0)
    wants(one, "A")
    one.added(one.plan(0).add, 1, 0)
    one.serves((), ("h", 1), alive=True, now=0.1)
    one.remembered()
    assert not one.plan(0.2)
    assert not one.look(CONFIRM_S - 0.1)
    assert one.look(CONFIRM_S)
    assert one.plan(CONFIRM_S).add == (block("A"),)
    assert one.unconfirmed == {"add": 1}


def test_a_stream_that_is_refused_is_tried_again_more_and_more_rarely() -> None:
    one, times = ledger(), list[float]()
    one.serves((), ("h", 1), alive=True, now=0)
    wants(one, "A")
    for now in range(3000):
        if (now == 0 or one.look(now)) and (plan := one.plan(now)):
            times.append(now)
            one.added(plan.add, now, now)
            one.refuses(now, plan.add)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[:4] == [CONFIRM_S, 2 * CONFIRM_S, 4 * CONFIRM_S, 8 * CONFIRM_S]
    assert max(gaps) == 600
    wants(one)
    wants(one, "A")
    assert one.plan(3000).add, "somebody has just asked for it"


@pytest.mark.parametrize("process", [1, 2])
def test_what_was_refused_is_tried_at_once_by_one_that_was_started_again(process: int) -> None:
    """In a container every one of them has the same name and number."""
    one, now = ledger(), 0.0
    one.serves((), ("h", 1), alive=True, now=now)
    wants(one, "A")
    for number in range(5):
        one.added(one.plan(now).add, number, now)
        one.refuses(number, [block("A")])
        now += 600
    one.added(one.plan(now).add, 9, now)
    one.refuses(9, [block("A")])
    assert not one.plan(now + 1).add
    one.silent()
    assert one.serves((), ("h", process), alive=True, now=now + 1)
    assert one.plan(now + 1).add == (block("A"),)


def test_a_forwarder_that_lost_its_state_is_told_at_once() -> None:
    one, forwarder = ledger(), Forwarder()
    forwarder.tells(one, 0)
    wants(one, "A", "B")
    forwarder.obey(one, one.plan(0), 0)
    forwarder.tells(one, 1)
    forwarder.table.apply(RemoveAll())
    forwarder.process = 2
    forwarder.tells(one, 2)
    assert set(one.plan(2).add) == {block("A"), block("B")}


def test_who_removes_a_stream_again_and_again_is_not_fought_all_the_time() -> None:
    one, forwarder, added = ledger(), Forwarder(), 0
    wants(one, "A")
    for now in range(100):
        forwarder.tells(one, now)
        one.look(now)
        plan = one.plan(now)
        added += len(plan.add)
        forwarder.obey(one, plan, now)
        forwarder.tells(one, now + 0.5)
        forwarder.table.apply(RemoveAll())
    assert 3 <= added <= 5


def test_what_is_left_of_before_is_found_without_a_file() -> None:
    by_hand = Stream("IN:LARMOR:MOT:MTR1", Transport.CA, "f142", "LARMOR_sampleEnv")
    other_topic = Stream("IN:LARMOR:CS:SB:OLD", Transport.CA, "f142", "MINE")
    old = [block("OLD"), Stream("IN:LARMOR:CS:SB:OLD", Transport.CA, "f144", "LARMOR_sampleEnv")]
    forwarder = Forwarder([by_hand, other_topic, *old, block("KEPT"), block("OLD", ZOOM)])
    one = ledger()
    forwarder.tells(one, 0)
    assert not one.plan(0).remove, "the block server has not said anything yet"
    wants(one, "KEPT")
    assert one.plan(0) == Plan(tuple(old), ())


def test_with_a_file_only_what_is_in_it_is_removed() -> None:
    remembered = Remembered(frozenset([block("OURS")]), settled=True, said={Source.BLOCKS: LARMOR.blocks(["OURS"])})
    one, forwarder = ledger(remembered=remembered), Forwarder([block("OURS"), block("BY_HAND")])
    forwarder.tells(one, 0)
    assert not one.plan(0), "what was said last holds"
    wants(one)
    assert one.plan(0) == Plan((block("OURS"),), ())


def test_a_source_that_is_turned_off_wants_nothing_any_more() -> None:
    archived = LARMOR.stream(Source.ARCHIVE, "IN:LARMOR:X.RBV")
    said = {Source.BLOCKS: (), Source.ARCHIVE: ("IN:LARMOR:X.RBV",)}
    remembered = Remembered(frozenset([archived]), settled=True, said=said)
    assert not Ledger(LARMOR, (Source.BLOCKS, Source.ARCHIVE), remembered).plan(0).remove
    assert ledger(remembered=remembered).plan(0).remove == (archived,)


def test_without_a_status_it_is_believed_to_do_as_told() -> None:
    one, forwarder = ledger(is_told=False), Forwarder()
    for names in (["A", "B"], ["B"], ["C"], []):
        wants(one, *names)
        forwarder.obey(one, one.plan(0), 0)
        assert set(forwarder.table) == {block(name) for name in names}
        assert not one.plan(0)
        assert one.remembered().announced == set(forwarder.table)


@pytest.mark.parametrize("is_told", [False, True])
def test_a_restart_before_it_was_sent_leaves_nothing_out(is_told: bool) -> None:
    """It is on disk before it is sent: as long as nobody tells what is served, it may not be in the forwarder."""
    before = ledger(is_told=is_told)
    wants(before, "A", "B")
    after = ledger(remembered=before.remembered(before.plan(0).add), is_told=is_told)
    assert after.plan(0) == Plan((), (block("A"), block("B")))
    wants(after, "B")
    assert after.plan(0) == Plan((block("A"),), (block("B"),)), "neither is it sure that it is not"
    after.added([block("B")], 1, 0)
    assert not after.plan(0).add, "once is enough"


@pytest.mark.parametrize("whole_channels", [False, True])
def test_a_stream_that_takes_along_one_of_somebody_else_stays(whole_channels: bool) -> None:
    other = Stream("IN:LARMOR:CS:SB:A", Transport.PVA, "f142", "LARMOR_sampleEnv")
    if whole_channels:
        other = Stream("IN:LARMOR:CS:SB:A", Transport.CA, "f144", "ELSEWHERE")
    remembered = Remembered(frozenset([block("A"), block("B")]), settled=True)
    one = ledger(remembered=remembered, whole_channels=whole_channels)
    forwarder = Forwarder([block("A"), block("B"), other])
    forwarder.tells(one, 0)
    wants(one)
    forwarder.obey(one, one.plan(0), 0, whole_channels=whole_channels)
    assert set(forwarder.table) == {block("A"), other}
    assert one.held_back == 1


def test_a_schema_that_changes_replaces_the_streams() -> None:
    remembered = Remembered(frozenset([block("A")]), settled=True, said={Source.BLOCKS: LARMOR.blocks(["A"])})
    new = Site("IN:LARMOR:", "LARMOR", "f144")
    for whole_channels in (False, True):
        one = ledger(new, remembered, whole_channels=whole_channels)
        forwarder = Forwarder([block("A")])
        forwarder.tells(one, 0)
        forwarder.obey(one, one.plan(0), 0, whole_channels=whole_channels)
        assert set(forwarder.table) == {block("A", new)}


def test_another_cluster_replaces_the_streams() -> None:
    remembered = Remembered(frozenset([block("A")]), settled=True, said={Source.BLOCKS: LARMOR.blocks(["A"])})
    there = Site("IN:LARMOR:", "LARMOR", "f142", "there:9092")
    one, forwarder = ledger(there, remembered), Forwarder([block("A")])
    forwarder.tells(one, 0)
    forwarder.obey(one, one.plan(0), 0)
    assert set(forwarder.table) == {block("A", there)}
    forwarder.tells(one, 1)
    assert not one.plan(1)


def test_a_move_to_another_cluster_outlives_a_restart_at_any_moment() -> None:
    old = Remembered(frozenset([block("A")]), settled=True, said={Source.BLOCKS: LARMOR.blocks(["A"])})
    there = Site("IN:LARMOR:", "LARMOR", "f142", "there:9092")
    one, forwarder = ledger(there, old), Forwarder([block("A")])
    forwarder.tells(one, 0)
    plan = one.plan(0)
    # It is written down before it is sent.
    after = ledger(there, one.remembered(plan.add))
    forwarder.tells(after, 0)
    assert after.plan(0) == plan
    forwarder.obey(one, plan, 0)
    assert one.unsaved
    after = ledger(there, one.remembered())
    forwarder.tells(after, 1)
    assert not after.plan(1)


def test_what_is_gone_for_good_is_forgotten() -> None:
    one, forwarder = ledger(), Forwarder()
    forwarder.tells(one, 0)
    wants(one, "A")
    forwarder.obey(one, one.plan(0), 0)
    wants(one)
    forwarder.obey(one, one.plan(1), 1)
    forwarder.tells(one, 2)
    assert one.announced == 1
    one.remembered()
    assert not one.look(1 + CONFIRM_S - 0.1)
    assert one.look(1 + CONFIRM_S)
    assert one.announced == 0
    forwarder.table.apply(Add((block("A"),)))
    forwarder.tells(one, 100)
    assert not one.plan(100), "somebody else's by now"


NAMES = st.frozensets(st.sampled_from("ABCDEF"))
FOREIGN = st.frozensets(
    st.builds(
        Stream,
        st.sampled_from([*LARMOR.blocks("ABC"), *ZOOM.blocks("ABC"), "HAND"]),
        st.sampled_from([Transport.CA, Transport.PVA]),
        st.sampled_from(["f142", "f144"]),
        st.sampled_from(["LARMOR_sampleEnv", "ZOOM_sampleEnv", "MINE"]),
    ),
    max_size=5,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("says"), st.integers(0, 1), NAMES),
        st.tuples(st.just("tells"), st.integers(0, 1)),
        st.tuples(st.just("tells late"), st.integers(0, 1)),
        st.tuples(st.just("acts"), st.integers(0, 1)),
        st.tuples(st.just("restarts"), st.integers(0, 1)),
        st.tuples(st.just("waits"), st.floats(0, 30)),
    ),
    max_size=40,
)


@given(FOREIGN, STEPS, st.booleans())
def test_two_instruments_in_one_forwarder(
    foreign: frozenset[Stream], steps: Sequence[tuple[str, ...]], whole_channels: bool
) -> None:
    """Each gets what it wants whatever the order of things, and neither the other nor a person ever loses a stream."""
    sites = (LARMOR, ZOOM)
    settled = Remembered(settled=True)
    ledgers = [ledger(site, settled, whole_channels=whole_channels) for site in sites]
    wanted: list[frozenset[Stream]] = [frozenset(), frozenset()]
    forwarder, now = Forwarder(foreign), 0.0
    before = tuple(forwarder.table)

    def act(index: int) -> None:
        served = set(forwarder.table)
        one = ledgers[index]
        one.look(now)
        forwarder.obey(one, one.plan(now), now, whole_channels=whole_channels)
        closed = served - set(forwarder.table)
        assert not closed & (foreign | wanted[0] | wanted[1]), "what is wanted, or another's, is not touched"

    for step, *arguments in steps:
        match step, arguments:
            case "says", [index, names]:
                wants(ledgers[index], *sorted(names), site=sites[index])
                wanted[index] = frozenset(block(name, sites[index]) for name in names)
            case "tells", [index]:
                forwarder.tells(ledgers[index], now)
                before = tuple(forwarder.table)
            case "tells late", [index]:
                ledgers[index].serves(before, ("host", 1), alive=True, now=now)
            case "acts", [index]:
                if ledgers[index].is_alive:
                    act(index)
            case "restarts", [index]:
                remembered = ledgers[index].remembered()
                ledgers[index] = ledger(sites[index], remembered, whole_channels=whole_channels)
            case _, [seconds]:
                now += seconds
    for _ in range(4):
        now += 1000
        for index in (0, 1):
            forwarder.tells(ledgers[index], now)
            act(index)
    served = set(forwarder.table)
    assert served >= foreign | wanted[0] | wanted[1]
    over = served - foreign - wanted[0] - wanted[1]
    twins = {(each.channel,) if whole_channels else (each.channel, each.schema, each.topic) for each in served - over}
    for each in over:
        key = (each.channel,) if whole_channels else (each.channel, each.schema, each.topic)
        assert key in twins, "only what can't be removed alone is left"
