"""One layer from each place settings come from: flags, environment, file, profile."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files as package_files
from pathlib import Path

from ..errors import BadSetting
from . import files
from .names import LIBRDKAFKA, MEANINGLESS, librdkafka_name, nearest, plain
from .raw import Layer, Rank, Raw
from .setting import Table
from .table import KAFKA_CONFIG
from .values import bad


def from_flags(table: Table, command_line: Mapping[str, Sequence[str]], warnings: list[str]) -> Layer:
    """Every flag, by its name without hyphens in front, with its values; a switch has the value `yes`."""
    layer: dict[str, Raw] = {}
    for name, texts in command_line.items():
        source = f"the flag --{name}"
        if name in MEANINGLESS:
            warnings.append(_meaningless(name, source))
        elif name not in table.by_name:
            raise BadSetting(f"unknown flag --{name}{nearest(name, _known(table))}")
        elif texts:
            setting = table.by_name[name]
            if setting.secret:
                warnings.append(
                    f"{setting.name}: {source} shows the password to everybody on this machine; "
                    f"the environment variable {setting.variables[0]} or --{setting.name}-file does not"
                )
            _add(layer, setting.name, Raw(tuple(texts), source, Rank.FLAG))
    return _with_librdkafka(layer, warnings)


def from_environment(table: Table, environment: Mapping[str, str], warnings: list[str]) -> Layer:
    """A variable that is empty is one that is not set."""
    layer: dict[str, Raw] = {}
    for setting in table.settings:
        for variable in setting.variables:
            text = environment.get(variable, "")
            if text.strip():
                layer[setting.name] = Raw((text,), f"the environment variable {variable}", Rank.ENVIRONMENT)
                break
    known = table.variables()
    unknown = sorted(name for name in environment if name.startswith("FORWARDER_") and name not in known)
    warnings.extend(f"the environment variable {name} is not a setting{nearest(name, known)}" for name in unknown)
    return _with_librdkafka(layer, warnings)


def from_file(table: Table, path: Path, warnings: list[str]) -> Layer:
    layer: dict[str, Raw] = {}
    for entry in files.read(path):
        if entry.key in MEANINGLESS:
            warnings.append(_meaningless(entry.key, entry.source))
        elif entry.key not in table.by_name or entry.key == "config-file":
            raise BadSetting(f'{entry.source}: unknown setting "{entry.key}"{nearest(entry.key, _known(table))}')
        elif any(entry.texts):
            _add(layer, table.by_name[entry.key].name, Raw(entry.texts, entry.source, Rank.FILE))
    return _with_librdkafka(layer, warnings)


def from_profile(name: str) -> Layer:
    text = (package_files("forwarder.settings") / "profiles" / f"{name}.toml").read_text(encoding="utf-8")
    return {
        plain(key): Raw(
            ("yes" if value is True else "no" if value is False else str(value),), f"the profile {name}", Rank.PROFILE
        )
        for key, value in tomllib.loads(text).items()
    }


def _add(layer: dict[str, Raw], name: str, raw: Raw) -> None:
    """Set something, after what the same place said before: that only counts if there may be several."""
    before = layer.get(name)
    layer[name] = Raw((*before.texts, *raw.texts), raw.source, raw.rank) if before else raw


def _with_librdkafka(layer: Layer, warnings: list[str]) -> Layer:
    """The layer, and what its `kafka-config` says of our own settings where it does not set those itself."""
    raw = layer.get(KAFKA_CONFIG.name)
    if raw is None:
        return layer
    try:
        words = files.words(raw.texts)
    except ValueError as error:
        raise bad(KAFKA_CONFIG, "", raw.source, str(error)) from None
    if len(words) % 2:
        raise bad(KAFKA_CONFIG, "", raw.source, "has a name without a value")
    meant: dict[str, Raw] = {}
    for key, text in zip(words[::2], words[1::2], strict=True):
        if ours := LIBRDKAFKA.get(key):
            meant[ours] = Raw((text,), f"{key} in {raw.source}", raw.rank)
        else:
            warnings.append(f"kafka-config: {librdkafka_name(key)} from {raw.source} has no meaning here")
    return {**meant, **layer}


def _known(table: Table) -> list[str]:
    return sorted({*table.by_name, *MEANINGLESS})


def _meaningless(name: str, source: str) -> str:
    return f"{name}: {source} changes nothing here: {MEANINGLESS[name]}"
