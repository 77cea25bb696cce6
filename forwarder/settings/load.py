"""The settings of one run: a flag before the environment, before the file, before the profile, before the default."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import layers
from . import table as t
from .build import Builder, Shown
from .types import Settings
from .values import Values

DEFAULT_PROFILE = "local"


@dataclass(frozen=True, slots=True)
class Reading:
    """Settings, and all there is to say about where they came from."""

    settings: Settings
    warnings: tuple[str, ...]
    """What was given and has no effect, or has a better place."""
    shown: tuple[Shown, ...]


def load(command_line: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Settings:
    """The settings alone. Raises BadSetting."""
    return read(command_line, environment).settings


def read(command_line: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Reading:
    """The settings from flags, by their name without hyphens in front, and variables.

    Raises BadSetting with one line: the setting, where it was set, what is wrong and what is allowed.
    """
    warnings: list[str] = []
    given = Values((layers.from_flags(command_line, warnings), layers.from_environment(environment, warnings)))
    if file := given.get(t.CONFIG_FILE):
        given = Values((*given.layers, layers.from_file(file, warnings)))
    named = given.get(t.PROFILE)
    profile = named or DEFAULT_PROFILE
    values = Values((*given.layers, layers.from_profile(profile)))
    builder = Builder(values, profile, named is not None)
    settings = builder.settings()
    return Reading(settings, (*warnings, *builder.warnings), builder.shown())
