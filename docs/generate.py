"""Writes the pages of docs/reference that are made from the code: `make reference`."""

import ast
from collections.abc import Iterator
from pathlib import Path

from docs.generate_api import api
from forwarder.cli.reference import blocks_reference, reference, settings_reference
from forwarder.encode import SCHEMAS

ROOT = Path(__file__).parents[1]

_MESSAGES = """\
# Message formats

Written by `make reference` from `schemas/` and the encoders; do not edit. What else is true of every message, such as
its key and its time in Kafka: [What arrives](../../README.md#what-arrives).

## What a stream may ask for

| schema | message | with the connection | with the alarm | with the units |
|---|---|---|---|---|
"""
_OF_MESSAGE = {"text_f142": "f142", "nttable_se00": "se00", "nttable_senv": "senv"}


def pages() -> dict[str, str]:
    """Each page by its place in the checkout."""
    return {
        "docs/reference/cli.md": reference(),
        "docs/reference/settings.md": settings_reference(),
        "docs/reference/blocks.md": blocks_reference(),
        "docs/reference/messages.md": messages(),
        "docs/reference/api.md": api(),
    }


def messages() -> str:
    """The page of the message formats."""
    formats = [_format(path) for path in sorted((ROOT / "schemas").glob("*.fbs"))]
    return _MESSAGES + "".join(f"{row}\n" for row in _streams()) + "\n" + "\n".join(formats)


def _streams() -> Iterator[str]:
    for name, schema in SCHEMAS.items():
        message = _OF_MESSAGE.get(name, name)
        cells = (
            f"`{name}`",
            "nothing" if name == "no_op" else _link(message),
            _link(schema.connection_schema) if schema.connection_schema else "",
            _link("al00") if schema.alarm_event else "",
            _link("un00") if schema.units_event else "",
        )
        yield f"| {' | '.join(cells)} |"


def _link(name: str) -> str:
    return f"[`{name}`](#{name.lower()})"


def _format(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.removeprefix("// ") for line in lines[: lines.index("")])
    what = comment.removeprefix(f"{path.stem}: ")
    body = "\n".join(lines[lines.index("") + 1 :])
    notes = "".join(f"- {note}\n" for note in _notes(path.stem))
    parts = (f"## {path.stem}", f"{what[:1].upper()}{what[1:]}", notes.rstrip(), f"```text\n{body}\n```")
    return "\n\n".join(part for part in parts if part) + "\n"


def _notes(name: str) -> Iterator[str]:
    """What the docstrings of a format's public functions say."""
    path = ROOT / "forwarder" / "encode" / f"{name}.py"
    if not path.exists():
        return
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and (text := ast.get_docstring(node)):
            yield f"`{name}.{node.name}`: {' '.join(text.split())}"


def main() -> None:
    for place, text in pages().items():
        (ROOT / place).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
