"""Whether a forwarder has done what it was told, as far as its status shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from ..model import Add, Command, Remove, RemoveAll, Replace, Stream
from ..streams import StreamTable
from .status import Status


@dataclass(frozen=True, slots=True)
class Sent:
    """A command that is in the config topic."""

    command: Command
    topic: str
    partition: int
    offset: int

    @property
    def place(self) -> str:
        """As the forwarder calls it when it refuses."""
        return f"command at {self.topic}[{self.partition}]@{self.offset}"


class Outcome(Enum):
    PENDING = auto()
    DONE = auto()
    REFUSED = auto()
    PARTLY = auto()
    """Obeyed, but for some of its streams."""


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    reason: str = ""
    """Why it, or the last of its streams, was refused."""


_PENDING = Verdict(Outcome.PENDING)


def judge(sent: Sent, before: Status | None, now: Status) -> Verdict:
    """What a status says of a command. `before` is the same forwarder's status when it was sent, if there was one."""
    if now.state != "running":
        return _PENDING
    since = before if before is not None and before.process_id == now.process_id else None
    place, _, reason = now.last_refusal.partition(": ")
    if place == sent.place:
        partly = now.streams_refused > (since.streams_refused if since else 0)
        return Verdict(Outcome.PARTLY if partly else Outcome.REFUSED, reason)
    if now.obeyed is not None and now.obeyed <= ((since.obeyed or 0) if since else 0):
        return _PENDING
    if now.streams is None:
        # The count tells that it was obeyed; which streams there are by now is in the storage topic.
        return Verdict(Outcome.DONE) if now.obeyed is not None else _PENDING
    return Verdict(Outcome.DONE) if _is_so(sent.command, now.streams, now.knows_transports) else _PENDING


def preview(streams: Iterable[Stream], command: Command) -> tuple[list[Stream], list[Stream]]:
    """The streams that a command would open, and those it would close, where these are forwarded."""
    table = StreamTable()
    table.apply(Add(tuple(streams)))
    changes = table.apply(command)
    return list(changes.opened), list(changes.closed)


def _is_so(command: Command, streams: tuple[Stream, ...], transports: bool) -> bool:
    # Which of a cluster's names a topic has in the status is the forwarder's choice.
    there = {_key(stream, transports) for stream in streams}
    match command:
        case Add(wanted):
            return {_key(stream, transports) for stream in wanted} <= there
        case Replace(wanted):
            return {_key(stream, transports) for stream in wanted} == there
        case Remove():
            return not preview(streams, command)[1]
        case RemoveAll():
            return not streams
        case _:
            return False


def _key(stream: Stream, transports: bool) -> tuple[str, ...]:
    return stream.channel, stream.schema, stream.topic, stream.transport.name if transports else ""
