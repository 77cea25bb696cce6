"""The FlatBuffers compiler as an independent judge of schemas/ and of what the service reads and writes."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).parents[2] / "schemas"


def from_json(schema: str, content: dict[str, Any], *options: str) -> bytes:
    """The message that flatc writes for this content, in which enum values may be names."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "message.json")
        source.write_text(json.dumps(content), encoding="utf-8")
        _run("--binary", *options, "-o", folder, str(_source(schema)), str(source))
        return Path(folder, "message.bin").read_bytes()


def to_json(schema: str, message: bytes) -> dict[str, Any]:
    """What flatc reads in a message, with its defaults."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "message.bin")
        source.write_bytes(message)
        _run("--json", "--strict-json", "--defaults-json", "-o", folder, str(_source(schema)), "--", str(source))
        return json.loads(Path(folder, "message.json").read_text(encoding="utf-8"))


def python_classes(schema: str, folder: Path) -> dict[str, str]:
    """Name and source text of each class that flatc generates."""
    _run("--python", "-o", str(folder), str(_source(schema)))
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}


def _source(schema: str) -> Path:
    return SCHEMAS / f"{schema}.fbs"


def _run(*arguments: str) -> None:
    program = shutil.which("flatc")
    if program is None:
        raise RuntimeError("these tests need flatc, the FlatBuffers compiler (Debian: flatbuffers-compiler)")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"flatc {' '.join(arguments)}: {done.stdout}{done.stderr}")
