"""Streams of both transports in today's schemas, with all that goes with them, from a real IOC into a real Kafka."""

from collections.abc import Callable

import pytest
from streaming_data_types.alarm_al00 import deserialise_al00
from streaming_data_types.epics_connection_ep01 import deserialise_ep01
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.logdata_f144 import deserialise_f144

from tests.integration.service.rig import SECOND_DATABASE, Service, data, stream
from tests.support import flatc

Unique = Callable[[str], str]


@pytest.mark.parametrize("protocol", [Protocol.CA, Protocol.PVA], ids=["CA", "PVA"])
def test_an_f144_stream_has_connection_units_alarm_and_values(service: Service, topic: str, protocol: int) -> None:
    service.ioc.put("SVC:LIMITED", 1)
    service.process.order(UpdateType.ADD, [stream("SVC:LIMITED", topic, protocol, schema="f144")])
    data(service.broker, topic, lambda d: {"un00", "al00", "f144"} <= set(d.schemas))
    service.ioc.put("SVC:LIMITED", 11)
    service.ioc.put("SVC:LIMITED", 12)
    found = data(service.broker, topic, lambda d: len(d.of("f144")) == 3)
    assert [deserialise_f144(message).value for message in found.of("f144")] == [1.0, 11.0, 12.0]
    assert [deserialise_al00(message).severity.name for message in found.of("al00")] == ["OK", "MINOR"]
    (event,) = found.of("ep01")
    assert deserialise_ep01(event).source_name == "SVC:LIMITED"
    assert found.schemas[0] == "ep01"
    assert found.schemas.count("un00") == 1
    assert {record.key for record in found.records} == {b"SVC:LIMITED"}


@pytest.mark.parametrize("protocol", [Protocol.CA, Protocol.PVA], ids=["CA", "PVA"])
def test_units_are_told_on_connect_and_once_for_each_change(service: Service, topic: str, protocol: int) -> None:
    service.process.order(UpdateType.ADD, [stream("SVC:UNITS", topic, protocol, schema="f144")])
    data(service.broker, topic, lambda d: d.schemas.count("un00") == 1)
    try:
        for units in ("mK", "mK", "uK"):
            service.ioc.put("SVC:UNITS.EGU", units)
        found = data(service.broker, topic, lambda d: d.schemas.count("un00") >= 3)
    finally:
        service.ioc.put("SVC:UNITS.EGU", "K")
    assert [flatc.to_json("un00", message)["units"] for message in found.of("un00")][:3] == ["K", "mK", "uK"]


def test_a_schema_without_a_place_for_the_type_is_shown_and_the_other_stream_goes_on(
    service: Service, topic: str, unique: Unique
) -> None:
    other = unique("other")
    service.broker.create_topic(other)
    refused_before = service.status["statistics"]["updates_refused_by_a_schema"]
    service.process.order(UpdateType.ADD, [stream("SVC:TEXT", topic, schema="f144"), stream("SVC:TEXT", other)])
    data(service.broker, other, lambda d: d.values == ["warm"])
    service.ioc.put("SVC:TEXT", "cold")
    data(service.broker, other, lambda d: d.values == ["warm", "cold"])
    status = service.status_when(lambda status: status["unsendable"]["count"] == 1, "the refusal is shown")
    assert status["unsendable"]["streams"] == [
        {
            "channel": "SVC:TEXT",
            "schema": "f144",
            "topic": topic,
            "reason": "SVC:TEXT: f144 has no place for string",
        }
    ]
    assert status["statistics"]["updates_refused_by_a_schema"] == refused_before + 2
    assert service.process.log.count("SVC:TEXT is not forwarded") == 1
    assert "f144" not in data(service.broker, topic).schemas


@pytest.mark.parametrize("protocol", [Protocol.CA, Protocol.PVA], ids=["CA", "PVA"])
def test_a_pv_that_comes_back_with_another_type_goes_on_with_that(service: Service, topic: str, protocol: int) -> None:
    before = service.status["statistics"]["pvs_with_another_type"]
    service.second_ioc.start()
    try:
        service.process.order(UpdateType.ADD, [stream("SECOND:STATIC", topic, protocol)])
        data(service.broker, topic, lambda d: d.values == [7.0])
        service.second_ioc.kill()
        service.second_ioc.serve('record(stringin, "SECOND:STATIC") { field(VAL, "seven") field(PINI, "YES") }')
        service.second_ioc.start()
        found = data(service.broker, topic, lambda d: "seven" in d.values)
        assert [value for value in found.values if isinstance(value, str)] == ["seven"]
        service.status_when(lambda s: s["statistics"]["pvs_with_another_type"] == before + 1, "the change is counted")
    finally:
        service.second_ioc.stop()
        service.second_ioc.serve(SECOND_DATABASE)
