"""What the API says is what the pipeline knows."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from forwarder.model import ChannelType, Transport, ValueType
from tests.unit.observe.web.rig import DOUBLE, Api, Bench, served

CASES = [
    ({}, ["A:1", "A:2", "B:1", "b:2", "NEVER"]),
    ({"search": "b:"}, ["B:1", "b:2"]),
    ({"search": "?:1"}, ["A:1", "B:1"]),
    ({"search": "a*2"}, ["A:2"]),
    ({"search": "[a-z]"}, []),
    ({"state": "connected"}, ["A:1", "A:2", "B:1"]),
    ({"state": "disconnected"}, ["b:2"]),
    ({"state": "never_connected"}, ["NEVER"]),
    ({"topic": "other"}, ["B:1"]),
    ({"schema": "f144"}, ["B:1"]),
    ({"protocol": "pva"}, []),
    ({"alarm": "MAJOR"}, ["A:2"]),
    ({"refused": "yes"}, []),
    ({"dropped": "any"}, ["A:1", "A:2"]),
    ({"dropped": "memory full"}, ["A:1"]),
    ({"dropped": "spool full"}, []),
    ({"error": "yes"}, ["A:2"]),
    ({"sort": "value", "state": "connected"}, ["B:1", "A:1", "A:2"]),
    ({"sort": "value", "order": "desc", "state": "connected"}, ["A:2", "A:1", "B:1"]),
    ({"sort": "received", "order": "desc"}, ["A:1", "A:2", "B:1", "b:2", "NEVER"]),
    ({"sort": "lost_at"}, ["b:2", "A:1", "A:2", "B:1", "NEVER"]),
    ({"sort": "lost_at", "order": "desc"}, ["b:2", "A:1", "A:2", "B:1", "NEVER"]),
    ({"sort": "name", "order": "desc"}, ["b:2", "NEVER", "B:1", "A:2", "A:1"]),
    ({"offset": 1, "limit": 2}, ["A:2", "B:1"]),
    ({"offset": 100}, []),
]


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open("A:1", "A:2", "b:2", "NEVER")
    bench.open("B:1", topic="other", schema="f144")
    bench.connect("A:1", 2.5)
    bench.connect("A:2", 7.0, severity=2).failed(ValueError("<script>alert(1)</script>"))
    bench.connect("B:1", -3.0)
    bench.connect("b:2", 4.0).disconnected("its circuit is lost: silent for 35 s")
    bench.route("NEVER").never_connected()
    route = bench.route("A:1")
    for number in range(3):
        route.update(2.5, route.time_ns + number + 1, 0, 0)
    bench.outbox.lane("", "data").drop("memory full", [(b"A:1", b"", 0)] * 5)
    return bench


@pytest.mark.parametrize(("asked", "expected"), CASES, ids=[json.dumps(asked) for asked, _ in CASES])
def test_the_table_is_searched_filtered_sorted_and_cut(
    bench: Bench, asked: dict[str, Any], expected: list[str]
) -> None:
    async def use(api: Api) -> None:
        names = await api.names(**asked)
        assert sorted(names) == sorted(expected)
        if "sort" in asked or "offset" in asked:
            assert names == [name for name in expected if name in names]

    served(bench, use)


def test_a_line_of_the_table_says_what_is_known(bench: Bench) -> None:
    async def use(api: Api) -> None:
        answer = await api.get("pvs", search="A:1")
        assert (answer["total"], answer["matched"], answer["offset"], answer["limit"]) == (5, 1, 0, 100)
        (row,) = answer["rows"]
        assert (row["state"], row["type"], row["server"]) == ("connected", "float64", "ioc:5064")
        assert (row["value"]["text"], row["units"], row["received"]) == ("2.5", None, 4)
        assert (row["dropped"], row["dropped_by_reason"]) == (5, {"memory full": 5})
        assert (row["connects"], row["disconnects"], row["lost_at"]) == (1, 0, None)
        assert row["alarm"] == {"severity": "NO_ALARM", "status": "NO_ALARM", "message": None}
        assert row["streams"] == [{"schema": "f142", "topic": "data", "refused": None}]
        assert row["connected_at"].startswith("20")
        assert row["connected_at"].endswith("Z")

    served(bench, use)


def test_a_lost_pv_keeps_its_last_value_and_says_why_it_was_lost(bench: Bench) -> None:
    async def use(api: Api) -> None:
        pv = await api.get("pv", protocol="ca", name="b:2")
        assert (pv["state"], pv["value"]["text"], pv["type"]) == ("disconnected", "4.0", None)
        assert [(event["state"], event["reason"]) for event in pv["events"]] == [
            ("disconnected", "its circuit is lost: silent for 35 s"),
            ("connected", None),
        ]
        assert pv["searched_at"] == ["10.0.0.255:5064 (UDP)"]

    served(bench, use)


def test_who_looks_at_a_pv_is_told_its_units_and_the_text_of_its_enum(bench: Bench) -> None:
    route = bench.route("A:1")

    async def use(api: Api) -> None:
        await api.get("pv", protocol="ca", name="A:1")
        assert bench.client.described[-1] == "A:1", "its server is asked"
        route.described("K", ())
        bench.client.described.clear()
        assert (await api.get("pv", protocol="ca", name="A:1"))["units"] == "K"
        assert bench.client.described == []
        route.connected(ChannelType(ValueType.ENUM, is_array=False))
        route.described("", ("OFF", "ON"))
        route.update(1, route.time_ns + 10, 0, 0)
        pv = await api.get("pv", protocol="ca", name="A:1")
        assert (pv["value"]["text"], pv["choices"], pv["type_changes"]) == ("ON", ["OFF", "ON"], 1)

    served(bench, use)


def test_what_cannot_be_sent_in_its_schema_is_refused_with_the_reason(bench: Bench) -> None:
    bench.open("TEXT", schema="f144")
    bench.connect("TEXT", "warm", ChannelType(ValueType.STRING, is_array=False))

    async def use(api: Api) -> None:
        assert await api.names(refused="yes") == ["TEXT"]
        pv = await api.get("pv", protocol="ca", name="TEXT")
        assert pv["streams"][0]["refused"] == pv["error"]["text"] != ""
        assert pv["dropped_by_reason"] == {"no place in the schema": 1}
        await bench.sampler.look()
        titles = [trouble["title"] for trouble in (await api.get("overview"))["troubles"]]
        assert "1 stream can't be sent in the schema asked for" in titles

    served(bench, use)


def test_values_that_no_json_has(bench: Bench) -> None:
    array = ChannelType(ValueType.FLOAT64, is_array=True)
    bench.open("NAN", "WAVE")
    bench.connect("NAN", float("nan"))
    bench.connect("WAVE", np.full(100_000, np.inf), array)

    async def use(api: Api) -> None:
        values = {row["name"]: row["value"] for row in (await api.get("pvs"))["rows"] if row["value"]}
        assert (values["NAN"]["text"], values["NAN"]["number"]) == ("NaN", None)
        assert (values["WAVE"]["length"], values["WAVE"]["cut"], values["WAVE"]["elements"]) == (
            100_000,
            True,
            [None] * 4,
        )
        assert len((await api.get("pv", protocol="ca", name="WAVE"))["value"]["elements"]) == 2000
        assert "NAN" in await api.names(sort="value")

    served(bench, use)


BAD = [
    ("pvs", {"state": "lost"}, 'state: "lost" is not one of nothing, connected'),
    ("pvs", {"limit": "0"}, 'limit: "0" is not a whole number from 1 to 500'),
    ("pvs", {"limit": "١"}, r'limit: "\u0661" is not a whole number'),
    ("pvs", {"limit": "9" * 5000}, "is not a whole number"),
    ("pvs", {"offset": "1.5"}, "offset:"),
    ("pvs", {"sort": "colour"}, "sort:"),
    ("pvs", {"search": "x" * 201}, "search: 201 characters; at most 200 are allowed"),
    ("pvs", {"page": "1"}, '"page" is not a parameter here; allowed: search, state'),
    ("pvs", [("limit", "1"), ("limit", "2")], "limit: it is given twice"),
    ("pv", {"protocol": "ca"}, "name: it has to be given"),
    ("pv", {"protocol": "http", "name": "A"}, "protocol:"),
    ("topics", {"a": "b"}, '"a" is not a parameter here; allowed: none'),
]


@pytest.mark.parametrize(("path", "asked", "error"), BAD)
def test_a_bad_parameter_is_named_with_what_is_allowed(bench: Bench, path: str, asked: Any, error: str) -> None:
    async def use(api: Api) -> None:
        async with api.client.get(f"/api/v1/{path}", params=asked) as response:
            assert response.status == 400
            assert error in (await response.json())["error"]

    served(bench, use)


def test_a_pv_that_is_not_forwarded_is_not_found(bench: Bench) -> None:
    async def use(api: Api) -> None:
        assert "no PV" in (await api.get("pv", 404, protocol="pva", name="A:1"))["error"]

    served(bench, use)


def test_the_topics_say_what_waits_and_what_was_dropped(bench: Bench) -> None:
    lane = bench.outbox.lane("", "data")
    lane.dropped["spool full"] += 3

    async def use(api: Api) -> None:
        await bench.sampler.look()
        data, other = (await api.get("topics"))["topics"]
        assert (data["topic"], data["cluster"], data["streams"], other["streams"]) == ("data", "broker:9092", 4, 1)
        assert (data["dropped"], data["dropped_by_reason"]) == (8, {"memory full": 5, "spool full": 3})
        assert data["dropped_unread"] == 3
        assert data["waiting"] == lane.waiting
        pv = await api.get("pv", protocol="ca", name="A:2")
        assert (pv["dropped"], pv["streams"][0]["dropped_unread"]) == (1, 3)

    served(bench, use)


def test_the_last_commands_come_with_what_became_of_them(bench: Bench) -> None:
    bench.control.receive(b"junk", "command at config[0]@17")
    bench.control.receive(
        b'{"cmd": "add", "streams": [{"channel": "NEW", "channel_provider_type": "ca", '
        b'"converter": {"schema": "f142", "topic": "data"}}]}',
        "command at config[0]@18",
    )

    async def use(api: Api) -> None:
        added, junk, *_ = (await api.get("commands"))["commands"]
        assert (added["place"], added["dialect"], added["command"]) == ("config[0]@18", "json", "Add")
        assert (added["result"], added["opened"], added["closed"], added["reason"]) == ("obeyed", 1, 0, None)
        assert (junk["place"], junk["result"], junk["command"]) == ("config[0]@17", "refused", None)
        assert junk["reason"]

    served(bench, use)


def test_what_is_wrong_is_said_worst_first(bench: Bench) -> None:
    deaths = {"ticker": 2, "storage": 0}
    bench.well = replace(bench.well, overloaded=True, storage_problem="the topic does not exist", deaths=deaths)

    async def use(api: Api) -> None:
        await bench.sampler.look()
        bench.outbox.lane("", "data").drop("memory full", [(b"A:1", b"", 0)])
        await bench.sampler.look()
        overview = await api.get("overview")
        levels = [trouble["level"] for trouble in overview["troubles"]]
        assert levels == sorted(levels, key=["error", "warning", "note"].index)
        titles = [trouble["title"] for trouble in overview["troubles"]]
        for title in (
            "the forwarder is overloaded",
            "6 messages dropped: memory full",
            "1 PV disconnected",
            "1 PV never connected",
            "the streams are not stored for the next start",
            "parts of the service died and were started again",
        ):
            assert title in titles
        assert overview["pvs"] == {"connected": 3, "disconnected": 1, "never_connected": 1, "searching": 0, "total": 5}
        assert (overview["with_losses"], overview["losses"]) == (2, {"memory full": 1, "could not be read": 1})
        assert overview["alarms"] == {"NO_ALARM": 2, "MINOR": 0, "MAJOR": 1, "INVALID": 0}

    served(bench, use)


def test_all_is_well_when_nothing_is_wrong() -> None:
    bench = Bench()
    bench.open("A")
    bench.connect("A", 1.0)

    async def use(api: Api) -> None:
        await bench.sampler.look()
        troubles = (await api.get("overview"))["troubles"]
        assert [trouble for trouble in troubles if trouble["level"] != "note"] == []

    served(bench, use)


def test_the_same_name_over_two_protocols_is_two_pvs(bench: Bench) -> None:
    bench.open("A:1", transport=Transport.PVA)
    bench.route("A:1", Transport.PVA).connected(DOUBLE)

    async def use(api: Api) -> None:
        assert await api.names(search="A:1") == ["A:1", "A:1"]
        assert (await api.get("pv", protocol="pva", name="A:1"))["received"] == 0

    served(bench, use)
