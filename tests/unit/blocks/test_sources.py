"""The other sources, what is remembered of all, and how the client's monitor becomes what is wanted."""

import logging
from pathlib import Path

import numpy as np
import pytest

from forwarder.blocks.archive import Steady, archived
from forwarder.blocks.block_names import BlockNames
from forwarder.blocks.feed import Feed
from forwarder.blocks.memory import BadMemory, Memory, Remembered
from forwarder.blocks.wanted import Site, Source
from forwarder.model import ChannelType, Stream, Transport, ValueType
from tests.support.block_server import packed

SITE = Site("IN:LARMOR:", "LARMOR", "f142")


def test_a_rows_value_names_fields_and_periods() -> None:
    rows = [("A", "VAL"), ("A", "VAL RBV 5.0"), ("B", "1e3 10 DESC"), ("C", "30"), ("D", ""), ("E", None)]
    assert archived(rows) == (("A.RBV", "A.VAL", "B.DESC"), 0, "")


def test_a_bad_row_is_left_out_and_counted() -> None:
    rows = [("A", "VAL"), ("B*", "VAL"), (None, "VAL"), ("C", "v*l"), ("D E", "VAL")]
    pvs, bad, first = archived(rows)
    assert (pvs, bad) == (("A.VAL",), 4)
    assert first == "pvname 'B*', where the name of a record is expected"


def test_rows_that_are_written_anew_while_they_are_read_cost_nothing() -> None:
    looks = Steady(["A.VAL", "GONE.VAL"])
    one, two = ("A", "VAL"), ("B", "VAL")
    assert looks.seen([one]).pvs == ("A.VAL", "GONE.VAL"), "the looks of before a restart count too"
    assert looks.seen([one, two]).pvs == ("A.VAL", "B.VAL"), "twice not there is gone; what is new counts at once"
    assert looks.seen([]).pvs == ("A.VAL", "B.VAL")
    assert looks.seen([one, two]).pvs == ("A.VAL", "B.VAL")
    assert looks.seen([("*", "VAL")]) == ((), 1, "pvname '*', where the name of a record is expected")
    assert looks.seen([]).pvs == ("A.VAL", "B.VAL"), "nor does a look count that says nothing good"
    assert looks.seen([]).pvs == ()


def test_where_things_go() -> None:
    block, *_ = SITE.blocks(["TEMP"])
    assert SITE.block_names_pv == "IN:LARMOR:CS:BLOCKSERVER:BLOCKNAMES"
    assert SITE.stream(Source.BLOCKS, block) == Stream("IN:LARMOR:CS:SB:TEMP", Transport.CA, "f142", "LARMOR_sampleEnv")
    assert "IN:LARMOR:DAE:COUNTRATE" in SITE.run_log()
    assert len(SITE.run_log()) == 11
    run_log = SITE.stream(Source.RUN_LOG, "IN:LARMOR:DAE:PERIOD")
    assert (run_log.schema, run_log.topic) == ("f144", "LARMOR_runLog")


def test_what_is_remembered_is_there_again(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "new" / "folder", SITE)
    assert memory.read() is None
    streams = frozenset([SITE.stream(Source.BLOCKS, "X"), Stream("Y", Transport.CA, "f144", "T", "h:1")])
    remembered = Remembered(streams, settled=True, said={Source.BLOCKS: ("X",), Source.ARCHIVE: ()})
    memory.write(remembered)
    assert memory.read() == remembered
    assert [each.name for each in memory.path.parent.iterdir()] == [memory.path.name]
    other = Memory(memory.path.parent, Site("IN:ZOOM:", "ZOOM", "f142")).read()
    assert other == Remembered(streams, settled=True), "what sources said of another instrument does not hold"


_FILE = '{"version": 1, "of": ["IN:LARMOR:", "LARMOR"], "settled": true, "announced": %s, "said": %s}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"version": 2}',
        "null",
        '{"version": 1, "of": 1}',
        "\xff",
        "[" * 100_000,
        _FILE % ('[["A", "CA", "f142"]]', "{}"),
        _FILE % ('[[1, "CA", "f142", "T", ""]]', "{}"),
        _FILE % ('["A"]', "{}"),
        _FILE % ("[]", '{"blocks": [1]}'),
        _FILE % ("[]", '{"blocks": "A"}'),
        _FILE % ("[]", '{"others": []}'),
    ],
)
def test_a_damaged_file_is_told(text: str, tmp_path: Path) -> None:
    memory = Memory(tmp_path, SITE)
    memory.path.write_text(text, encoding="latin-1")
    with pytest.raises(BadMemory, match="what was announced before is not known"):
        memory.read()


class Wanted:
    def __init__(self) -> None:
        self.pvs: tuple[str, ...] | None = None
        self.now = 100.0
        self.feed = Feed(Source.BLOCKS, self._take, lambda: self.now, "the block server")

    def _take(self, source: Source, pvs: tuple[str, ...]) -> bool:
        changed, self.pvs = pvs != self.pvs, pvs
        return changed


CHARS = ChannelType(ValueType.UINT8, is_array=True)


def characters(raw: bytes) -> np.ndarray:
    return np.frombuffer(raw, np.uint8)


def test_the_last_good_value_holds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    wanted = Wanted()
    monitor = BlockNames(SITE, wanted.feed)
    assert monitor.channel == SITE.block_names_pv
    monitor.connected(CHARS)
    monitor.update(characters(packed(["A"])), 0, 0, 0)
    wanted.now += 5
    for raw in (b"junk", b"junk", b"00"):
        monitor.update(characters(raw), 0, 0, 0)
    monitor.update(1.5, 0, 0, 0)
    monitor.failed(ValueError("too short"))
    assert wanted.pvs == ("IN:LARMOR:CS:SB:A",)
    assert wanted.feed.bad == {"hex": 2, "zlib": 1, "type": 1, "unreadable": 1}
    assert wanted.feed.age_s == 5
    assert "too short" in wanted.feed.problem
    assert sum("where hex is expected" in line for line in caplog.messages) == 1, "the same is told once"
    monitor.update(characters(packed(["A"])), 0, 0, 0)
    assert wanted.feed.problem == ""
    assert wanted.feed.changes == 1
    assert wanted.feed.age_s == 0


def test_blocks_with_odd_names_are_left_out_and_told() -> None:
    wanted = Wanted()
    monitor = BlockNames(SITE, wanted.feed)
    for _ in range(2):
        monitor.update(characters(packed(["A", "B*", "C"])), 0, 0, 0)
    assert wanted.pvs == ("IN:LARMOR:CS:SB:A", "IN:LARMOR:CS:SB:C")
    assert "name 2 of 3 is 'B*'" in wanted.feed.problem
    assert wanted.feed.bad == {"names": 2}
    monitor.update(characters(packed(["A", "B", "C"])), 0, 0, 0)
    assert wanted.feed.problem == ""


def test_a_block_server_that_goes_and_comes_is_told_and_counted() -> None:
    wanted = Wanted()
    monitor = BlockNames(SITE, wanted.feed)
    monitor.never_connected()
    assert wanted.feed.problem == "no server has IN:LARMOR:CS:BLOCKSERVER:BLOCKNAMES"
    monitor.connected(CHARS)
    assert (wanted.feed.problem, wanted.feed.reconnects, wanted.feed.connected) == ("", 1, True)
    monitor.disconnected("it was closed")
    assert "it was closed" in wanted.feed.problem
    assert not wanted.feed.connected
    monitor.connected(CHARS)
    assert wanted.feed.reconnects == 2
