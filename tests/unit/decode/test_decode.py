"""What every schema's messages say, as an independent writer has written them, and what damage makes of them."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import flatbuffers
import numpy as np
import pytest
from streaming_data_types import SERIALISERS
from streaming_data_types.alarm_al00 import Severity as AlarmSeverity
from streaming_data_types.area_detector_ad00 import Attribute
from streaming_data_types.area_detector_ADAr import Attribute as OldAttribute
from streaming_data_types.dataarray_da00 import Variable
from streaming_data_types.epics_connection_ep01 import ConnectionInfo
from streaming_data_types.fbschemas.action_response_answ.ActionOutcome import ActionOutcome
from streaming_data_types.fbschemas.action_response_answ.ActionType import ActionType
from streaming_data_types.fbschemas.eventdata_ev42 import EventMessage
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo
from streaming_data_types.forwarder_config_update_rf5k import StreamInfo as OldStreamInfo
from streaming_data_types.run_start_pl72 import DetectorSpectrumMap

from forwarder.decode import SCHEMAS, Undecodable, decode, glance, schema_of
from forwarder.decode.headline import plain
from forwarder.encode import f142, f144, un00
from forwarder.model import ChannelType, ValueType

DOUBLE = ChannelType(ValueType.FLOAT64, False)
T = 1_700_000_000_123_456_789
WHEN = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
WHEN_NS = 1_704_164_645_000_000_000

HISTOGRAM = {
    "source": "monitor",
    "timestamp": T,
    "current_shape": [2, 3],
    "dim_metadata": [
        {"length": 2, "unit": "us", "label": "tof", "bin_boundaries": np.array([0.0, 1.0, 2.0])},
        {"length": 3, "unit": "m", "label": "x", "bin_boundaries": np.array([0.0, 1.0, 2.0, 3.0])},
    ],
    "last_metadata_timestamp": T,
    "data": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
    "errors": np.array([[5.0, 4.0, 3.0], [2.0, 1.0, 0.0]]),
    "info": "none",
}
# The library writes them from the last to the first.
STREAMS = [StreamInfo(f"PV{number}", "f144", "T", 1, 0) for number in reversed(range(5))]
STATUS = json.dumps({"state": "running", "streams_count": 12, "streams": []})


def made(schema: str, *arguments: Any, **more: Any) -> bytes:
    return SERIALISERS[schema](*arguments, **more)


def log_data(severity: int, status: int, value: float = 1.5) -> bytes:
    return f142.encoder("PV", DOUBLE).encode_with_alarm(value, T, status, severity)


def detectors(spectra: list[int], ids: list[int], count: int) -> bytes:
    """df12, which the library has no writer of."""
    builder = flatbuffers.Builder(64)
    vectors = [builder.CreateNumpyVector(np.array(each, np.int32)) for each in (spectra, ids)]
    builder.StartObject(3)
    for slot, vector in enumerate(vectors):
        builder.PrependUOffsetTRelativeSlot(slot, vector, 0)
    builder.PrependInt32Slot(2, count, 0)
    builder.Finish(builder.EndObject(), file_identifier=b"df12")
    return bytes(builder.Output())


CASES: dict[str, tuple[bytes, str, int | None, Any, str]] = {
    "f142": (f142.encoder("PV", DOUBLE).encode(1.5, T), "PV", T, 1.5, ""),
    "f142 in alarm": (log_data(2, 3), "PV", T, 1.5, "MAJOR HIHI"),
    "f142 in no alarm": (log_data(0, 0), "PV", T, 1.5, "NO_ALARM"),
    "f142 of texts": (
        f142.encoder("PV", ChannelType(ValueType.STRING, True)).encode(["a", "µ"], T),
        *("PV", T, ["a", "µ"], ""),
    ),
    "f144": (made("f144", "PV", 42, T), "PV", T, 42, ""),
    "f144 of an array": (made("f144", "PV", np.array([1, 2, 3], dtype=np.uint16), T), "PV", T, [1, 2, 3], ""),
    "f144 of our own": (f144.encoder("PV", DOUBLE).encode(-math.inf, T), "PV", T, -math.inf, ""),
    "ep00": (made("ep00", T, 2, "PV", "fwd"), "PV", T, "CONNECTED", ""),
    "ep01": (made("ep01", T, ConnectionInfo.REMOTE_ERROR, "PV", "fwd"), "PV", T, "REMOTE_ERROR", ""),
    "al00": (made("al00", "PV", T, AlarmSeverity.MAJOR, "HIHI"), "PV", T, "HIHI", "MAJOR"),
    "un00": (un00.encode(b"PV", "µm", T), "PV", T, "µm", ""),
    "un00 of no units": (un00.encode(b"PV", None, T), "PV", T, "no units", ""),
    "se00": (made("se00", "PV", 1, T, 5, 7, np.array([1.0, 2.0])), "PV", T, [1.0, 2.0], ""),
    "senv": (made("senv", "PV", 1, WHEN, 5, 7, np.array([1, 2])), "PV", WHEN_NS, [1, 2], ""),
    "tdct": (made("tdct", "CHOPPER", [T, T + 1], 3), "CHOPPER", T, [T, T + 1], ""),
    "ad00": (
        made("ad00", "CAM", 7, T, np.zeros((2, 3), np.uint16), [Attribute("gain", "", "PV", 2)]),
        *("CAM", T, "2 x 3 uint16", ""),
    ),
    "ADAr": (
        made("ADAr", "CAM", 7, WHEN, np.zeros((2, 3), np.float64), [OldAttribute("gain", "", "PV", 2)]),
        *("CAM", WHEN_NS, "2 x 3 float64", ""),
    ),
    "da00": (
        made("da00", "monitor", T, [Variable("signal", np.zeros((2, 2))), Variable("x", np.arange(3))]),
        *("monitor", T, "signal (2 x 2), x (3)", ""),
    ),
    "x5f2": (
        made("x5f2", "forwarder", "1.0", "fwd-1", "host", 4, 4000, STATUS),
        *("fwd-1", None, "forwarder 1.0: running, 12 streams", ""),
    ),
    "fc00": (made("fc00", 0, STREAMS), "", None, "ADD PV0, PV1, PV2 and 2 more", ""),
    "fc00 without streams": (made("fc00", 2, []), "", None, "REMOVEALL", ""),
    "rf5k": (made("rf5k", 1, [OldStreamInfo("PV*", "f142", "T", 1)]), "", None, "REMOVE PV*", ""),
    "ev42": (made("ev42", "DAE", 1, T, [1, 2, 3], [4, 5, 6]), "DAE", T, "3 events in 1 pulse", ""),
    "ev42 of ISIS": (
        made("ev42", "DAE", 1, T, [1], [4], {"period_number": 3, "run_state": 1, "proton_charge": 0.5}),
        *("DAE", T, "1 events in 1 pulse", ""),
    ),
    "ev43": (made("ev43", "DAE", 1, [T, T + 9], [0, 1], [1, 2, 3], [4, 5, 6]), "DAE", T, "3 events in 2 pulses", ""),
    "ev44": (made("ev44", "DAE", 1, [T, T + 9], [0, 1], [1, 2, 3], [4, 5, 6]), "DAE", T, "3 events in 2 pulses", ""),
    "an44": (
        made("an44", "DAE", 1, [T], [0], [1, 2], [4, 5], [6, 7]),
        *("DAE", T, "2 events in 1 pulse", ""),
    ),
    "hs00": (made("hs00", HISTOGRAM), "monitor", T, "histogram of 2 x 3 bins", ""),
    "hs01": (made("hs01", HISTOGRAM), "monitor", T, "histogram of 2 x 3 bins", ""),
    "pl72": (
        made(
            "pl72",
            "job",
            "file.nxs",
            start_time=WHEN,
            run_name="run 7",
            instrument_name="LARMOR",
            detector_spectrum_map=DetectorSpectrumMap(np.array([1, 2]), np.array([3, 4]), 2),
        ),
        *("run 7", WHEN_NS, "run starts on LARMOR", ""),
    ),
    "6s4t": (made("6s4t", "job", "run 7", stop_time=WHEN), "run 7", WHEN_NS, "run stops", ""),
    "df12": (detectors([1, 2, 2], [11, 12, 13], 2), "", None, "3 detectors in 2 spectra", ""),
    "answ": (
        made("answ", "writer", "job", "c", ActionType.StartJob, ActionOutcome.Success, "all well", 201, WHEN),
        *("writer", None, None, ""),
    ),
    "wrdn": (made("wrdn", "writer", "job", False, "file.nxs"), "writer", None, None, ""),
    "ns10": (made("ns10", "key", "(1, 2)", 1.5), "key", 1_500_000_000, "(1, 2)", ""),
    "json": (made("json", '{"a": 1}'), "", None, '{"json": "{\\"a\\": 1}"}', ""),
    "C++ status": (
        b'{"service_id": "old", "streams": [{"channel_name": "PV", "converters": []}]}',
        *("old", None, "running, 1 streams", ""),
    ),
    "C++ add": (b'{"cmd": "add", "streams": [{"channel": "PV"}]}', "", None, "add PV", ""),
    "C++ stop": (b'{"cmd": "stop_channel", "channel": "PV"}', "", None, "stop_channel PV", ""),
    "C++ stop all": (b'{"cmd": "stop_all"}', "", None, "stop_all", ""),
}


@pytest.mark.parametrize(("message", "name", "time_ns", "value", "alarm"), CASES.values(), ids=CASES)
def test_what_a_message_says(message: bytes, name: str, time_ns: int | None, value: Any, alarm: str) -> None:
    decoded = decode(message)
    assert (decoded.name, decoded.time_ns, decoded.alarm) == (name, time_ns, alarm)
    if value is not None:
        found = decoded.value.tolist() if isinstance(decoded.value, np.ndarray) else decoded.value
        assert found == value
    json.dumps(plain(decoded.fields), allow_nan=False)


@pytest.mark.parametrize("message", [case[0] for case in CASES.values()], ids=CASES)
def test_a_glance_sees_whom_a_message_is_about(message: bytes) -> None:
    whole = decode(message)
    schema = SCHEMAS.get(whole.schema)
    if schema is None or not schema.name:
        with pytest.raises(Undecodable, match=r"that name nobody$"):
            glance(message)
    else:
        tells_alarm = whole.schema == "f142" and bool(whole.alarm)
        assert glance(message) == (whole.schema, whole.name, tells_alarm)


def test_every_schema_of_the_library_is_known() -> None:
    # The library's own writer of NDAr fails; a message of it is made below.
    tested = {schema_of(message) for message, *_ in CASES.values()} | {"NDAr"}
    assert {*SERIALISERS, "un00"} <= set(SCHEMAS)
    assert set(SCHEMAS) <= tested


def test_fields_have_the_schemas_names_and_names_for_numbers() -> None:
    assert decode(CASES["f142 in alarm"][0]).fields == {
        "source_name": "PV", "value_type": "Double", "value": 1.5, "timestamp": T, "status": "HIHI",
        "severity": "MAJOR",
    }  # fmt: skip
    fields = decode(CASES["ev42 of ISIS"][0]).fields
    assert fields["facility_specific_data"] == {"period_number": 3, "run_state": 1, "proton_charge": 0.5}
    assert decode(CASES["ad00"][0]).fields["attributes"][0]["name"] == "gain"
    assert decode(CASES["hs01"][0]).fields["dim_metadata"][1]["unit"] == "m"
    assert decode(CASES["hs01"][0]).fields["dim_metadata"][1]["bin_boundaries"].tolist() == [0, 1, 2, 3]
    assert decode(CASES["pl72"][0]).fields["detector_spectrum_map"]["spectrum"].tolist() == [1, 2]
    assert decode(CASES["df12"][0]).fields["detector_id"].tolist() == [11, 12, 13]


def test_events_with_debugging_data_that_no_class_is_there_for() -> None:
    builder = flatbuffers.Builder(64)
    builder.StartObject(0)
    debug = builder.EndObject()
    times = builder.CreateNumpyVector(np.array([1, 2], np.uint32))
    EventMessage.EventMessageStart(builder)
    EventMessage.EventMessageAddTimeOfFlight(builder, times)
    EventMessage.EventMessageAddFacilitySpecificDataType(builder, 2)
    EventMessage.EventMessageAddFacilitySpecificData(builder, debug)
    builder.Finish(EventMessage.EventMessageEnd(builder), file_identifier=b"ev42")
    decoded = decode(bytes(builder.Output()))
    assert (decoded.value, decoded.fields["facility_specific_data"]) == ("2 events in 1 pulse", None)


BAD = {
    "nothing": (b"", r"0 bytes in no known schema: bytes 4 to 8 are b''"),
    "a tombstone's like": (b"\0" * 20, r"20 bytes in no known schema"),
    "a text": (b"hello there", r"11 bytes in no known schema: bytes 4 to 8 are b'o th'"),
    "an unknown schema": (b"\x08\0\0\0zz99" + bytes(8), r"16 bytes in no known schema: bytes 4 to 8 are b'zz99'"),
    "broken JSON": (b'{"cmd": ', r"JSON of 8 bytes is damaged"),
    "only a head": (b"\x08\0\0\0f142", r"f142 of 8 bytes is damaged"),
    "a root outside": (b"\xff\xff\0\0f142" + bytes(8), r"f142 of 16 bytes is damaged"),
    "bad UTF-8": (made("al00", "PVPVPV", T, AlarmSeverity.OK, "m").replace(b"PVPVPV", b"\xff\xfePVPV"), "UTF-8|utf-8"),
}


@pytest.mark.parametrize(("message", "reason"), BAD.values(), ids=BAD)
def test_what_cannot_be_decoded_says_why(message: bytes, reason: str) -> None:
    with pytest.raises(Undecodable, match=reason) as caught:
        decode(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("C++")])
def test_a_message_that_is_cut_anywhere_is_an_error_or_has_lost_nothing_but_padding(name: str) -> None:
    """A cut may leave all fields whole, for builders put a message's texts and padding where they like."""
    whole = CASES[name][0]
    complete = plain(decode(whole).fields)
    for length in range(8, len(whole), 3):
        try:
            cut = decode(whole[:length])
        except Undecodable:
            continue
        assert plain(cut.fields) == complete


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("C++")])
@pytest.mark.parametrize("read", [decode, glance])
def test_flipped_bytes_are_decoded_or_undecodable(name: str, read: Callable[[bytes], object]) -> None:
    whole = bytearray(CASES[name][0])
    for place in range(len(whole)):
        for value in (0x00, 0x7F, 0xFF):
            damaged = bytearray(whole)
            damaged[place] = value
            try:
                read(bytes(damaged))
            except Undecodable:
                continue
