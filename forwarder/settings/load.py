"""The settings of one run: a flag before the environment, before the file, before the profile, before the default."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from . import layers
from . import table as t
from .build import Builder
from .common import Common, Shown
from .raw import Layer, Rank, Raw
from .setting import Setting, Table
from .types import Settings, TopicSettings
from .values import Values

DEFAULT_PROFILE = "local"

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[S]):
    """Settings, and all there is to say about where they came from."""

    settings: S
    warnings: tuple[str, ...]
    """What was given and has no effect, or has a better place."""
    shown: tuple[Shown, ...]
    said: Mapping[str, tuple[str, ...]] = field(repr=False)
    """All that is said of each setting. Not in repr, because passwords are in it."""

    def differences(self, other: "Loaded[S]") -> tuple[str, ...]:
        """The names of the settings that are not the same, in the order of the table."""
        return tuple(name for name, said in self.said.items() if said != other.said[name])


@dataclass(frozen=True, slots=True)
class Reading(Loaded[Settings]):
    """The settings of a forwarder."""

    topic: Callable[[str], TopicSettings] = field(repr=False)
    """Resolves a topic's name or address that is no setting; raises BadSetting."""
    names_profile: bool
    """Whether somebody has said which profile is meant."""
    names_instance: bool
    """Whether somebody has said which instance is meant, by service-id or by a profile and its own config topic."""


class Given(NamedTuple):
    """What all places say, before anybody looked at what it means."""

    values: Values
    profile: str
    named: bool
    """Whether somebody has said which profile is meant."""
    warnings: list[str]


def gather(
    table: Table,
    command_line: Mapping[str, Sequence[str]],
    environment: Mapping[str, str],
    implied: Callable[[Values, bool], Layer] | None = None,
    profile_of: Callable[[Mapping[str, str]], tuple[str, str] | None] | None = None,
) -> Given:
    """The values of a table's settings, by every place that has some. Raises BadSetting.

    `implied` tells what follows from these values, and counts before the profile that is told, if one is, by its second
    argument. `profile_of` finds a profile and its variable in an environment that does not name one as we do.
    """
    warnings: list[str] = []
    from_flags = layers.from_flags(table, command_line, warnings)
    from_environment = layers.from_environment(table, environment, warnings)
    if t.PROFILE.name not in from_environment and profile_of and (found := profile_of(environment)):
        name, variable = found
        profile_layer = {t.PROFILE.name: Raw((name,), f"the environment variable {variable}", Rank.ENVIRONMENT)}
        from_environment = {**from_environment, **profile_layer}
    given = Values((from_flags, from_environment))
    if file := given.get(t.CONFIG_FILE):
        given = Values((*given.layers, layers.from_file(table, file, warnings)))
    named = given.get(t.PROFILE)
    profile = named or DEFAULT_PROFILE
    follows = (implied(given, named is not None),) if implied else ()
    values = Values((*given.layers, *follows, layers.from_profile(profile)))
    return Given(values, profile, named is not None, warnings)


def said_of(values: Values, builder: Common, passwords: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """All that is said of each setting. A password may be in a file, whose name stays the same: `passwords` has it."""
    table = builder.table
    said = {one.name: (*_texts(values, table.by_name[one.name]), one.value) for one in builder.shown()}
    return said | {name: (password,) for name, password in passwords.items()}


def load(command_line: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Settings:
    """The settings alone. Raises BadSetting."""
    return read(command_line, environment).settings


def read(command_line: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Reading:
    """The settings from flags, by their name without hyphens in front, and variables.

    Raises BadSetting with one line: the setting, where it was set, what is wrong and what is allowed.
    """
    values, profile, named, warnings = gather(t.TABLE, command_line, environment)
    builder = Builder(values, profile, named)
    settings = builder.settings()
    passwords = {each.name: values.password(each, t.PASSWORD_FILES[each.name]) for each in t.PASSWORDS}
    names_instance = values.is_set_above(t.SERVICE_ID, Rank.PROFILE) or (
        named and not values.is_set_above(t.CONFIG_TOPIC, Rank.PROFILE)
    )
    return Reading(
        settings,
        (*warnings, *builder.warnings),
        builder.shown(),
        said_of(values, builder, passwords),
        builder.topic,
        named,
        names_instance,
    )


def _texts(values: Values, setting: Setting[Any]) -> tuple[str, ...]:
    raw = values.raw(setting)
    return raw.texts if raw else ()
