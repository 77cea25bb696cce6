"""The API described in OpenAPI 3.1: parameters from the tables that check them, answers as they are made."""

from collections.abc import Mapping, Sequence
from typing import Any

from .facts import PROTOCOLS, SEVERITIES, STATES
from .parameters import Parameter, described

Schema = dict[str, Any]


def _or_null(kind: str, **more: Any) -> Schema:
    return {"type": [kind, "null"], **more}


def _object(description: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "description": description,
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _list(items: Schema, description: str = "") -> Schema:
    return {"type": "array", "items": items, "description": description}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _one_or_null(schema: Schema) -> Schema:
    return {"oneOf": [schema, {"type": "null"}]}


_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}
_TEXT_OR_NULL = _or_null("string")
_NUMBER_OR_NULL = _or_null("number")
_TIME = _or_null("string", description="UTC in ISO 8601 with nine digits of a second; null where there is none.")
_OLDEST: Schema = {"type": "number", "minimum": 0, "description": "Age of the oldest message that waits; 0: none does."}
_PROBLEM = _or_null("string", description="Why messages do not get to Kafka now; null where nothing is known of.")
_STATE: Schema = {"type": "string", "enum": list(STATES)}
_COUNTS: Schema = {"type": "object", "additionalProperties": _COUNT}

_VALUE = _object(
    "A value. What was longer than the bound is cut.",
    text={"type": "string", "description": "The value for people; numbers exactly, NaN and Infinity by name."},
    number=_or_null("number", description="Null where it is no finite number; an enum's index."),
    elements={
        "type": ["array", "null"],
        "items": {"type": ["number", "string", "null"]},
        "description": "Of an array, the first ones; null stands for a number that is not finite.",
    },
    length=_or_null("integer", description="Elements of an array, with those that are not given here."),
    cut={"type": "boolean"},
)
_ROW: dict[str, Schema] = {
    "name": _TEXT,
    "protocol": {"type": "string", "enum": list(PROTOCOLS)},
    "state": _STATE,
    "type": _TEXT_OR_NULL,
    "value": _one_or_null(_ref("Value")),
    "time": _TIME,
    "units": _TEXT_OR_NULL,
    "alarm": _one_or_null(
        _object(
            "The newest alarm.",
            severity={"type": "string", "enum": list(SEVERITIES)},
            status=_TEXT,
            message=_TEXT_OR_NULL,
        )
    ),
    "rate": _or_null("number", description="Updates a second, of the last seconds."),
    "received": _COUNT,
    "silent_s": _or_null("number", description="For how long a connected PV had no update, to some seconds."),
    "dropped": {"type": "integer", "minimum": 0, "description": "Updates and messages that did not go out."},
    "dropped_by_reason": _COUNTS,
    "error": _one_or_null(_object("The last error.", time=_TIME, text=_TEXT)),
    "connects": _COUNT,
    "disconnects": _COUNT,
    "connected_at": _TIME,
    "lost_at": _TIME,
    "server": _TEXT_OR_NULL,
    "streams": _list(_object("Where it goes.", schema=_TEXT, topic=_TEXT, refused=_TEXT_OR_NULL)),
}
_WHOLE: dict[str, Schema] = _ROW | {
    "choices": _list(_TEXT, "Texts of an enum."),
    "type_changes": _COUNT,
    "moves": _COUNT,
    "searched_at": _list(_TEXT, "Addresses at which PVs of this protocol are searched."),
    "events": _list(
        _object("A change of its connection.", time=_TIME, state=_STATE, server=_TEXT_OR_NULL, reason=_TEXT_OR_NULL),
        "The newest first.",
    ),
    "streams": _list(
        _object(
            "Where it goes.",
            schema=_TEXT,
            topic=_TEXT,
            cluster=_TEXT,
            periodic={"type": "boolean"},
            refused=_TEXT_OR_NULL,
            refused_updates=_COUNT,
            dropped_unread={**_COUNT, "description": "Of the whole topic: dropped on disk, not known whose they were."},
            waiting={**_COUNT, "description": "Messages of the whole topic."},
            oldest_s=_OLDEST,
            problem=_PROBLEM,
        )
    ),
}
_TOPIC = _object(
    "One topic.",
    cluster=_TEXT,
    topic=_TEXT,
    streams=_COUNT,
    partitions=_COUNT,
    acknowledged=_COUNT,
    acknowledged_by_schema=_COUNTS,
    waiting=_COUNT,
    waiting_bytes=_COUNT,
    on_disk=_COUNT,
    dropped=_COUNT,
    dropped_by_reason=_COUNTS,
    dropped_unread=_COUNT,
    restamped=_COUNT,
    oldest_s=_OLDEST,
    problem=_PROBLEM,
)
_COMMAND = _object(
    "One command and what came of it.",
    time=_TIME,
    place={"type": "string", "description": "Where it was read, such as topic[partition]@offset."},
    dialect=_TEXT_OR_NULL,
    command=_TEXT_OR_NULL,
    result={"type": "string", "enum": ["obeyed", "partly", "refused"]},
    reason=_TEXT_OR_NULL,
    opened=_COUNT,
    closed=_COUNT,
    refused_streams=_COUNT,
)
_OVERVIEW = _object(
    "How the service is.",
    service=_object(
        "Which one it is.",
        version=_TEXT,
        service_id=_TEXT,
        profile=_TEXT,
        host=_TEXT,
        pid=_COUNT,
        uptime_s=_NUMBER,
        config_topics=_list(_TEXT),
        status_topic=_TEXT,
        storage_topic=_TEXT,
        output=_TEXT,
    ),
    troubles=_list(
        _object(
            "Something that is wrong.",
            level={"type": "string", "enum": ["error", "warning", "note"]},
            title=_TEXT,
            detail=_TEXT,
            lasts_s=_NUMBER_OR_NULL,
            link=_TEXT,
        ),
        "The worst first.",
    ),
    pvs=_object("PVs by state.", **dict.fromkeys((*STATES, "total"), _COUNT)),
    alarms=_object("Connected PVs by the severity of their alarm.", **dict.fromkeys(SEVERITIES, _COUNT)),
    silent=_COUNT,
    with_losses=_COUNT,
    losses={**_COUNTS, "description": "PVs with losses, by each reason that they have."},
    refused_streams=_COUNT,
    rates=_object("In a second.", received=_NUMBER_OR_NULL, acknowledged=_NUMBER_OR_NULL),
    latency_s=_or_null("number", description="From a message's coming to its acknowledgement, on average just now."),
    totals=_object(
        "Since the start, and now.",
        received=_COUNT,
        acknowledged=_COUNT,
        waiting=_COUNT,
        waiting_bytes=_COUNT,
        spooled_bytes=_COUNT,
        dropped=_COUNTS,
        oldest_s=_NUMBER,
        delivered=_COUNT,
        delivery_s=_NUMBER,
        busy=_NUMBER,
        overloaded={"type": "boolean"},
    ),
    series=_object(
        "The last minutes: lists of the same length.",
        time=_list(_NUMBER, "Seconds since 1970."),
        received=_list(_NUMBER),
        acknowledged=_list(_NUMBER),
        waiting=_list(_COUNT),
        latency_s=_list(_NUMBER_OR_NULL, "From a message's coming to its acknowledgement, on average."),
        oldest_s=_list(_NUMBER),
        busy=_list(_NUMBER),
    ),
)

_ERROR = _object("What is wrong with the request.", error=_TEXT)
SCHEMAS: Mapping[str, Schema] = {
    "Error": _ERROR,
    "Value": _VALUE,
    "Row": _object("A PV in the table.", **_ROW),
    "Pv": _object("Everything about a PV.", **_WHOLE),
    "Pvs": _object(
        "A part of the table.",
        total={**_COUNT, "description": "PVs there are."},
        matched={**_COUNT, "description": "PVs that were asked for."},
        offset=_COUNT,
        limit=_COUNT,
        rows=_list(_ref("Row")),
    ),
    "Topics": _object("All topics.", topics=_list(_TOPIC)),
    "Commands": _object("The last commands.", commands=_list(_COMMAND, "The newest first.")),
    "Overview": _OVERVIEW,
}


def description(version: str, paths: Mapping[str, tuple[str, str, Sequence[Parameter], bool]]) -> dict[str, Any]:
    """The whole description; `paths` gives summary, schema of the answer, parameters, and whether it may be 404."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "EPICS to Kafka forwarder",
            "version": version,
            "description": "What the forwarder knows of its PVs, topics and commands. Read only.",
        },
        "paths": {path: {"get": _operation(path, *of_path)} for path, of_path in paths.items()},
        "components": {"schemas": dict(SCHEMAS)},
    }


def _operation(path: str, summary: str, answer: str, parameters: Sequence[Parameter], may_miss: bool) -> dict[str, Any]:
    bad = _response("A parameter is wrong, or the whole line is too long, which is said in plain text.", "Error")
    bad["content"]["text/plain"] = {"schema": _TEXT}
    responses = {"200": _response("The answer.", answer), "400": bad}
    if may_miss:
        responses["404"] = _response("There is no such PV.", "Error")
    return {
        "operationId": path.rpartition("/")[2],
        "summary": summary,
        "parameters": described(parameters),
        "responses": responses,
    }


def _response(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}
