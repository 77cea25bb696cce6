"""What stands in the line of a message: its value where it has one, else what it says in a few words."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

Fields: TypeAlias = Mapping[str, Any]

_NAMES_SHOWN = 3


def headline(schema: str, fields: Fields) -> Any:
    """A number, a text, or a sequence of these."""
    return _HEADLINES.get(schema, _all)(fields)


def alarm(schema: str, fields: Fields) -> str:
    """The alarm that a message tells; empty where it tells none."""
    if schema == "al00":
        return fields["severity"]
    if schema != "f142" or fields["severity"] == "NO_CHANGE":
        return ""
    severity, status = fields["severity"], fields["status"]
    return str(severity) if severity == "NO_ALARM" else f"{severity} {status}"


def plain(value: Any) -> Any:
    """The value as JSON takes it: numpy's arrays and numbers as Python's, numbers that JSON lacks as texts."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _field(name: str) -> Callable[[Fields], Any]:
    return lambda fields: fields[name]


def _alarm(fields: Fields) -> str:
    return fields["message"] or fields["severity"]


def _units(fields: Fields) -> str:
    return fields["units"] or "no units"


def _image(fields: Fields) -> str:
    dimensions = fields["dimensions"] if "dimensions" in fields else fields["dims"]
    return f"{' x '.join(map(str, dimensions))} {str(fields['data_type']).lower()}"


def _status(fields: Fields) -> str:
    said = json.loads(fields["status_json"] or "{}")
    return f"{fields['software_name']} {fields['software_version']}: {_state(said)}"


def _state(said: Fields) -> str:
    count = said.get("streams_count", len(said.get("streams", ())))
    return f"{said.get('state', 'running')}, {count} streams"


def _change(fields: Fields) -> str:
    return _order(fields["config_change"], [stream["channel"] or "*" for stream in fields["streams"]])


def _order(change: str, channels: Sequence[str]) -> str:
    more = f" and {len(channels) - _NAMES_SHOWN} more" if len(channels) > _NAMES_SHOWN else ""
    return f"{change} {', '.join(channels[:_NAMES_SHOWN])}{more}".rstrip()


def _events(pulses: str) -> Callable[[Fields], str]:
    def text(fields: Fields) -> str:
        times = fields[pulses]
        count = len(times) if isinstance(times, (list, np.ndarray)) else 1
        return f"{len(fields['time_of_flight'])} events in {count} pulse{'' if count == 1 else 's'}"

    return text


def _histogram(fields: Fields) -> str:
    return f"histogram of {' x '.join(map(str, fields['current_shape']))} bins"


def _variables(fields: Fields) -> str:
    return ", ".join(f"{one['name']} ({' x '.join(map(str, one['shape']))})" for one in fields["data"])


def _run_start(fields: Fields) -> str:
    return f"run starts on {fields['instrument_name'] or 'an instrument without a name'}"


def _detectors(fields: Fields) -> str:
    return f"{len(fields['detector_id'])} detectors in {fields['n_spectra']} spectra"


def _json(fields: Fields) -> str:
    if "cmd" in fields:
        named = [str(one.get("channel", "?")) for one in fields.get("streams", ()) if isinstance(one, dict)]
        return _order(str(fields["cmd"]), named or [fields["channel"]] if "channel" in fields else named)
    return _state(fields) if "streams" in fields else _all(fields)


def _all(fields: Fields) -> str:
    return json.dumps(plain(fields), separators=(", ", ": "), ensure_ascii=False)


_HEADLINES: dict[str, Callable[[Fields], Any]] = {
    "f142": _field("value"),
    "f144": _field("value"),
    "ep00": _field("type"),
    "ep01": _field("status"),
    "al00": _alarm,
    "un00": _units,
    "se00": _field("values"),
    "senv": _field("values"),
    "tdct": _field("timestamps"),
    "ad00": _image,
    "ADAr": _image,
    "NDAr": _image,
    "da00": _variables,
    "x5f2": _status,
    "fc00": _change,
    "rf5k": _change,
    "ev42": _events("pulse_time"),
    "ev43": _events("pulse_time"),
    "ev44": _events("reference_time"),
    "an44": _events("reference_time"),
    "hs00": _histogram,
    "hs01": _histogram,
    "pl72": _run_start,
    "df12": _detectors,
    "6s4t": lambda _: "run stops",
    "ns10": _field("value"),
    "json": _json,
}
