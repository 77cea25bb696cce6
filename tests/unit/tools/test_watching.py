"""Where watching begins, which messages are wanted, and how they are counted."""

import asyncio
import json

import pytest

from forwarder.encode import f144
from forwarder.errors import KafkaAway
from forwarder.kafka.topic_reader import EARLIEST, LATEST, Record
from forwarder.model import ChannelType, ValueType
from forwarder.settings.types import ClusterSettings, TopicSettings
from forwarder.tools import following
from forwarder.tools.following import Following, Place, Start, start
from forwarder.tools.sighting import Tally, Wanted, sight

T = 1_700_000_000_123_456_789


def record(pv: str = "PV", *, key: bytes | None = b"PV", value: bytes | None = b"", time_ms: int = 0) -> Record:
    double = f144.encoder(pv, ChannelType(ValueType.FLOAT64, False)).encode(1.5, T)
    return Record("T", 1, 2, time_ms, key, double if value == b"" else value)


STARTS = {
    "beginning": Start(Place.BEGINNING),
    "end": Start(Place.END),
    "offset:12": Start(Place.OFFSET, 12),
    "time:2024-01-02T03:04:05Z": Start(Place.TIME, 1_704_164_645_000),
    "time:2024-01-02T03:04:05": Start(Place.TIME, 1_704_164_645_000),
    "time:2024-01-02T04:04:05.250+01:00": Start(Place.TIME, 1_704_164_645_250),
    "time:2024-01-02": Start(Place.TIME, 1_704_153_600_000),
    "-20": Start(Place.TAIL, 20),
}


@pytest.mark.parametrize(("text", "expected"), STARTS.items(), ids=STARTS)
def test_where_to_begin(text: str, expected: Start) -> None:
    assert start(text) == expected


@pytest.mark.parametrize(
    "text", ["", "start", "offset", "offset:-1", "offset:x", "time:noon", "time:", "20", "-", "--1"]
)
def test_no_place_to_begin(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an offset|is not a time such as|allowed: beginning, end, offset:N"):
        start(text)


WANTED = {
    "all": (Wanted(), True),
    "a name": (Wanted(["PV"]), True),
    "another name": (Wanted(["pv"]), False),
    "one of two": (Wanted(["X", "P?"]), True),
    "a schema": (Wanted([], ["f144"]), True),
    "another schema": (Wanted([], ["f142"]), False),
    "a name in another schema": (Wanted(["*"], ["f142"]), False),
}


@pytest.mark.parametrize(("wanted", "is_wanted"), WANTED.values(), ids=WANTED)
def test_what_is_wanted(wanted: Wanted, is_wanted: bool) -> None:
    assert (sight(record()) in wanted) is is_wanted


def test_a_message_without_a_name_has_that_of_its_key() -> None:
    sighting = sight(record(value=b"what is this?"))
    assert sighting in Wanted(["PV"])
    assert sighting.name == "PV"
    assert sighting.problem == "13 bytes in no known schema: bytes 4 to 8 are b' is '"


def test_what_scripts_are_told() -> None:
    head = {"topic": "T", "partition": 1, "offset": 2, "kafka_time_ms": 5}
    told = sight(record(time_ms=5)).as_json()
    assert told == {
        **head, "key": "PV", "schema": "f144", "name": "PV", "time_ns": T, "value": 1.5, "alarm": "",
        "fields": {"source_name": "PV", "timestamp": T, "value_type": "Double", "value": 1.5},
    }  # fmt: skip
    json.dumps(told, allow_nan=False)
    assert sight(record(key=None, value=None, time_ms=5)).as_json() == {**head, "key": None, "schema": "tombstone"}
    assert "error" in sight(record(value=b"\xff" * 20)).as_json()


def test_counts_and_rates() -> None:
    tally = Tally()
    for time_ms in (9_000, 1_000, 5_000):
        tally.add(sight(record(time_ms=time_ms)))
    tally.add(sight(record("Q", time_ms=5_000)))
    tally.add(sight(record(value=b"?")))
    count = tally.counts["T", "f144"]
    assert (count.messages, count.rate, count.names) == (4, 3 / 8, {"PV", "Q"})
    assert (tally.messages, tally.undecodable) == (5, 1)
    assert tally.counts["T", "?"].rate == 0


class _Topic:
    """A topic of one partition whose brokers go away for two requests."""

    topic = "T"

    def __init__(self) -> None:
        self.away = 2

    async def offsets(self, when: int) -> dict[int, int]:
        return {0: 0 if when == EARLIEST else 3}

    async def fetch(self, positions: dict[int, int], wait_ms: int) -> tuple[list[Record], dict[int, int]]:
        if positions[0] == 1 and self.away:
            self.away -= 1
            raise KafkaAway("broker b:1: it is away")
        return [Record("T", 0, positions[0], 0, None, None)], {0: positions[0] + 1}


def test_brokers_that_go_away_are_told_of_once_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "TopicReader", lambda *_: _Topic())
    monkeypatch.setattr(following, "_AGAIN_S", 0.001)
    told: list[str] = []

    async def follow() -> list[int]:
        topics = [TopicSettings(ClusterSettings(("b:1",)), "T")]
        async with Following(topics, Start(Place.BEGINNING), until_end=True, trouble=told.append) as found:
            return [record.offset async for batch in found.batches() for record in batch]

    assert asyncio.run(follow()) == [0, 1, 2]
    assert told == ["T: broker b:1: it is away", ""]


class _Endless(_Topic):
    """Has a message each time it is asked, and is at offset 5 by whatever clock."""

    async def offsets(self, when: int) -> dict[int, int]:
        return {0: 0 if when == EARLIEST else 5}

    async def fetch(self, positions: dict[int, int], wait_ms: int) -> tuple[list[Record], dict[int, int]]:
        await asyncio.sleep(0)
        return [Record("T", 0, positions[0], 0, None, None)], {0: positions[0] + 1}


@pytest.mark.parametrize("when", [LATEST, 1_700_000_000_000])
def test_an_end_that_is_set_later(monkeypatch: pytest.MonkeyPatch, when: int) -> None:
    monkeypatch.setattr(following, "TopicReader", lambda *_: _Endless())

    async def follow() -> list[int]:
        topics = [TopicSettings(ClusterSettings(("b:1",)), "T")]
        offsets: list[int] = []
        async with Following(topics, Start(Place.BEGINNING), until_end=False, trouble=print) as found:
            async for batch in found.batches():
                offsets += [record.offset for record in batch]
                found.finish(when)
        return offsets

    offsets = asyncio.run(follow())
    # A few may have been on their way before the end was known.
    assert offsets[:5] == [0, 1, 2, 3, 4]
    assert len(offsets) <= 8


class _Partitions(_Topic):
    """Answers with one partition after the other, as brokers do."""

    async def offsets(self, when: int) -> dict[int, int]:
        return dict.fromkeys((0, 1), 0 if when == EARLIEST else 3)

    async def fetch(self, positions: dict[int, int], wait_ms: int) -> tuple[list[Record], dict[int, int]]:
        times = {0: (2, 1, 6), 1: (3, 4, 5)}
        found = [Record("T", each, offset, times[each][offset], None, None) for each in times for offset in range(3)]
        return found, dict.fromkeys(times, 3)


def test_partitions_of_one_answer_come_in_the_order_of_their_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "TopicReader", lambda *_: _Partitions())

    async def follow() -> list[int]:
        topics = [TopicSettings(ClusterSettings(("b:1",)), "T")]
        async with Following(topics, Start(Place.BEGINNING), until_end=True, trouble=print) as found:
            return [record.time_ms async for batch in found.batches() for record in batch]

    assert asyncio.run(follow()) == [2, 1, 3, 4, 5, 6], "and each partition in its own order, whatever its times are"


class _Silent(_Topic):
    async def fetch(self, positions: dict[int, int], wait_ms: int) -> tuple[list[Record], dict[int, int]]:
        await asyncio.sleep(0.01)
        return [], positions


def test_somebody_who_has_more_to_do_is_told_that_nothing_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "TopicReader", lambda *_: _Silent())

    async def follow() -> int:
        topics = [TopicSettings(ClusterSettings(("b:1",)), "T")]
        idle = 0
        async with Following(topics, Start(Place.END), until_end=False, trouble=print, idle_s=0.001) as found:
            async for batch in found.batches():
                assert batch == ()
                idle += 1
                if idle == 3:
                    found.finish()
        return idle

    assert asyncio.run(follow()) >= 3
