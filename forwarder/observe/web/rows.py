"""One PV as JSON: what a line of the table holds, and all that is known of it."""

from typing import Any

from .facts import SEVERITIES, Facts, Pv
from .sampler import Sampler
from .values import shown, utc

_IN_TABLE = {"elements": 4, "characters": 60}
_ALONE = {"elements": 2000, "characters": 10_000}
_LONGEST_TEXT = 500


def row(pv: Pv, sampler: Sampler) -> dict[str, Any]:
    """What the table shows of a PV."""
    losses = pv.losses()
    silent_s = sampler.silent_s(pv)
    return {
        "name": pv.name,
        "protocol": pv.protocol,
        "state": pv.state,
        "type": pv.type or None,
        "value": _value(pv, _IN_TABLE),
        "time": utc(pv.time_ns),
        "units": pv.units,
        "alarm": _alarm(pv),
        "rate": sampler.rate(pv),
        "received": pv.received,
        "silent_s": None if silent_s is None else round(silent_s, 1),
        "dropped": sum(losses.values()),
        "dropped_by_reason": dict(losses),
        "error": _error(pv),
        "connects": pv.connects,
        "disconnects": pv.disconnects,
        "connected_at": utc(pv.connected_at_ns),
        "lost_at": utc(pv.lost_at_ns),
        "server": pv.server or None,
        "streams": [
            {"schema": outlet.stream.schema, "topic": outlet.stream.topic, "refused": outlet.refused or None}
            for outlet in pv.outlets
        ],
    }


def whole(pv: Pv, sampler: Sampler, facts: Facts) -> dict[str, Any]:
    """Everything about a PV."""
    return row(pv, sampler) | {
        "value": _value(pv, _ALONE),
        "choices": [choice[:_LONGEST_TEXT] for choice in pv.choices],
        "type_changes": pv.type_changes,
        "moves": pv.moves,
        "searched_at": list(facts.searched_at(pv.protocol)),
        "events": [
            {
                "time": utc(event.time_ns),
                "state": event.state,
                "server": event.server or None,
                "reason": event.reason or None,
            }
            for event in reversed(pv.events)
        ],
        "streams": [
            {
                "schema": stream.schema,
                "topic": stream.topic,
                "cluster": stream.cluster,
                "periodic": stream.periodic,
                "refused": stream.refused or None,
                "refused_updates": stream.refused_updates,
                "dropped_unread": stream.dropped_unread,
                "waiting": stream.waiting,
                "oldest_s": stream.oldest_s,
                "problem": stream.problem or None,
            }
            for stream in pv.streams()
        ],
    }


def _value(pv: Pv, bounds: dict[str, int]) -> dict[str, Any] | None:
    value = pv.value
    return None if value is None else shown(value, pv.choices, **bounds)


def _alarm(pv: Pv) -> dict[str, Any] | None:
    if not pv.time_ns:
        return None
    severity = SEVERITIES[pv.severity] if 0 <= pv.severity < len(SEVERITIES) else "INVALID"
    return {"severity": severity, "status": pv.status, "message": pv.alarm_message[:_LONGEST_TEXT] or None}


def _error(pv: Pv) -> dict[str, Any] | None:
    error = pv.error
    return None if error is None else {"time": utc(error[0]), "text": error[1][:_LONGEST_TEXT]}
