"""Writes docs/reference/api.md from the OpenAPI description that the service itself serves."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

from forwarder import __version__
from forwarder.observe.web.api import DESCRIPTION, Api

_BEGIN = f"""\
# The API

Written by `make reference` from the service's own description of it; do not edit.

What the page shows, as JSON, with `--http`. Read only. It is described in OpenAPI 3.1 at `{DESCRIPTION}`, from the
same table that checks the parameters; a test holds every answer to that.

"""
_NOTES = """\
```console
$ curl -s 'localhost:8080/api/v1/pvs?state=disconnected&sort=lost_at&order=desc'
$ curl -s 'localhost:8080/api/v1/pvs?search=IN:*:TEMP?&topic=INST_sampleEnv&dropped=any'
```

- An unknown parameter, or a value that is not allowed, is answered with 400 and `{"error": "..."}`, which says what is.
- Times are UTC in ISO 8601 with nine digits; null where there is none.
- A value has `text`, exact and for people, and `number` where it is a finite one: NaN and infinities have no number.
  What is longer than a bound is cut, and `cut` says so. Arrays have their first elements: 4 in the table, 2000 alone.
- `rate` and `silent_s` come from a look at all PVs every 2 s while somebody reads, else every 10 s: they are as old,
  and nothing is done for them when an update comes.
- `problem` says why messages for a topic do not get to Kafka now, of a topic and of each stream that goes there; where
  it is null and `oldest_s` grows, nobody knows yet.
- `dropped_by_reason` counts what did not go out. What a full spool drops is read for its PVs' names before it
  is deleted; what is damaged, or too much at once, is counted by topic alone, and a PV's streams say it as
  `dropped_unread`.
- While a PV is away, `value`, `units` and `time` are those from before it was lost; a long value is not kept.
- Asking for one PV of Channel Access whose units nobody knows makes the forwarder ask its server for them.
"""
_ANSWERS = "## Answers\n\n`a.b` is the field `b` of the object `a`, and `a[].b` that of each object in the list `a`.\n"


def description() -> Mapping[str, Any]:
    """The description as it is served."""
    # Nothing but its version is asked of a service for that.
    facts = SimpleNamespace(service=lambda: SimpleNamespace(version=__version__))
    return Api(cast(Any, facts), cast(Any, None)).description()


def api() -> str:
    """The page."""
    said = description()
    paths: Mapping[str, Any] = {path: of["get"] for path, of in said["paths"].items()}
    rows = "".join(f"| `{path}` | {get['summary']} | {_answer(get)} |\n" for path, get in paths.items())
    parts = [
        f"{_BEGIN}| address | what it says | answer |\n|---|---|---|\n{rows}",
        _NOTES,
        *(_parameters(path, get["parameters"]) for path, get in paths.items() if get["parameters"]),
        _ANSWERS,
        *(_schema(name, schema) for name, schema in said["components"]["schemas"].items()),
    ]
    return "\n".join(parts)


def _answer(get: Mapping[str, Any]) -> str:
    return _kind(get["responses"]["200"]["content"]["application/json"]["schema"])


def _parameters(path: str, parameters: list[Mapping[str, Any]]) -> str:
    lines = [
        f"## Parameters of {path}",
        "",
        "| parameter | what it is | allowed | if not given |",
        "|---|---|---|---|",
        *(
            f"| `{each['name']}` | {each['description']} | {_allowed(each['schema'])} | {_default(each)} |"
            for each in parameters
        ),
    ]
    return "\n".join(lines) + "\n"


def _allowed(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{each}`" if each else "nothing" for each in schema["enum"])
    if schema["type"] == "integer":
        return f"{schema['minimum']} to {schema['maximum']}"
    return f"at most {schema['maxLength']} characters"


def _default(parameter: Mapping[str, Any]) -> str:
    if parameter["required"]:
        return "it has to be"
    default = parameter["schema"]["default"]
    return "" if default == "" else f"`{default}`"


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    rows = (f"| `{field}` | {kind} | {text} |" for field, kind, text in _fields("", schema))
    lines = [f"### {name}", "", schema["description"], "", "| field | type | what it is |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _fields(prefix: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, type and description of each field, those of the objects in it after them."""
    for name, field in schema["properties"].items():
        place = f"{prefix}{name}"
        yield place, _kind(field), field.get("description") or _within(field).get("description", "")
        inner = _within(field)
        if "properties" in inner:
            yield from _fields(f"{place}[]." if field.get("type") == "array" else f"{place}.", inner)


def _within(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a list or a choice between it and null is of; else the schema itself."""
    if "oneOf" in schema:
        return schema["oneOf"][0]
    return schema["items"] if schema.get("type") == "array" else schema


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "oneOf" in schema:
        return " or ".join(map(_kind, schema["oneOf"]))
    if "enum" in schema:
        return f"one of {', '.join(f'`{each}`' for each in schema['enum'])}"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_named(kind, schema) for kind in kinds)


def _named(kind: str, schema: Mapping[str, Any]) -> str:
    if kind == "array":
        items = _kind(schema["items"])
        return f"list of ({items})" if " or " in items else f"list of {items}"
    by_name = schema.get("additionalProperties")
    return f"object, {_kind(by_name)} by name" if kind == "object" and by_name else kind
