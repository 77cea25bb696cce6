"""The table of schemas: where their generated classes are, and which field is what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from .root import Root

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Schema:
    """How to read one message format."""

    package: str
    """Of the generated classes."""
    root: str
    """Class of the root table."""
    name: str = ""
    """Field with the name of the PV, source or service."""
    time: str = ""
    """Field with the message's time; of several times the first."""
    time_unit_ns: int = 1
    enums: Mapping[str, str] = field(default_factory=dict[str, str])
    """Fields with a number that has a name: field -> the generated class with the names."""

    def named(self, root: Root) -> dict[str, Any]:
        """The fields with the names of enums in place of their numbers; they need not be all of them."""
        named = dict(root)
        for one, enum in self.enums.items():
            if one in named:
                named[one] = _names(self.package, enum).get(named[one], named[one])
        return named


@cache
def _names(package: str, enum: str) -> dict[int, str]:
    """flatc's enums for Python are classes of plain numbers."""
    members = vars(getattr(import_module(f"{package}.{enum}"), enum))
    return {number: name for name, number in members.items() if isinstance(number, int)}


def _of_library(folder: str) -> Callable[..., Schema]:
    def schema(root: str, *arguments: Any, **more: Any) -> Schema:
        return Schema(f"streaming_data_types.fbschemas.{folder}", root, *arguments, **more)

    return schema


_LOCATION = {"timestamp_location": "Location"}
_DTYPE = {"data_type": "DType"}

SCHEMAS: dict[str, Schema] = {
    "f142": _of_library("logdata_f142")(
        "LogData", "source_name", "timestamp", enums={"status": "AlarmStatus", "severity": "AlarmSeverity"}
    ),
    "f144": _of_library("logdata_f144")("f144_LogData", "source_name", "timestamp"),
    "ep00": _of_library("epics_connection_info_ep00")(
        "EpicsConnectionInfo", "source_name", "timestamp", enums={"type": "EventType"}
    ),
    "ep01": _of_library("epics_connection_ep01")(
        "EpicsPVConnectionInfo", "source_name", "timestamp", enums={"status": "ConnectionInfo"}
    ),
    "al00": _of_library("alarm_al00")("Alarm", "source_name", "timestamp", enums={"severity": "Severity"}),
    "un00": Schema("forwarder.decode.un00", "Units", "source_name", "timestamp"),
    "se00": _of_library("array_1d_se00")("se00_SampleEnvironmentData", "name", "packet_timestamp", enums=_LOCATION),
    "senv": _of_library("sample_environment_senv")(
        "SampleEnvironmentData", "name", "packet_timestamp", enums=_LOCATION
    ),
    "tdct": _of_library("timestamps_tdct")("timestamp", "name", "timestamps"),
    "ad00": _of_library("area_detector_ad00")("ad00_ADArray", "source_name", "timestamp", enums=_DTYPE),
    "ADAr": _of_library("ADAr_ADArray_schema")("ADArray", "source_name", "timestamp", enums=_DTYPE),
    "NDAr": _of_library("NDAr_NDArray_schema")("NDArray", "", "time_stamp", _NS_PER_S, enums=_DTYPE),
    "da00": _of_library("dataarray_da00")("da00_DataArray", "source_name", "timestamp"),
    "x5f2": _of_library("status_x5f2")("Status", "service_id"),
    "fc00": _of_library("forwarder_config_update_fc00")("fc00_ConfigUpdate", enums={"config_change": "UpdateType"}),
    "rf5k": _of_library("forwarder_config_update_rf5k")("ConfigUpdate", enums={"config_change": "UpdateType"}),
    "ev42": _of_library("eventdata_ev42")("EventMessage", "source_name", "pulse_time"),
    "ev43": _of_library("eventdata_ev43")("Event43Message", "source_name", "pulse_time"),
    "ev44": _of_library("eventdata_ev44")("Event44Message", "source_name", "reference_time"),
    "an44": _of_library("eventdata_an44")("AN44EventMessage", "source_name", "reference_time"),
    "hs00": _of_library("histogram_hs00")("EventHistogram", "source", "timestamp"),
    "hs01": _of_library("histogram_hs01")("EventHistogram", "source", "timestamp"),
    "pl72": _of_library("run_start_pl72")("RunStart", "run_name", "start_time", _NS_PER_MS),
    "6s4t": _of_library("run_stop_6s4t")("RunStop", "run_name", "stop_time", _NS_PER_MS),
    # Its one table is a part of pl72 too, which is where the library has it.
    "df12": _of_library("run_start_pl72")("SpectraDetectorMapping"),
    "answ": _of_library("action_response_answ")(
        "ActionResponse", "service_id", enums={"action": "ActionType", "outcome": "ActionOutcome"}
    ),
    "wrdn": _of_library("finished_writing_wrdn")("FinishedWriting", "service_id"),
    "ns10": _of_library("nicos_cache_ns10")("CacheEntry", "key", "time", _NS_PER_S),
    "json": _of_library("json_json")("JsonData"),
}
"""By file identifier, as the messages have it at bytes 4 to 8."""
