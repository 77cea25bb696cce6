"""Commands change what is forwarded, as tables of cases: what was, what is asked for, what changes."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.model import Add, Command, Exit, Pattern, Remove, RemoveAll, Replace, Stream, Transport
from forwarder.streams import Changes, StreamTable


def stream(channel: str, topic: str = "T", schema: str = "f142", *, broker: str = "", periodic: bool = False) -> Stream:
    return Stream(channel, Transport.CA, schema, topic, broker, periodic)


def settings(streams: object) -> list[tuple[Stream, bool]]:
    """Streams with the setting that their equality leaves out."""
    assert isinstance(streams, StreamTable | tuple)
    return [(each, each.periodic) for each in streams]


def table_of(*streams: Stream) -> StreamTable:
    table = StreamTable()
    table.apply(Add(streams))
    return table


A, B, C = stream("A"), stream("B"), stream("C")
A_REPEATED = stream("A", periodic=True)
A_PVA = Stream("A", Transport.PVA, "f142", "T")
A_OTHER_TOPIC, A_OTHER_SCHEMA, A_ELSEWHERE = stream("A", "U"), stream("A", schema="f144"), stream("A", broker="h:1")

# what was, the command, opened, closed, updated, what is
CASES: dict[
    str,
    tuple[
        tuple[Stream, ...],
        Command,
        tuple[Stream, ...],
        tuple[Stream, ...],
        tuple[Stream, ...],
        tuple[Stream, ...],
    ],
] = {
    "add": ((A,), Add((B, C)), (B, C), (), (), (A, B, C)),
    "add what is there": ((A, B), Add((A,)), (), (), (), (A, B)),
    "add twice in one command": ((), Add((A, B, A)), (A, B), (), (), (A, B)),
    "the last periodic of one command wins": ((), Add((A_REPEATED, B, A)), (A, B), (), (), (A, B)),
    "the last periodic wins over what is there": ((A,), Add((A_REPEATED, A)), (), (), (), (A,)),
    "add with another periodic": ((A, B), Add((A_REPEATED,)), (), (), (A_REPEATED,), (A_REPEATED, B)),
    "add over another transport": ((A,), Add((A_PVA,)), (A_PVA,), (), (), (A, A_PVA)),
    "add to another topic, schema and cluster": (
        (A,),
        Add((A_OTHER_TOPIC, A_OTHER_SCHEMA, A_ELSEWHERE)),
        (A_OTHER_TOPIC, A_OTHER_SCHEMA, A_ELSEWHERE),
        (),
        (),
        (A, A_OTHER_TOPIC, A_OTHER_SCHEMA, A_ELSEWHERE),
    ),
    "replace": ((A, B), Replace((C, B)), (C,), (A,), (), (B, C)),
    "replace by the same": ((A, B), Replace((B, A)), (), (), (), (A, B)),
    "replace by nothing": ((A, B), Replace(()), (), (A, B), (), ()),
    "replace nothing": ((), Replace((A, A_REPEATED)), (A_REPEATED,), (), (), (A_REPEATED,)),
    "replace with another periodic": ((A, B), Replace((A_REPEATED,)), (), (B,), (A_REPEATED,), (A_REPEATED,)),
    "replace keeps the order of opening": ((C, A), Replace((A, B, C)), (B,), (), (), (C, A, B)),
    "remove one": ((A, B), Remove((Pattern("A"),)), (), (A,), (), (B,)),
    "remove every transport": ((A, A_PVA, B), Remove((Pattern("A"),)), (), (A, A_PVA), (), (B,)),
    "remove what isn't there": ((A,), Remove((Pattern("B"),)), (), (), (), (A,)),
    "remove by several patterns": ((A, B, C), Remove((Pattern("C"), Pattern("A"))), (), (A, C), (), (B,)),
    "remove a repeated stream": ((A_REPEATED,), Remove((Pattern("A"),)), (), (A_REPEATED,), (), ()),
    "remove all": ((A, B), RemoveAll(), (), (A, B), (), ()),
    "remove all of nothing": ((), RemoveAll(), (), (), (), ()),
    "exit": ((A,), Exit(), (), (), (), (A,)),
}


@pytest.mark.parametrize(("was", "command", "opened", "closed", "updated", "now"), CASES.values(), ids=CASES)
def test_a_command_changes_what_is_forwarded(
    was: tuple[Stream, ...],
    command: Command,
    opened: tuple[Stream, ...],
    closed: tuple[Stream, ...],
    updated: tuple[Stream, ...],
    now: tuple[Stream, ...],
) -> None:
    table = table_of(*was)
    changes = table.apply(command)
    assert settings(changes.opened) == settings(opened)
    assert settings(changes.closed) == settings(closed)
    assert settings(changes.updated) == settings(updated)
    assert settings(table) == settings(now)
    assert len(table) == len(now)
    assert bool(changes) == bool(opened or closed or updated)


def test_a_table_knows_what_it_holds() -> None:
    table = table_of(A_REPEATED)
    assert A in table
    assert A_PVA not in table


def test_a_stream_that_is_opened_again_is_last() -> None:
    table = table_of(A, B)
    table.apply(Remove((Pattern("A"),)))
    assert table.apply(Add((A_REPEATED,))) == Changes(opened=(A_REPEATED,))
    assert settings(table) == settings((B, A_REPEATED))


# pattern, and the letters of the streams among these that it closes
NAMED = {
    "a": stream("IN:DEMO:TEMP1", "DEMO_env", "f142"),
    "b": stream("IN:DEMO:TEMP12", "DEMO_env", "f144"),
    "c": stream("IN:DEMO:[x]", "DEMO_env.x", "f142", broker="h:1"),
    "d": stream("in:demo:temp1", "demo_env", "f142", broker="h:2"),
    "e": stream("IN:DEMO:*", "DEMO_envx", "f144", broker="h:1"),
    "f": stream("IN:DEMO:a\\b", "DEMO_env", "f142"),
}
PATTERNS: dict[str, tuple[Pattern, str]] = {
    "a channel": (Pattern("IN:DEMO:TEMP1"), "a"),
    "any run": (Pattern("IN:DEMO:TEMP*"), "ab"),
    "an empty run": (Pattern("*IN:DEMO:TEMP1*"), "ab"),
    "any one": (Pattern("IN:DEMO:TEMP??"), "b"),
    "everything": (Pattern("*"), "abcdef"),
    "everything, often": (Pattern("****", topic="*"), "abcdef"),
    "the whole string": (Pattern("DEMO*"), ""),
    "brackets are literal": (Pattern("IN:DEMO:[x]"), "c"),
    "brackets are literal beside a wildcard": (Pattern("*[x]"), "c"),
    "no character classes": (Pattern("IN:DEMO:TEMP[1]*"), ""),
    "a dot is literal": (Pattern(topic="DEMO_env.?"), "c"),
    "a backslash is literal": (Pattern("*\\?"), "f"),
    "case matters": (Pattern("in:*"), "d"),
    "a topic": (Pattern(topic="DEMO_env"), "abf"),
    "a topic in one cluster": (Pattern(topic="DEMO_*", broker="h:1"), "ce"),
    "a plain topic in one cluster": (Pattern(topic="DEMO_envx", broker="h:1"), "e"),
    "the default cluster": (Pattern(topic="*", broker=""), "abf"),
    "a schema": (Pattern(schema="f144"), "be"),
    "a schema is no wildcard": (Pattern(schema="f14?"), ""),
    "a schema beside a wildcard": (Pattern("*1?", schema="f142"), ""),
    "all of it has to match": (Pattern("IN:*", "f142", "DEMO_env"), "af"),
    "wildcards that are none": (Pattern("IN:DEMO:*", wildcards=False), "e"),
    "a star in two places": (Pattern("I*:*1"), "a"),
    "what overlaps": (Pattern("*TEMP1*1*"), ""),
    "an empty channel": (Pattern(""), ""),
}


@pytest.mark.parametrize(("pattern", "letters"), PATTERNS.values(), ids=PATTERNS)
def test_a_pattern_closes_what_it_matches(pattern: Pattern, letters: str) -> None:
    closed = table_of(*NAMED.values()).apply(Remove((pattern,))).closed
    assert closed == tuple(NAMED[letter] for letter in letters)


def means(pattern: str, text: str) -> bool:
    """The meaning of a pattern, spelled out."""

    @cache
    def rest_means(i: int, j: int) -> bool:
        if i == len(pattern):
            return j == len(text)
        if pattern[i] == "*":
            return rest_means(i + 1, j) or (j < len(text) and rest_means(i, j + 1))
        return j < len(text) and pattern[i] in ("?", text[j]) and rest_means(i + 1, j + 1)

    return rest_means(0, 0)


@given(st.text("ab*?.\n[", max_size=8), st.lists(st.text("ab.\n[", max_size=10), unique=True, max_size=10))
def test_wildcards_mean_what_they_say(pattern: str, names: list[str]) -> None:
    closed = table_of(*map(stream, names)).apply(Remove((Pattern(pattern),))).closed
    assert [each.channel for each in closed] == [name for name in names if means(pattern, name)]


def test_a_pattern_with_many_stars_takes_no_longer_than_any() -> None:
    table = table_of(*(stream("a" * 1000 + str(i)) for i in range(100)))
    assert table.apply(Remove((Pattern("*a*a*a*a*b"), Pattern("a*" * 200 + "b")))) == Changes()


channels = st.sampled_from([stream(name, periodic=periodic) for name in "ABCDE" for periodic in (False, True)])
several = st.lists(channels, max_size=6).map(tuple)
commands = st.one_of(
    several.map(Add),
    several.map(Replace),
    st.lists(st.sampled_from([Pattern(name) for name in ["A", "B", "?", "Z*"]])).map(tuple).map(Remove),
    st.just(RemoveAll()),
    st.just(Exit()),
)


@given(st.lists(commands, max_size=8))
def test_changes_say_all_that_changed(done: list[Command]) -> None:
    table, followed = StreamTable(), {}
    for command in done:
        changes = table.apply(command)
        for each in changes.closed:
            assert followed.pop(each) == each.periodic
        for each in changes.updated:
            assert followed[each] is not each.periodic
            followed[each] = each.periodic
        for each in changes.opened:
            assert each not in followed
            followed[each] = each.periodic
        assert settings(table) == list(followed.items())


def test_twenty_thousand_streams_are_no_burden() -> None:
    streams = tuple(stream(f"IN:DEMO:CS:SB:B{i}") for i in range(20_000))
    table = table_of(*streams)
    changes = table.apply(Replace((*streams[1_000:], stream("new"))))
    assert (len(changes.opened), len(changes.closed)) == (1, 1_000)
    by_name = tuple(Pattern(each.channel) for each in streams[:10_000])
    assert len(table.apply(Remove((Pattern("*B?9*", topic="?"), *by_name))).closed) == 9_000 + 1_000
