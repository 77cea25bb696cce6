"""What arrives in Kafka is what the IOC said: values, alarms, times and connections."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from caproto.sync.client import read
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType

from forwarder.model import EPICS_EPOCH_S
from tests.integration.service.rig import Service, data, stream


def time_of(service: Service, pv: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The record's EPICS time as another client reads it, in nanoseconds since the Unix epoch."""
    monkeypatch.setenv("EPICS_CA_AUTO_ADDR_LIST", "NO")
    monkeypatch.setenv("EPICS_CA_ADDR_LIST", service.ioc.ca_address)
    stamp = read(pv, data_type="time", repeater=False, timeout=10).metadata.stamp
    return (stamp.secondsSinceEpoch + EPICS_EPOCH_S) * 1_000_000_000 + stamp.nanoSeconds


def test_times_are_exact_to_the_nanosecond_and_keys_are_names(
    service: Service, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.process.order(UpdateType.ADD, [stream("SVC:A1", topic)])
    times = [time_of(service, "SVC:A1", monkeypatch)]
    data(service.broker, topic, lambda d: len(d.values) == 1)
    for value in (1.5, 2.5, 3.5):
        service.ioc.put("SVC:A1", value)
        times.append(time_of(service, "SVC:A1", monkeypatch))
    found = data(service.broker, topic, lambda d: len(d.values) == 4)
    assert found.values[1:] == [1.5, 2.5, 3.5]
    assert [reading.time_ns for reading in found.readings] == times
    assert len({time_ns % 1000 for time_ns in times}) > 1, "the clock of the IOC has nanoseconds"
    values = [record for record in found.records if record.value is not None and record.value[4:8] == b"f142"]
    assert [record.timestamp_ms for record in values] == [time_ns // 1_000_000 for time_ns in times]
    assert {record.key for record in found.records} == {b"SVC:A1"}


def test_alarms_are_told_first_and_when_they_change(service: Service, topic: str) -> None:
    service.ioc.put("SVC:LIMITED", 1)
    service.process.order(UpdateType.ADD, [stream("SVC:LIMITED", topic)])
    data(service.broker, topic, lambda d: len(d.values) == 1)
    for value in (2, 11, 12, 21, 3, 4):
        service.ioc.put("SVC:LIMITED", value)
    found = data(service.broker, topic, lambda d: len(d.values) >= 7)
    assert [(reading.value, reading.alarm) for reading in found.readings] == [
        (1.0, ("NO_ALARM", "NO_ALARM")),
        (2.0, None),
        (11.0, ("HIGH", "MINOR")),
        (12.0, None),
        (21.0, ("HIHI", "MAJOR")),
        (3.0, ("NO_ALARM", "NO_ALARM")),
        (4.0, None),
    ]


def test_only_periodic_streams_repeat_with_alarm_and_the_time_of_the_repeat(
    service: Service, topic: str, unique: Callable[[str], str]
) -> None:
    once = unique("once")
    service.broker.create_topic(once)
    service.ioc.put("SVC:LIMITED", 15)
    service.process.order(
        UpdateType.ADD, [stream("SVC:LIMITED", topic, periodic=1), stream("SVC:LIMITED", once, periodic=0)]
    )
    found = data(service.broker, topic, lambda d: len(d.values) >= 5)
    assert {(r.value, r.time_ns, r.alarm) for r in found.readings} == {
        (15.0, found.readings[0].time_ns, ("HIGH", "MINOR"))
    }
    times_ms = [r.timestamp_ms for r in found.records if r.value is not None and r.value[4:8] == b"f142"]
    assert times_ms[0] == found.readings[0].time_ns // 1_000_000
    pauses = [later - earlier for earlier, later in pairwise(times_ms[1:])]
    assert all(150 <= pause <= 1_500 for pause in pauses), pauses
    assert data(service.broker, once).values == [15.0]


def test_fake_pvs_update_by_themselves(service: Service, topic: str) -> None:
    service.process.order(UpdateType.ADD, [stream("FAKE:PV", topic, Protocol.FAKE)])
    found = data(service.broker, topic, lambda d: len(d.values) >= 20)
    assert found.events == ["CONNECTED"]
    assert all(-1.0 <= value <= 1.0 for value in found.values)
    assert len(set(found.values)) > 5
    times = [reading.time_ns for reading in found.readings]
    assert times == sorted(times)


def test_each_change_of_the_connection_is_told(service: Service, topic: str) -> None:
    service.process.order(UpdateType.ADD, [stream("SECOND:STATIC", topic), stream("NOBODY:HAS:THIS", topic)])
    found = data(service.broker, topic, lambda d: len(d.events) >= 2)
    assert sorted((c.pv, c.event) for c in found.connections) == [
        ("NOBODY:HAS:THIS", "NEVER_CONNECTED"),
        ("SECOND:STATIC", "NEVER_CONNECTED"),
    ]
    service.second_ioc.start()
    try:
        data(service.broker, topic, lambda d: len(d.values) == 1)
        service.second_ioc.kill()
        data(service.broker, topic, lambda d: "DISCONNECTED" in d.events)
        service.second_ioc.start()
        found = data(service.broker, topic, lambda d: len(d.values) == 2)
    finally:
        service.second_ioc.stop()
    assert [c.event for c in found.connections if c.pv == "SECOND:STATIC"] == [
        "NEVER_CONNECTED",
        "CONNECTED",
        "DISCONNECTED",
        "CONNECTED",
    ]
    # A value that comes after a connection is a first one.
    assert all(reading.alarm is not None for reading in found.readings)
    assert {record.key for record in found.records} == {b"SECOND:STATIC", b"NOBODY:HAS:THIS"}
