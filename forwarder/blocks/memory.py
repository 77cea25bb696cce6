"""What has to be known after a restart: what was announced, and what each source said last. A small file of JSON."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from forwarder.errors import ForwarderError
from forwarder.model import Stream, Transport

from .wanted import Site, Source

_VERSION = 1
NAME = "announced.json"


class BadMemory(ForwarderError):
    """There is a file, and it can't be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is in the file."""

    announced: frozenset[Stream] = frozenset()
    """Streams that a forwarder was, or was about to be, told to serve, and not to stop serving."""
    settled: bool = False
    """Whether it was ever looked which streams of an earlier time are there that only this instrument's can be."""
    said: Mapping[Source, tuple[str, ...]] = field(default_factory=dict[Source, tuple[str, ...]])
    """The PVs of each source's last good value."""


class Memory:
    """The file, in a directory that nobody else has."""

    def __init__(self, directory: Path, site: Site) -> None:
        self.path = directory / NAME
        self._of = [site.prefix, site.instrument]

    def read(self) -> Remembered | None:
        """None if there is none. Raises BadMemory."""
        try:
            loaded: Any = json.loads(self.path.read_text(encoding="utf-8"))
            if loaded["version"] != _VERSION:
                raise ValueError(f"version {loaded['version']!r}, where {_VERSION} is expected")
            announced = [_texts(each) for each in loaded["announced"]]
            # What the sources of another instrument said is of no use; what was announced for it is still to go.
            said: dict[str, Any] = loaded["said"] if loaded["of"] == self._of else {}
            return Remembered(
                frozenset(
                    Stream(channel, Transport[transport], schema, topic, broker)
                    for channel, transport, schema, topic, broker in announced
                ),
                bool(loaded["settled"]),
                {Source(name): tuple(_texts(pvs)) for name, pvs in said.items()},
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadMemory(f"{self.path} can't be read, and what was announced before is not known: {error}") from None

    def write(self, remembered: Remembered) -> None:
        """Put it on disk whole, or not at all. Raises OSError."""
        said = {
            "version": _VERSION,
            "of": self._of,
            "settled": remembered.settled,
            "announced": sorted(
                (each.channel, each.transport.name, each.schema, each.topic, each.broker)
                for each in remembered.announced
            ),
            "said": {source.value: pvs for source, pvs in remembered.said.items()},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_suffix(".new")
        with scratch.open("w", encoding="utf-8") as file:
            json.dump(said, file)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self.path)
        if os.name == "posix":
            directory = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


def _texts(loaded: Any) -> list[str]:
    if not isinstance(loaded, list) or not all(isinstance(each, str) for each in cast("list[object]", loaded)):
        raise TypeError(f"{ascii(cast('object', loaded))[:80]}, where a list of texts is expected")
    return cast("list[str]", loaded)
