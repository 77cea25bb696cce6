"""A setting as it was written somewhere, before anybody looked at what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias


class Rank(IntEnum):
    """Who wins when two places set the same thing: the higher one."""

    DEFAULT = 0
    PROFILE = 1
    FILE = 2
    ENVIRONMENT = 3
    FLAG = 4


@dataclass(frozen=True, slots=True)
class Raw:
    """The text of a setting and the place it was found at."""

    texts: tuple[str, ...] = field(repr=False)
    """One for every time it was given. Not in repr, because any of them may be a password."""
    source: str
    """For people: `the environment variable STATUS_TOPIC`, `forwarder.ini line 3`."""
    rank: Rank


Layer: TypeAlias = Mapping[str, Raw]
"""What one place sets, by the name of the setting."""
