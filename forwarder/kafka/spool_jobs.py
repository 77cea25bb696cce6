"""What the thread of the spool is asked for, and who is told the result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from forwarder.model import Message


@dataclass(slots=True, eq=False)
class Open:
    """The first of all. Its result is the rows, or an exception each time that it could not be done."""

    gives_up: bool
    """Whether to end when another process has the directory at the first attempt."""

    def tell(self, result: object) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    identifier: int
    broker: str
    topic: str
    messages: list[Message]
    tell: Callable[[bool], None]
    attempt: int
    """Grows when the caller is told of a failure: what was handed over before that fails with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    identifier: int
    tell: Callable[[list[Message] | None], None]
    failed: Callable[[], None]


@dataclass(frozen=True, slots=True, eq=False)
class Delete:
    identifiers: list[int]

    def tell(self, result: object) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Stop:
    tell: Callable[[object], None]


Job: TypeAlias = Open | Write | Read | Delete | Stop


@dataclass(frozen=True, slots=True)
class Refused:
    """The result of what could not be done."""
