"""The stored state: what is written is what flatc, ess-streaming-data-types and the parser read, whole or in parts."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streaming_data_types.forwarder_config_update_fc00 import deserialise_fc00, serialise_fc00

from forwarder.commands import parse
from forwarder.commands.limits import Limits
from forwarder.commands.state import Headers, Index, Label, Place, decode, encode, may_be_of, read_label, split
from forwarder.errors import BadCommand
from forwarder.model import Replace, Stream, Transport
from tests.support import flatc

STREAMS = (
    Stream("IN:DEMO:CS:SB:TEMP1", Transport.CA, "f142", "DEMO_sampleEnv"),
    Stream("IN:DEMO:CS:SB:VISC", Transport.PVA, "f144", "DEMO_sampleEnv", periodic=True),
    Stream("pv", Transport.FAKE, "al00", "alarms", "kafka.example:9092", periodic=True),
    Stream("PV:Größe:温度", Transport.CA, "f144", "t", "[::1]:9092"),
    Stream("IN:DEMO:CS:SB:TEMP1", Transport.CA, "f142", "alarms", "kafka.example:9092"),
    Stream("f142", Transport.CA, "f142", "f142"),
)


def topic_text(stream: Stream) -> str:
    return f"{stream.broker}/{stream.topic}" if stream.broker else stream.topic


def whole(streams: Sequence[Stream]) -> list[tuple[Stream, bool]]:
    """Streams with the setting that their equality leaves out."""
    return [(stream, stream.periodic) for stream in streams]


names = st.text("abcXYZ:._-0123456789é", min_size=1, max_size=30)
streams = st.builds(
    Stream,
    names,
    st.sampled_from(Transport),
    st.sampled_from(["f142", "f144", "al00"]),
    st.sampled_from(["a", "ab", "abc", "abcd", "f142", "DEMO_sampleEnv"]),
    st.sampled_from(["", "h:1", "kafka.example:9092"]),
    st.booleans(),
)


class TestMessage:
    @pytest.mark.parametrize("count", range(len(STREAMS) + 1))
    def test_flatc_reads_it(self, count: int) -> None:
        assert flatc.to_json("fc00", encode(STREAMS[:count])) == {
            "config_change": "REPLACE",
            "streams": [
                {
                    "channel": stream.channel,
                    "schema": stream.schema,
                    "topic": topic_text(stream),
                    "protocol": stream.transport.name,
                    "periodic": int(stream.periodic),
                }
                for stream in STREAMS[:count]
            ],
        }

    @pytest.mark.parametrize("count", range(len(STREAMS) + 1))
    def test_ess_reads_it(self, count: int) -> None:
        update: Any = deserialise_fc00(encode(STREAMS[:count]))
        assert update.config_change == 3
        assert [tuple(stream) for stream in update.streams] == [
            (stream.channel, stream.schema, topic_text(stream), stream.transport.value, int(stream.periodic))
            for stream in STREAMS[:count]
        ]

    @given(st.lists(streams, max_size=30))
    def test_the_parser_reads_it(self, some: list[Stream]) -> None:
        message = encode(some)
        command = parse(message)
        assert isinstance(command, Replace)
        assert whole(command.streams) == whole(decode(message)) == whole(some)

    def test_a_text_is_there_once(self) -> None:
        more = [Stream(f"PV{number}", Transport.CA, "f142", "DEMO_sampleEnv") for number in range(100)]
        assert encode(more).count(b"DEMO_sampleEnv") == 1

    @pytest.mark.parametrize("position", range(0, 200, 4))
    def test_a_message_that_was_cut_is_no_state(self, position: int) -> None:
        with pytest.raises(BadCommand):
            decode(encode(STREAMS)[:position])

    def test_another_command_is_no_state(self) -> None:
        with pytest.raises(BadCommand, match="REMOVEALL"):
            decode(serialise_fc00(2, []))


class TestParts:
    @given(st.lists(streams, max_size=30), st.integers(0, 2000), st.integers(1, 10))
    def test_parts_are_the_streams_in_order_and_within_the_bounds(
        self, some: list[Stream], max_bytes: int, max_streams: int
    ) -> None:
        runs = split(some, max_bytes, Limits(streams=max_streams))
        assert [pair for run in runs for pair in whole(run)] == whole(some)
        assert all(1 <= len(run) <= max_streams for run in runs) or not some
        assert all(len(encode(run)) <= max_bytes or len(run) <= 1 for run in runs)

    @given(st.lists(streams, min_size=2, max_size=30), st.integers(0, 2000))
    def test_a_part_is_as_large_as_can_be(self, some: list[Stream], max_bytes: int) -> None:
        runs = split(some, max_bytes)
        for run, following in pairwise(runs):
            assert len(encode([*run, following[0]])) > max_bytes

    def test_no_streams_are_one_part(self) -> None:
        assert split((), 1) == [()]

    def test_no_part_is_larger_than_the_parser_reads(self) -> None:
        limits = Limits(message_bytes=300)
        for run in split(STREAMS, 1_000_000, limits):
            assert decode(encode(run), limits)


LABEL = Label("SERVICE", 7, "abc", 2, 3, {"config": {0: 5, 11: 0}, "host:9092/other": {}})


def headers_but(**changed: bytes | None) -> Headers:
    """The headers of LABEL with some changed, or left out (b"-")."""
    other = {name.replace("_", "-"): value for name, value in changed.items()}
    return [(name, other.get(name, value)) for name, value in LABEL.headers() if other.get(name, value) != b"-"]


class TestLabel:
    def test_it_is_read_as_it_was_written(self) -> None:
        assert read_label(LABEL.headers()) == LABEL

    @pytest.mark.parametrize(
        "changed",
        [
            {"state_format": b"2"},
            {"state_format": b"-"},
            {"state_format": None},
            {"service_id": b"\xff"},
            {"generation": b"-"},
            {"generation": b"-1"},
            {"generation": b"x"},
            {"generation": b"9" * 5000},
            {"state_id": None},
            {"part": b"0"},
            {"part": b"4"},
            {"parts": b"1"},
            {"config_offsets": b""},
            {"config_offsets": b"[]"},
            {"config_offsets": b'{"config":5}'},
            {"config_offsets": b'{"config":{"0":"5"}}'},
            {"config_offsets": b'{"config":{"0":-1}}'},
            {"config_offsets": b'{"config":{"x":1}}'},
            {"config_offsets": b'{"config":{"0":true}}'},
            {"config_offsets": b"[" * 100_000},
        ],
    )
    def test_headers_that_are_not_understood_are_refused(self, changed: dict[str, bytes | None]) -> None:
        with pytest.raises(BadCommand):
            read_label(headers_but(**changed))

    def test_keys(self) -> None:
        assert Label("S", 7, "", 1, 1, {}).key() == b"S"
        assert [Label("S", g, "", p, 12, {}).key() for g in (7, 8) for p in (1, 12)] == [
            b"S/1/1",
            b"S/1/12",
            b"S/0/1",
            b"S/0/12",
        ]

    @pytest.mark.parametrize(
        ("key", "headers", "own"),
        [
            (b"S", [], True),
            (b"S/0/1", [], True),
            (b"S/1/12", [("service-id", b"S")], True),
            (b"S", [("state-format", b"99")], True),
            (b"T", [], False),
            (b"S2", [], False),
            (b"S/2/1", [], False),
            (b"S/0/", [], False),
            (b"S/0/1/0/1", [], False),
            (b"S/0/1", [("service-id", b"S/0/1")], False),
            (b"", [], False),
        ],
    )
    def test_whose_a_message_is(self, key: bytes, headers: Headers, own: bool) -> None:
        assert may_be_of("S", key, headers) is own


class Noting:
    """An index, and messages at offsets that count up."""

    def __init__(self) -> None:
        self.index = Index("S")
        self._next = 0

    def __call__(
        self, key: bytes | None, value: bytes | None = b"value", headers: Headers | None = None, partition: int = 0
    ) -> Place:
        place = Place(partition, self._next, 1000 + self._next)
        self._next += 1
        self.index.note(place, key, value, headers or [])
        return place

    def part(self, generation: int, part: int = 1, parts: int = 1, partition: int = 0) -> Place:
        label = Label("S", generation, f"id{generation}", part, parts, {})
        return self(label.key(), b"value", label.headers(), partition)

    def generations(self) -> list[int]:
        return [parts[0][0].generation for parts in self.index.complete()]


class TestIndex:
    def test_the_newest_comes_first_and_only_what_is_complete(self) -> None:
        note = Noting()
        note.part(1)
        note.part(2, 1, 2)
        note.part(2, 2, 2)
        note.part(3, 2, 2)
        note.part(4, 1, 3)
        note.part(4, 3, 3)
        assert note.generations() == [2, 1]
        assert note.index.newest_generation == 4
        assert [label.part for label, _ in note.index.complete()[0]] == [1, 2]

    def test_generations_count_and_not_partitions(self) -> None:
        note = Noting()
        note.part(9, partition=0)
        note.part(8, partition=1)
        assert note.generations() == [9, 8]
        assert note.index.has_complete(1)
        assert not note.index.has_complete(2)

    def test_a_tombstone_takes_away_what_was_before_it(self) -> None:
        note = Noting()
        note.part(1, partition=1)
        note(b"S", headers=[("state-format", b"99")])
        note(b"S", None)
        assert note.generations() == []
        assert note.index.unreadable_after(None) == ""
        note.part(2)
        assert note.generations() == [2]

    def test_the_records_of_others_are_not_ours(self) -> None:
        note = Noting()
        note(b"T")
        note(b"T", None)
        assert (note.generations(), note.index.others, note.index.foreign) == ([], 0, None)

    def test_without_a_key_the_newest_that_looks_like_a_state_is_anothers(self) -> None:
        note = Noting()
        note(None, encode(STREAMS))
        newest = note(None, encode(STREAMS), partition=1)
        note(None, b"junk")
        note(None, None)
        assert note.index.foreign == newest
        assert note.index.others == 2

    def test_what_cannot_be_read_matters_when_it_is_newer(self) -> None:
        note = Noting()
        before = note.part(1)
        note(b"S", headers=[("state-format", b"99")])
        after = note.part(2)
        assert "99" in note.index.unreadable_after(before)
        assert "99" in note.index.unreadable_after(None)
        assert note.index.unreadable_after(after) == ""
