"""The settings of one process beside an instrument, from all places they may be in."""

from collections.abc import Mapping, Sequence

from .. import table as t
from ..load import Loaded, gather, said_of
from ..raw import Layer, Rank, Raw
from ..values import Values
from . import table as b
from .build import Builder
from .types import BlocksSettings

_IS_PRODUCTION = "ISIS_INSTRUMENT"
_TOPICS = {t.STATUS_TOPIC.name: "forwarderStatus", t.STORAGE_TOPIC.name: "forwarderStorage"}


def read(command_line: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Loaded[BlocksSettings]:
    """The settings from flags, by their name without hyphens in front, and variables.

    Raises BadSetting with one line: the setting, where it was set, what is wrong and what is allowed.
    """
    values, profile, named, warnings = gather(b.TABLE, command_line, environment, _topics, _profile)
    builder = Builder(values, profile, named)
    settings = builder.settings()
    passwords = {each.name: values.password(each, t.PASSWORD_FILES[each.name]) for each in b.PASSWORDS}
    passwords[b.DATABASE_PASSWORD.name] = values.password(b.DATABASE_PASSWORD, b.DATABASE_PASSWORD_FILE)
    return Loaded(settings, (*warnings, *builder.warnings), builder.shown(), said_of(values, builder, passwords))


def _profile(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """On the site's machines, 1 is an instrument, and anything else a machine to try things out on."""
    said = environment.get(_IS_PRODUCTION, "").strip()
    return ("production" if said == "1" else "development", _IS_PRODUCTION) if said else None


def _topics(given: Values, names_profile: bool) -> Layer:
    """The topics of the instrument's own forwarder; a profile has one status and storage topic for all."""
    instrument = given.get(b.INSTRUMENT)
    if instrument is None or given.is_set_above(t.CONFIG_TOPIC, Rank.DEFAULT):
        return {}
    topics = {t.CONFIG_TOPIC.name: "forwarderConfig", **({} if names_profile else _TOPICS)}
    return {name: Raw((f"{instrument}_{suffix}",), "the instrument", Rank.PROFILE) for name, suffix in topics.items()}
