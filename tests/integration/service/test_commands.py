"""Commands as users send them, to the service as users run it."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import serialise_fc00
from streaming_data_types.forwarder_config_update_rf5k import StreamInfo as OldStreamInfo
from streaming_data_types.forwarder_config_update_rf5k import serialise_rf5k

from tests.integration.service.rig import Service, data, stream
from tests.support.waiting import wait_until

Unique = Callable[[str], str]


def fc00(change: int, channel: str, topic: str) -> bytes:
    number: Any = change
    return serialise_fc00(number, [stream(channel, topic)])


def rf5k(change: int, channel: str, topic: str) -> bytes:
    number: Any = change
    wanted = stream(channel, topic)
    return serialise_rf5k(number, [OldStreamInfo(wanted.channel, wanted.schema, wanted.topic, wanted.protocol)])


def legacy_json(change: int, channel: str, topic: str) -> bytes:
    if change == UpdateType.REMOVE:
        return json.dumps({"cmd": "stop_channel", "channel": channel}).encode()
    converter = {"schema": "f142", "topic": topic}
    wanted = {"channel": channel, "channel_provider_type": "ca", "converter": converter}
    return json.dumps({"cmd": "add", "streams": [wanted]}).encode()


@pytest.mark.parametrize("dialect", [fc00, rf5k, legacy_json])
def test_a_dialect_adds_and_removes(service: Service, topic: str, dialect: Callable[[int, str, str], bytes]) -> None:
    service.process.order_raw(dialect(UpdateType.ADD, "SVC:STATIC", topic))
    assert data(service.broker, topic, lambda d: bool(d.values)).values == [5.0]
    assert service.channels() == ["SVC:STATIC"]
    service.process.order_raw(dialect(UpdateType.REMOVE, "SVC:STATIC", topic))
    service.wait_for_channels([])
    service.ioc.put("SVC:STATIC.PROC", 1)
    assert data(service.broker, topic).values == [5.0]


def test_remove_takes_wildcards(service: Service, topic: str) -> None:
    service.process.order(UpdateType.ADD, [stream(f"SVC:{name}", topic) for name in ("A1", "A2", "B1")])
    service.wait_for_channels(["SVC:A1", "SVC:A2", "SVC:B1"])
    service.process.order(UpdateType.REMOVE, [stream("SVC:[AB]?", topic)])
    service.process.order(UpdateType.REMOVE, [stream("*:A?", topic)])
    service.wait_for_channels(["SVC:B1"])


def test_what_a_replace_keeps_loses_and_doubles_no_value(service: Service, topic: str) -> None:
    kept = stream("SVC:COUNT", topic)
    service.process.order(UpdateType.ADD, [kept, stream("SVC:A1", topic)])
    data(service.broker, topic, lambda d: len(d.values) > 5)
    for others in (["SVC:A2"], ["SVC:B1", "SVC:A1"], []):
        service.process.order(UpdateType.REPLACE, [kept, *(stream(other, topic) for other in others)])
        service.wait_for_channels(["SVC:COUNT", *others])
    read = len(data(service.broker, topic).values)
    found = data(service.broker, topic, lambda d: len(d.values) > read + 5)
    counts = [reading.value for reading in found.readings if reading.pv == "SVC:COUNT"]
    assert counts == [counts[0] + number for number in range(len(counts))]
    assert [c.event for c in found.connections if c.pv == "SVC:COUNT"] == ["CONNECTED"]


def test_bad_messages_are_counted_logged_and_skipped(service: Service, topic: str) -> None:
    before = service.status["config"]
    whole = fc00(UpdateType.ADD, "SVC:A1", topic)
    bad = {
        b"": "in no known dialect",
        b"\x08\0\0\0f142" + bytes(8): "f142",
        whole[: len(whole) // 2]: "fc00",
        b"{": "json",
        b'{"cmd": "dance"}': "dance",
        bytes(700_000): "700000 bytes in no known dialect",
    }
    for message in bad:
        service.process.order_raw(message)
    service.process.order(UpdateType.ADD, [stream("SVC:A1", topic)])
    service.wait_for_channels(["SVC:A1"])
    config = service.status["config"]
    refused = {name: count - before["refused"].get(name, 0) for name, count in config["refused"].items()}
    assert refused == {"unknown": 3, "fc00": 1, "json": 2}
    assert config["obeyed"]["fc00"] == before["obeyed"].get("fc00", 0) + 1
    lines = [line for line in service.process.log.splitlines() if "is not obeyed" in line][-len(bad) :]
    assert len(lines) == len(bad)
    for line, reason in zip(lines, bad.values(), strict=True):
        assert reason in line
        assert f"{service.topics.config}[0]@" in line


def test_a_second_stream_of_a_pv_shares_its_subscription_and_gets_its_last_value(
    service: Service, topic: str, unique: Unique
) -> None:
    second = unique("second")
    service.broker.create_topic(second)
    before = service.status["statistics"]
    service.process.order(UpdateType.ADD, [stream("SVC:STATIC", topic)])
    data(service.broker, topic, lambda d: bool(d.values))
    service.process.order(UpdateType.ADD, [stream("SVC:STATIC", second)])
    found = data(service.broker, second, lambda d: bool(d.values))
    assert (found.events, found.values) == (["CONNECTED"], [5.0])
    assert found.readings[0].alarm is not None
    status = service.status_when(lambda s: len(s["streams"]) == 2, "both streams are there")["statistics"]
    assert status["pvs"] == {"connected": 1}
    assert status["updates_received"] == before["updates_received"] + 1
    assert status["values_introduced"] == before["values_introduced"] + 1
    # The one that stays goes on when the other is removed.
    service.process.order(UpdateType.REMOVE, [stream("SVC:STATIC", topic)])
    service.wait_for_channels(["SVC:STATIC"])
    service.ioc.put("SVC:STATIC", 6)
    service.ioc.put("SVC:STATIC", 5)
    assert data(service.broker, second, lambda d: len(d.values) >= 3).values == [5.0, 6.0, 5.0]
    assert data(service.broker, topic).values == [5.0]


def test_a_topic_may_name_an_allowed_cluster_and_no_other(service: Service, topic: str) -> None:
    before = service.status["config"]["streams_refused"]
    host = f"localhost:{service.broker.port}"
    service.process.order(
        UpdateType.ADD,
        [
            stream("SVC:A1", f"nowhere.invalid:9092/{topic}"),
            stream("SVC:A2", f"{host}/{topic}"),
            stream("SVC:B1", f"{service.broker.address}/{topic}"),
            stream("SVC:STATIC", topic),
            stream("SVC:A1", topic, schema="none"),
        ],
    )
    found = data(service.broker, topic, lambda d: len(d.values) >= 3)
    assert {reading.pv for reading in found.readings} == {"SVC:A2", "SVC:B1", "SVC:STATIC"}
    status = service.status
    assert {(s["channel_name"], s["output_topic"]) for s in status["streams"]} == {
        ("SVC:A2", f"{host}/{topic}"),
        ("SVC:B1", topic),
        ("SVC:STATIC", topic),
    }
    assert status["config"]["streams_refused"] == before + 2
    assert "the output broker nowhere.invalid:9092 is not allowed; allowed are " in service.process.log
    service.process.order(UpdateType.REMOVE, [stream("*", f"{host}/*")])
    service.wait_for_channels(["SVC:B1", "SVC:STATIC"])


def test_a_status_comes_after_each_command_and_at_each_interval(service: Service, topic: str) -> None:
    service.process.order(UpdateType.ADD, [stream("SVC:A1", topic)])
    service.wait_for_channels(["SVC:A1"])
    statuses = service.process.statuses()
    running = [status for status in statuses if status["state"] == "running"]
    assert running[0]["streams"] == []
    assert running[0]["waits_for"] == []
    assert running[0]["config"]["topics"] == {f"{service.broker.address}/{service.topics.config}": "reading"}
    count = len(statuses)
    wait_until(lambda: len(service.process.statuses()) >= count + 3, what="further statuses")
    uptimes = [status["statistics"]["uptime_s"] for status in service.process.statuses()[count:]]
    pauses = [later - earlier for earlier, later in pairwise(uptimes)]
    assert all(0.4 < pause < 2 for pause in pauses), pauses
