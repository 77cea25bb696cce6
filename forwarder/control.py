"""Obeys commands: from a configuration message to streams opened and closed."""

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from .commands import UNKNOWN, Limits, dialect, parse
from .errors import BadCommand, BadStream
from .model import Add, Command, Exit, Remove, RemoveAll, Replace, Stream, Transport
from .permissions import Permissions
from .pipeline import Pipeline
from .route import Route
from .settings.types import CommandSettings
from .streams import StreamTable

log = logging.getLogger(__name__)

_LOGGED_STREAMS = 5
"""Of one command; the others are only counted."""
_REMEMBERED = 50
_LONGEST_REASON = 500


class Subscriber(Protocol):
    """What opens and closes subscriptions of one transport."""

    def subscribe(self, listener: Route) -> None: ...
    def describe(self, listener: Route) -> None: ...
    def unsubscribe(self, listener: Route) -> None: ...


@dataclass(slots=True)
class CommandCounts:
    """What came of the messages on the config topics."""

    obeyed: Counter[str]
    """By dialect."""
    refused: Counter[str]
    """By dialect; `unknown` for those in none."""
    refused_streams: int = 0
    """Streams in obeyed commands that can't be served."""
    last_refusal: str = ""


@dataclass(slots=True)
class Obeyed:
    """One command, and what came of it."""

    time_ns: int
    """When it came: nanoseconds since the Unix epoch."""
    place: str
    """Where it was read, in words."""
    dialect: str
    """Empty for streams that no message asked for, such as those of the stored state."""
    command: str = ""
    """What it says to do; empty when it was not understood."""
    refused: str = ""
    """Why it is not obeyed; empty when it is."""
    opened: int = 0
    """Streams."""
    closed: int = 0
    refused_streams: int = 0
    stream_refusal: str = ""
    """Why the last of those was."""


class Control:
    """The streams that are forwarded, and the commands that change them."""

    def __init__(
        self,
        pipeline: Pipeline,
        subscribers: Mapping[Transport, Subscriber],
        broker_label: Callable[[str], str],
        *,
        changed: Callable[[], None],
        leave: Callable[[], None],
        settings: CommandSettings | None = None,
        own_topics: Iterable[tuple[str, str]] = (),
        wall_ns: Callable[[], int] = lambda: 0,
    ) -> None:
        """`broker_label` gives the outbox's name for the broker in a stream's topic, or raises BadStream.

        `changed` is called after every message, `leave` when a command says so and may. `own_topics` are those that
        no stream may go to, by the cluster's name in the outbox and their own. `wall_ns` gives the time that is noted
        with each command, in nanoseconds since the Unix epoch.
        """
        settings = settings or CommandSettings()
        self._permissions = Permissions(settings, own_topics)
        self._max_streams = settings.max_streams
        self._obeys_exit = settings.obey_exit
        self._limits = Limits(settings.max_message_bytes, settings.max_streams, channel_length=settings.max_name_length)
        self.table = StreamTable()
        self.unserved = StreamTable()
        """Streams of an earlier run that the settings do not allow just now: kept, for they may again."""
        self.counts = CommandCounts(Counter(), Counter())
        self.recent: deque[Obeyed] = deque(maxlen=_REMEMBERED)
        """The last commands, the newest last."""
        self._wall_ns = wall_ns
        self._pipeline = pipeline
        self._subscribers = subscribers
        self._broker_label = broker_label
        self._changed = changed
        self._leave = leave

    def receive(self, message: bytes, place: str) -> None:
        """Obey one message; a bad one is counted and logged with its reason and place, and changes nothing."""
        name = dialect(message)
        try:
            command = parse(message, self._limits)
            if isinstance(command, Exit) and not self._obeys_exit:
                raise BadCommand("exit is not obeyed by this service; obey-exit is no")
        except BadCommand as error:
            refused = self._note(place, name)
            refused.refused = str(error)[:_LONGEST_REASON]
            self.counts.refused[name] += 1
            self.counts.last_refusal = f"{place}: {error}"
            log.warning("%s is not obeyed: %s", place, error)
        else:
            assert name != UNKNOWN, "what was parsed has a dialect"
            self.counts.obeyed[name] += 1
            self.obey(command, place, name)
        self._changed()

    def restore(self, streams: tuple[Stream, ...], place: str) -> None:
        """Go on with the streams of an earlier run; those that can't be served now are not forgotten."""
        self.obey(Add(streams), place)
        labelled = [replace(stream, broker=self._known(stream.broker)) for stream in streams]
        self.unserved.apply(Add(tuple(stream for stream in labelled if stream not in self.table)))

    def obey(self, command: Command, place: str, dialect: str = "") -> None:
        """Do what a command says; `dialect` is that of the message, if it came in one."""
        noted = self._note(place, dialect)
        noted.command = type(command).__name__
        if isinstance(command, Exit):
            log.info("%s says exit", place)
            self._leave()
            return
        possible = self._possible(command, noted)
        changes = self.table.apply(possible)
        noted.opened, noted.closed = len(changes.opened), len(changes.closed)
        if isinstance(possible, Replace):
            possible = RemoveAll()
        if not isinstance(possible, Add):
            self.unserved.apply(possible)
        for stream in changes.closed:
            route = self._pipeline.close(stream)
            if route is not None:
                self._subscribers[stream.transport].unsubscribe(route)
        for stream in changes.opened:
            subscriber = self._subscribers[stream.transport]
            route = self._pipeline.open(stream)
            if route is not None:
                subscriber.subscribe(route)
                continue
            route = self._pipeline.route(stream)
            if route.wants_description:
                subscriber.describe(route)
        for stream in changes.updated:
            self._pipeline.update(stream)
        log.info(
            "%s: %s opened %d and closed %d streams; there are %d",
            place,
            type(command).__name__,
            len(changes.opened),
            len(changes.closed),
            len(self.table),
        )

    def _note(self, place: str, dialect: str) -> Obeyed:
        self.recent.append(Obeyed(self._wall_ns(), place, dialect))
        return self.recent[-1]

    def _possible(self, command: Command, noted: Obeyed) -> Command:
        """The command without the streams that can't be served, and with the outbox's names of brokers."""
        match command:
            case Add(streams):
                return Add(self._servable(streams, noted, self._max_streams - len(self.table)))
            case Replace(streams):
                return Replace(self._servable(streams, noted, self._max_streams))
            case Remove(patterns):
                return Remove(
                    tuple(p if p.broker is None else replace(p, broker=self._known(p.broker)) for p in patterns)
                )
            case _:
                return command

    def _servable(self, streams: Iterable[Stream], noted: Obeyed, room: int) -> tuple[Stream, ...]:
        """The streams that can be served: not more new ones than there is room for."""
        servable: list[Stream] = []
        place = noted.place
        for stream in streams:
            try:
                if stream.transport not in self._subscribers:
                    raise BadStream(f"{stream.channel}: the transport {stream.transport.name} is not served")
                stream = self._labelled(stream)
                self._permissions.check(stream)
                if stream not in self.table:
                    if room <= 0:
                        raise BadStream(f"{stream.channel}: there are {self._max_streams} streams, which is the limit")
                    room -= 1
            except BadStream as error:
                noted.refused_streams += 1
                noted.stream_refusal = str(error)[:_LONGEST_REASON]
                self.counts.refused_streams += 1
                self.counts.last_refusal = f"{place}: {error}"
                if noted.refused_streams <= _LOGGED_STREAMS:
                    log.warning("%s: a stream is not opened: %s", place, error)
            else:
                servable.append(stream)
        if noted.refused_streams > _LOGGED_STREAMS:
            log.warning("%s: %d streams are not opened in all", place, noted.refused_streams)
        return tuple(servable)

    def _labelled(self, stream: Stream) -> Stream:
        label = self._broker_label(stream.broker)
        return stream if label == stream.broker else replace(stream, broker=label)

    def _known(self, broker: str) -> str:
        try:
            return self._broker_label(broker)
        except BadStream:
            # No stream that is served goes there.
            return broker
