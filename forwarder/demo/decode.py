"""Messages of the schemas that the demo makes to plain values, for people to look at."""

import json
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from streaming_data_types.epics_connection_ep01 import deserialise_ep01
from streaming_data_types.epics_connection_info_ep00 import deserialise_ep00
from streaming_data_types.eventdata_ev44 import deserialise_ev44
from streaming_data_types.fbschemas.epics_connection_info_ep00.EventType import EventType
from streaming_data_types.fbschemas.logdata_f142.AlarmSeverity import AlarmSeverity
from streaming_data_types.fbschemas.logdata_f142.AlarmStatus import AlarmStatus
from streaming_data_types.fbschemas.logdata_f142.LogData import LogData
from streaming_data_types.fbschemas.logdata_f142.Value import Value
from streaming_data_types.logdata_f144 import deserialise_f144
from streaming_data_types.run_start_pl72 import deserialise_pl72
from streaming_data_types.run_stop_6s4t import deserialise_6s4t
from streaming_data_types.status_x5f2 import deserialise_x5f2


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a PV."""

    pv: str
    value: Any
    time_ns: int
    """EPICS time, nanoseconds since the Unix epoch."""
    alarm: tuple[str, str] | None
    """Status and severity by name; None where the message says that they did not change."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What happened to the connection of a PV."""

    pv: str
    event: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class RunChange:
    """A run has started or stopped."""

    name: str
    counts: bool
    """Whether it has started."""


def schema_of(message: bytes) -> str:
    """The four-character file identifier of a FlatBuffers message."""
    return message[4:8].decode("ascii", errors="replace")


def decode_f142(message: bytes) -> Reading:
    log_data = LogData.GetRootAsLogData(message, 0)
    unchanged = log_data.Severity() == AlarmSeverity.NO_CHANGE
    return Reading(
        pv=(log_data.SourceName() or b"").decode(),
        value=_value(log_data),
        time_ns=log_data.Timestamp(),
        alarm=None if unchanged else (_STATUS[log_data.Status()], _SEVERITY[log_data.Severity()]),
    )


def decode_f144(message: bytes) -> Reading:
    log = deserialise_f144(message)
    return Reading(log.source_name, log.value, log.timestamp_unix_ns, None)


def decode_ep00(message: bytes) -> Connection:
    event = deserialise_ep00(message)
    return Connection(event.source_name, _EVENT[event.type], event.timestamp)


def decode_ep01(message: bytes) -> Connection:
    event = deserialise_ep01(message)
    return Connection(event.source_name, event.status.name, event.timestamp)


def decode_events(message: bytes) -> int:
    """How many neutrons are in an ev44."""
    return len(deserialise_ev44(message).time_of_flight)


def decode_run(message: bytes) -> RunChange:
    """What a pl72 or 6s4t says."""
    if schema_of(message) == "pl72":
        return RunChange(deserialise_pl72(message).run_name, True)
    return RunChange(deserialise_6s4t(message).run_name, False)


def decode_status(message: bytes) -> dict[str, Any]:
    """What an x5f2 message says, without its envelope."""
    return json.loads(deserialise_x5f2(message).status_json)


def _names(enum: type) -> dict[int, str]:
    """flatc's enums for Python are classes of plain numbers."""
    return {number: name for name, number in vars(enum).items() if isinstance(number, int)}


_STATUS, _SEVERITY, _EVENT, _TYPE = _names(AlarmStatus), _names(AlarmSeverity), _names(EventType), _names(Value)


def _value(log_data: LogData) -> Any:
    name = _TYPE[log_data.ValueType()]
    table = log_data.Value()
    if table is None:
        raise ValueError("an f142 message without a value")
    held = getattr(import_module(f"streaming_data_types.fbschemas.logdata_f142.{name}"), name)()
    held.Init(table.Bytes, table.Pos)
    if name == "ArrayString":
        return [held.Value(i).decode() for i in range(held.ValueLength())]
    if name.startswith("Array"):
        return held.ValueAsNumpy()
    value = held.Value()
    return value.decode() if isinstance(value, bytes) else value
