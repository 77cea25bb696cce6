"""What is wrong, in words: each kind of trouble says so, and the worst comes first."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from forwarder.faults import RepeatingFault
from forwarder.model import Stream, Transport
from forwarder.outbox import Lane
from forwarder.settings.load import load
from tests.unit.observe.web.rig import Api, Bench, Subscriber, served

log = logging.getLogger("test")


class Sender:
    """One that says what a test says."""

    def __init__(self) -> None:
        self.refused_pvs: dict[str, str] = {}
        self.standing: list[RepeatingFault] = []
        self.in_trouble: dict[str, str] = {}

    def faults(self) -> list[RepeatingFault]:
        return self.standing

    def problems(self) -> Mapping[str, str]:
        return self.in_trouble

    def problem(self, lane: Lane) -> str:
        return self.in_trouble.get(lane.topic, "")


class Counting(Subscriber):
    """A client that has counted something."""

    def __init__(self, counted: Mapping[str, int]) -> None:
        super().__init__()
        self._counted = counted

    def counts(self) -> Mapping[str, int]:
        return self._counted


class Reader:
    name = "broker:9092/config"
    problem = "it does not exist"

    def __init__(self) -> None:
        self.reading = asyncio.Event()


def troubles(bench: Bench) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    async def use(api: Api) -> None:
        await bench.sampler.look()
        found.extend((await api.get("overview"))["troubles"])

    served(bench, use)
    return found


def said(bench: Bench) -> dict[str, tuple[str, str]]:
    """Level and detail by title."""
    return {each["title"]: (each["level"], each["detail"]) for each in troubles(bench)}


def test_kafka_that_is_away_comes_first_and_says_since_when() -> None:
    bench = Bench()
    bench.senders = {"": (sender := Sender())}
    now = 0.0
    fault = RepeatingFault(log, "Kafka at broker:9092 is away", lambda: now)
    fault.occurred("no answer")
    now = 30.0
    sender.standing = [fault]
    sender.in_trouble = {"data": "not known yet"}
    bench.open("A")
    bench.route("A").never_connected()
    first, *others = troubles(bench)
    assert (first["level"], first["title"], first["detail"]) == ("error", "Kafka at broker:9092 is away", "no answer")
    assert first["lasts_s"] == 30.0
    assert not any("topic data" in each["title"] for each in others), "that is no news then"


def test_a_topic_in_trouble_is_named_with_what_waits() -> None:
    bench = Bench()
    bench.senders = {"": (sender := Sender())}
    sender.in_trouble = {"data": "it does not exist", "new": "not known yet"}
    bench.open("A")
    bench.connect("A", 1.0)
    assert said(bench)["topic data: it does not exist"] == ("error", "2 messages wait.")
    assert not any("topic new" in title for title in said(bench))


def test_the_topic_and_the_pvs_that_go_there_say_what_keeps_their_messages() -> None:
    bench = Bench()
    bench.senders = {"": (sender := Sender())}
    bench.open("A")
    bench.open("B", topic="other")
    bench.connect("A", 1.0)
    lane = bench.outbox.lane("", "data")
    lane.collect(lambda key, count: 0, time.monotonic() - 30.0)
    sender.in_trouble = {"data": "Kafka at broker:9092 is away: no answer"}

    async def use(api: Api) -> None:
        stuck, other = (await api.get("topics"))["topics"]
        assert (stuck["problem"], other["problem"]) == ("Kafka at broker:9092 is away: no answer", None)
        assert 30.0 <= stuck["oldest_s"] < 60.0
        assert other["oldest_s"] == 0.0
        (stream,) = (await api.get("pv", protocol="ca", name="A"))["streams"]
        assert (stream["problem"], stream["waiting"]) == (stuck["problem"], lane.waiting)
        assert stream["oldest_s"] >= stuck["oldest_s"]
        (stream,) = (await api.get("pv", protocol="ca", name="B"))["streams"]
        assert (stream["problem"], stream["waiting"]) == (None, 0)

    served(bench, use)


def test_what_kafka_has_refused_is_told_with_the_pv() -> None:
    bench = Bench()
    bench.senders = {"": (sender := Sender())}
    sender.refused_pvs = {"A": "data: larger than the broker takes", "B": "data: larger than the broker takes"}
    level, detail = said(bench)["Kafka has refused messages"]
    assert level == "note", "what was dropped for it lately is told as such"
    assert "The last was of B" in detail


def test_commands_that_are_not_read_or_were_refused() -> None:
    bench = Bench()
    bench.readers = [Reader()]
    bench.control.receive(b"junk", "command at config[0]@1")
    found = said(bench)
    assert found["commands on broker:9092/config are not read"] == ("error", "it does not exist")
    assert "config[0]@1" in found["refused since the start: 1 command, 0 streams"][1]


def test_streams_that_the_settings_do_not_allow_and_none_at_all() -> None:
    bench = Bench()
    assert said(bench)["nothing is forwarded"][0] == "note"
    bench.control.restore((Stream("A", Transport.CA, "f999", "data"),), "the stored state")
    assert said(bench)["not served: 1 stream of an earlier run"][0] == "warning"


def test_without_a_spool_a_kill_loses_what_waits() -> None:
    bench = Bench()
    assert "there is no spool" not in said(bench)
    bench.settings = load({"config-topic": ["broker:9092/config"], "spool-directory": ["none"]}, {})
    assert said(bench)["there is no spool"][0] == "note"


def test_queues_of_pvaccess_that_were_full() -> None:
    bench = Bench()
    full = {"full_queues": 0, "merged_updates": 0}
    bench.clients = {**bench.clients, Transport.PVA: Counting(full)}
    assert not any("pvAccess" in title for title in said(bench))
    full["full_queues"] = 3
    level, detail = said(bench)["queues of pvAccess were full 3 times since the start"]
    assert level == "note"
    assert "replaced by newer ones" in detail
    full["merged_updates"] = 40
    assert said(bench)["left out over pvAccess since the start: 40 updates"][0] == "warning"


def test_what_was_dropped_is_an_error_for_ten_minutes_and_a_note_from_then_on() -> None:
    bench = Bench()
    bench.open("A")
    sampler = bench.sampler
    asyncio.run(sampler.look())
    bench.outbox.lane("", "data").drop("memory full", [(b"A", b"", 0)])
    asyncio.run(sampler.look())
    title = "1 message dropped: memory full"
    assert said(bench)[title] == ("error", "1 of them in the last 10 minutes.")
    earlier = [replace(moment, time_s=moment.time_s - 601) for moment in sampler.moments]
    sampler.moments.clear()
    sampler.moments.extend(earlier)
    assert said(bench)[title] == ("note", "None in the last 10 minutes; counted since the start.")


def test_the_disk_the_state_and_the_parts() -> None:
    bench = Bench()
    bench.well = replace(bench.well, spool_problem="no space left on device", spool_bytes=2_000_000, stuck=("ticker",))
    found = said(bench)
    assert found["the disk does not take what waits for Kafka"] == ("error", "no space left on device")
    assert found["what waits for Kafka goes to disk"][1].startswith("2.0 MB")
    bench.well = replace(bench.well, spool_bytes=4_700)
    assert said(bench)["what waits for Kafka goes to disk"][1].startswith("4.7 kB")
    bench.well = replace(bench.well, spool_problem="", stuck=("ticker",))
    assert found["stuck: ticker"][0] == "error"
    bench.well = replace(bench.well, storage_problem=None)
    assert said(bench)["the streams are not stored"][0] == "note"
