"""Two readers of what was sent, who know nothing of each other: flatc with schemas/, and ess-streaming-data-types."""

import importlib
import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from streaming_data_types.alarm_al00 import deserialise_al00
from streaming_data_types.area_detector_ad00 import deserialise_ad00
from streaming_data_types.array_1d_se00 import deserialise_se00
from streaming_data_types.epics_connection_ep01 import deserialise_ep01
from streaming_data_types.epics_connection_info_ep00 import deserialise_ep00
from streaming_data_types.fbschemas.array_1d_se00.se00_SampleEnvironmentData import se00_SampleEnvironmentData
from streaming_data_types.fbschemas.epics_connection_info_ep00.EventType import EventType
from streaming_data_types.fbschemas.logdata_f142 import AlarmSeverity, AlarmStatus, LogData
from streaming_data_types.fbschemas.logdata_f142.Value import Value as F142Value
from streaming_data_types.fbschemas.logdata_f144 import f144_LogData
from streaming_data_types.fbschemas.logdata_f144.Value import Value as F144Value
from streaming_data_types.fbschemas.sample_environment_senv.SampleEnvironmentData import SampleEnvironmentData
from streaming_data_types.logdata_f144 import deserialise_f144
from streaming_data_types.sample_environment_senv import deserialise_senv
from streaming_data_types.timestamps_tdct import deserialise_tdct

from tests.support import flatc

from .cells import Reading, Scalar


@dataclass(frozen=True)
class Said:
    """What one message says."""

    name: str
    """Of the PV."""
    time_ns: int | None
    """None where the format has none beside the times that are its content."""
    content: Any
    """A reading, or what a companion says: the state of the connection, severity and text of the alarm, the units."""
    alarm: tuple[str, str] | None = None
    """Status and severity by their names in f142, which alone says them along with the value."""


# fmt: off
_CODES = {
    "Byte": "i1", "UByte": "u1", "Short": "i2", "UShort": "u2", "Int": "i4", "UInt": "u4", "Long": "i8", "ULong": "u8",
    "Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4", "UInt32": "u4", "Int64": "i8",
    "UInt64": "u8", "Float": "f4", "Double": "f8", "String": "s",
}
# fmt: on
"""Members of the unions, without what makes them an array."""
# flatc writes numbers that JSON does not have.
_NOT_JSON = re.compile(r"(?<=[ \[])(-?)(nan|inf)(?=[\s,\]])")
_JSON = {"nan": "NaN", "inf": "Infinity"}


def by_flatc(messages: Iterable[bytes]) -> dict[bytes, Said]:
    """What flatc reads; it is run once for each schema, because it takes its time to start."""
    of_schema: dict[str, list[bytes]] = {}
    for message in dict.fromkeys(messages):
        of_schema.setdefault(message[4:8].decode("ascii"), []).append(message)
    with tempfile.TemporaryDirectory() as folder:
        return {
            message: _FROM_JSON[schema](content)
            for schema, same in of_schema.items()
            for message, content in zip(same, _json_of(schema, same, Path(folder, schema)), strict=True)
        }


def _json_of(schema: str, messages: list[bytes], folder: Path) -> list[dict[str, Any]]:
    folder.mkdir()
    names = [f"{number}.bin" for number in range(len(messages))]
    for name, message in zip(names, messages, strict=True):
        (folder / name).write_bytes(message)
    command = ["flatc", "--json", "--strict-json", "--defaults-json", str(flatc.SCHEMAS / f"{schema}.fbs"), "--"]
    subprocess.run([*command, *names], check=True, cwd=folder)
    texts = ((folder / name).with_suffix(".json").read_text(encoding="utf-8") for name in names)
    return [json.loads(_NOT_JSON.sub(lambda match: match[1] + _JSON[match[2]], text)) for text in texts]


def _log_json(content: dict[str, Any]) -> Said:
    member = content["value_type"]
    array = member.startswith("Array")
    value = content["value"].get("value", [] if array else 0)
    reading = Reading(_CODES[member.removeprefix("Array")], tuple(value) if array else value)
    alarm = (content["status"], content["severity"]) if "status" in content else None
    return Said(content["source_name"], content["timestamp"], reading, alarm)


def _samples_json(content: dict[str, Any]) -> Said:
    code = _CODES[content["values_type"].removesuffix("Array")]
    times = tuple(content["timestamps"]) if "timestamps" in content else None
    reading = Reading(code, tuple(content["values"].get("value", [])), times=times)
    return Said(content["name"], content["packet_timestamp"], reading)


def _image_json(content: dict[str, Any]) -> Said:
    dtype = np.dtype(content["data_type"])
    pixels = np.array(content["data"], np.uint8).view(dtype)
    return Said(content["source_name"], content["timestamp"], _image(pixels, content["dimensions"]))


def _image(pixels: "np.ndarray[Any, Any]", dimensions: Iterable[int]) -> Reading:
    return Reading(pixels.dtype.str[1:], tuple(pixels.reshape(-1).tolist()), tuple(map(int, dimensions)))


def _notice_json(*fields: str) -> Callable[[dict[str, Any]], Said]:
    return lambda content: Said(content["source_name"], content["timestamp"], tuple(content[field] for field in fields))


_FROM_JSON: dict[str, Callable[[dict[str, Any]], Said]] = {
    "f142": _log_json,
    "f144": _log_json,
    "tdct": lambda content: Said(content["name"], None, Reading("t", tuple(content["timestamps"]))),
    "se00": _samples_json,
    "senv": _samples_json,
    "ad00": _image_json,
    "ep00": _notice_json("type", "service_id"),
    "ep01": _notice_json("status", "service_id"),
    "al00": _notice_json("severity", "message"),
    "un00": lambda content: Said(content["source_name"], content["timestamp"], content.get("units")),
}


def by_ess(message: bytes) -> Said | None:
    """What ess-streaming-data-types reads; None for un00, which it does not have."""
    schema = message[4:8].decode("ascii")
    return _FROM_ESS[schema](message) if schema in _FROM_ESS else None


def _f142_ess(message: bytes) -> Said:
    # The library's own deserialise_f142 fails on NumPy 2.
    log = LogData.LogData.GetRootAsLogData(message, 0)
    member = _name_of(log.ValueType(), F142Value)
    union, name = log.Value(), log.SourceName()
    assert union is not None
    assert name is not None
    assert name is not None
    value: Any = getattr(importlib.import_module(f"{F142Value.__module__.rpartition('.')[0]}.{member}"), member)()
    value.Init(union.Bytes, union.Pos)
    array = member.startswith("Array")
    found: list[Any] = [value.Value(n) for n in range(value.ValueLength())] if array else [value.Value()]
    decoded: list[Scalar] = [each.decode() if isinstance(each, bytes) else each for each in found]
    reading = Reading(_CODES[member.removeprefix("Array")], tuple(decoded) if array else decoded[0])
    alarm = (
        _name_of(log.Status(), AlarmStatus.AlarmStatus),
        _name_of(log.Severity(), AlarmSeverity.AlarmSeverity),
    )
    return Said(name.decode(), log.Timestamp(), reading, alarm)


def _f144_ess(message: bytes) -> Said:
    seen = deserialise_f144(message)
    member = _name_of(f144_LogData.f144_LogData.GetRootAsf144_LogData(message, 0).ValueType(), F144Value)
    value: Any = seen.value.tolist() if isinstance(seen.value, np.ndarray) else seen.value
    reading = Reading(_CODES[member.removeprefix("Array")], tuple(value) if member.startswith("Array") else value)
    return Said(seen.source_name, seen.timestamp_unix_ns, reading)


def _samples_ess(message: bytes, deserialise: Callable[[bytes], Any], root_of: Callable[[bytes, int], Any]) -> Said:
    seen = deserialise(message)
    times = tuple(seen.value_ts.tolist()) if seen.value_ts is not None else None
    reading = Reading(seen.values.dtype.str[1:], tuple(seen.values.tolist()), times=times)
    # To the nanosecond: deserialise_senv makes a datetime of it.
    return Said(seen.name, root_of(message, 0).PacketTimestamp(), reading)


def _tdct_ess(message: bytes) -> Said:
    seen = deserialise_tdct(message)
    return Said(seen.name, None, Reading("t", tuple(seen.timestamps.tolist())))


def _ad00_ess(message: bytes) -> Said:
    seen = deserialise_ad00(message)
    return Said(seen.source_name, seen.timestamp_ns, _image(seen.data, seen.dimensions))


def _ep00_ess(message: bytes) -> Said:
    seen = deserialise_ep00(message)
    return Said(seen.source_name, seen.timestamp, (_name_of(seen.type, EventType), seen.service_id))


def _ep01_ess(message: bytes) -> Said:
    seen = deserialise_ep01(message)
    return Said(seen.source_name, seen.timestamp, (seen.status.name, seen.service_id))


def _al00_ess(message: bytes) -> Said:
    seen = deserialise_al00(message)
    return Said(seen.source, seen.timestamp_ns, (seen.severity.name, seen.message))


def _name_of(number: int, names: type) -> str:
    return next(name for name, each in vars(names).items() if each == number)


_FROM_ESS: dict[str, Callable[[bytes], Said]] = {
    "f142": _f142_ess,
    "f144": _f144_ess,
    "tdct": _tdct_ess,
    "se00": lambda message: _samples_ess(
        message, deserialise_se00, se00_SampleEnvironmentData.GetRootAsse00_SampleEnvironmentData
    ),
    "senv": lambda message: _samples_ess(
        message, deserialise_senv, SampleEnvironmentData.GetRootAsSampleEnvironmentData
    ),
    "ad00": _ad00_ess,
    "ep00": _ep00_ess,
    "ep01": _ep01_ess,
    "al00": _al00_ess,
}
