"""The settings of one run: a flag before the environment, before the file, before the profile, before the default."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import layers
from . import table as t
from .build import Builder, Shown
from .types import Settings, TopicSettings
from .values import Values

DEFAULT_PROFILE = "local"


@dataclass(frozen=True, slots=True)
class Reading:
    """Settings, and all there is to say about where they came from."""

    settings: Settings
    warnings: tuple[str, ...]
    """What was given and has no effect, or has a better place."""
    shown: tuple[Shown, ...]
    topic: Callable[[str], TopicSettings] = field(repr=False)
    """Resolves a topic's name or address that is no setting; raises BadSetting."""
    names_profile: bool
    """Whether somebody has said which profile is meant."""
    names_instance: bool
    """Whether somebody has said which instance is meant, by service-id or by a profile and its own config topic."""
    _said: Mapping[str, tuple[str, ...]] = field(repr=False)
    """All that is said of each setting. Not in repr, because passwords are in it."""

    def differences(self, other: "Reading") -> tuple[str, ...]:
        """The names of the settings that are not the same, in the order of the table."""
        return tuple(name for name, said in self._said.items() if said != other._said[name])


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
    shown = builder.shown()
    said = {one.name: (*_texts(values, t.BY_NAME[one.name]), one.value) for one in shown}
    for password in t.PASSWORDS:
        # It may be in a file, whose name stays the same.
        said[password.name] = (values.password(password),)
    names_instance = given.is_set(t.SERVICE_ID) or (named is not None and not given.is_set(t.CONFIG_TOPIC))
    return Reading(
        settings, (*warnings, *builder.warnings), shown, builder.topic, named is not None, names_instance, said
    )


def _texts(values: Values, setting: t.Setting[Any]) -> tuple[str, ...]:
    raw = values.raw(setting)
    return raw.texts if raw else ()
