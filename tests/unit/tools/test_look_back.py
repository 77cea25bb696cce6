"""What is kept of the messages before a recording."""

import pytest

from forwarder.decode import decode
from forwarder.encode import al00, ep01, f142, f144, un00
from forwarder.kafka.topic_reader import Record
from forwarder.model import ChannelType, ConnectionState, ValueType
from forwarder.record.recording import OF_PVS
from forwarder.tools.look_back import Newest

DOUBLE, TEXT = ChannelType(ValueType.FLOAT64, False), ChannelType(ValueType.STRING, False)
LOG, ALARMED = f144.encoder("A", DOUBLE), f142.encoder("A", DOUBLE)


def newest(*messages: bytes | None, most_bytes: int = 10_000) -> Newest:
    found = Newest(OF_PVS, most_bytes)
    for number, message in enumerate(messages):
        found.take(Record("T", 0, number, number, None, message))
    return found


def kept(found: Newest) -> list[tuple[int, bool]]:
    return [(each.record.offset, each.alarm_only) for each in found.kept()]


def test_the_newest_of_each_pv_and_schema() -> None:
    other = f144.encoder("B", DOUBLE)
    assert kept(newest(LOG.encode(1.0, 9), other.encode(1.0, 9), LOG.encode(2.0, 9), ALARMED.encode(1.0, 9))) == [
        (1, False), (2, False), (3, False)
    ]  # fmt: skip


def test_units_come_first_for_values_before_them_have_them_too() -> None:
    found = newest(
        LOG.encode(1.0, 9),
        ep01.encode(b"A", ConnectionState.CONNECTED, 9, "fwd"),
        al00.encode(b"A", 1, "warm", 9),
        un00.encode(b"A", "K", 9),
    )
    assert kept(found) == [(3, False), (0, False), (1, False), (2, False)]


def test_an_alarm_that_did_not_change_since_is_kept_beside_the_value() -> None:
    high, higher, same = (
        ALARMED.encode_with_alarm(1.0, 9, 3, 1),
        ALARMED.encode_with_alarm(2.0, 9, 4, 2),
        ALARMED.encode(3.0, 9),
    )
    assert kept(newest(high, higher, same, same)) == [(1, True), (3, False)]
    assert kept(newest(high, same, higher)) == [(2, False)]


def test_of_several_partitions_it_is_the_newest_by_its_time() -> None:
    found = Newest(OF_PVS)
    for partition, ms in ((0, 5), (1, 7), (0, 6)):
        found.take(Record("T", partition, ms, ms, None, LOG.encode(float(ms), 9)))
    assert kept(found) == [(7, False)]


@pytest.mark.parametrize("junk", [None, b"", b"{}", b"what is this?", LOG.encode(1.0, 9)[:24]])
def test_what_nobody_can_read_hides_nothing(junk: bytes | None) -> None:
    assert kept(newest(LOG.encode(1.0, 9), junk)) == [(0, False)]


def test_memory_has_a_bound_and_the_largest_go() -> None:
    title = f142.encoder("TITLE", TEXT)
    long = title.encode("x" * 4_000, 9)
    assert len(long) > 4_000
    found = newest(LOG.encode(1.0, 9), *[long] * 50, most_bytes=5_000)
    assert (kept(found), found.dropped) == ([(0, False), (50, False)], 0), "only one of a PV is ever held"
    found = newest(LOG.encode(1.0, 9), long, most_bytes=4_000)
    assert (kept(found), found.dropped) == ([(0, False)], 1)
    found.take(Record("T", 0, 2, 2, None, title.encode("short", 9)))
    assert (len(kept(found)), found.dropped) == (2, 0)


def test_whatever_is_kept_can_be_read() -> None:
    found = newest(LOG.encode(1.5, 9)).kept()
    assert decode(found[0].record.value or b"").value == 1.5
