"""What a setting is, and a table of them: flags, environment variables, files, help and checks are derived from one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Kind(Enum):
    ONE = "one value; the last one given counts"
    MANY = "may be given several times, or once with spaces between"
    SWITCH = "a flag without a value"
    PAIRS = "names and values in turn"


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One setting. Its flag is `--name`; its variables are `FORWARDER_NAME`, `NAME` and then those it shares."""

    name: str
    parse: Callable[[str], T]
    help: str
    allowed: str
    """What may be written, in words."""
    group: str
    kind: Kind = Kind.ONE
    default: str | None = None
    """As a user would write it; None: not set."""
    short: str = ""
    aliases: tuple[str, ...] = ()
    """Other names of the flag, from earlier forwarders."""
    shared_variables: tuple[str, ...] = ()
    """EPICS's own variables for the same thing."""
    bare_variable: bool = True
    """Whether the name without `FORWARDER_` is read too; not where other programs use it."""
    secret: bool = False
    metavar: str = "TEXT"

    @property
    def variables(self) -> tuple[str, ...]:
        """Environment variables, the strongest first."""
        upper = self.name.upper().replace("-", "_")
        return (f"FORWARDER_{upper}", *((upper,) if self.bare_variable else ()), *self.shared_variables)


@dataclass(frozen=True, slots=True)
class Table:
    """All settings of one command that serves, in the order they are shown in."""

    settings: tuple[Setting[Any], ...]
    by_name: Mapping[str, Setting[Any]] = field(init=False, repr=False)
    """By every name a setting can be given by."""

    def __post_init__(self) -> None:
        by_name = {name: setting for setting in self.settings for name in (setting.name, *setting.aliases)}
        object.__setattr__(self, "by_name", by_name)

    def variables(self) -> list[str]:
        """Every environment variable that means something."""
        return [variable for setting in self.settings for variable in setting.variables]
