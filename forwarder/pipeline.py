"""The hot path's map: which PV's updates go to which streams. The way itself is in route.py."""

from collections import Counter
from collections.abc import Iterator

from .model import ConnectionState, Stream, Transport
from .outbox import Outbox
from .output import Output
from .repeats import Repeats
from .route import Clocks, Route, Shared
from .settings.types import TimeSettings
from .times import Times


class Pipeline:
    """The routes of all PVs, and what they share."""

    def __init__(
        self,
        outbox: Outbox,
        repeats: Repeats,
        clocks: Clocks,
        service_id: str,
        time_settings: TimeSettings | None = None,
    ) -> None:
        self.times = Times(time_settings or TimeSettings(), clocks.wall_ns)
        self._shared = Shared(clocks, self.times, repeats, service_id)
        self._outbox = outbox
        self._routes: dict[tuple[Transport, str], Route] = {}
        self._closed: Counter[str] = Counter()
        """What was counted by routes and outputs that are no more."""
        self._closed_received: Counter[Transport] = Counter()

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes.values())

    def __len__(self) -> int:
        return len(self._routes)

    @property
    def received(self) -> int:
        """Updates of all PVs since the start."""
        return self._total("received")

    @property
    def errors(self) -> int:
        """Updates that could not be read, since the start."""
        return self._total("errors")

    @property
    def dropped(self) -> int:
        """Updates that were dropped because they were older than their PV's newest, since the start."""
        return self._total("dropped")

    @property
    def refused_updates(self) -> int:
        """How often an update could not be sent in the schema of a stream, since the start."""
        # Not by way of the routes' own sums, which takes four times as long.
        refused = [output.refused_updates(route.received) for route in self for output in route.outputs]
        return self._closed["refused_updates"] + sum(refused)

    @property
    def type_changes(self) -> int:
        """How often a PV came back with another type, since the start."""
        return self._total("type_changes")

    @property
    def moves(self) -> int:
        """How often a PV came back from another server, since the start."""
        return self._total("moves")

    @property
    def repeated(self) -> int:
        """Messages that were sent because no update came for the repeat period."""
        return self._shared.repeated

    @property
    def introduced(self) -> int:
        """Messages that told a new stream of a PV its last value."""
        return self._shared.introduced

    def refusals(self) -> Iterator[Output]:
        """The streams that can't be sent in their schema now, or not all of their values."""
        return (output for route in self for output in route.outputs if output.refused)

    def states(self) -> Counter[str]:
        """How many routes are in which connection state; `searching` before the first."""
        return Counter(route.state.value if route.state else "searching" for route in self)

    def census(self) -> dict[Transport, tuple[int, dict[str, int]]]:
        """By transport: updates of its PVs since the start, and how many of its PVs are in which connection state.

        Takes less than a microsecond for each PV: counting in one loop over all of them takes four times as long.
        """
        counted: dict[Transport, tuple[int, dict[str, int]]] = {}
        routes = list(self)
        for transport in Transport:
            mine = [route for route in routes if route.transport is transport]
            states = [route.state for route in mine]
            by_state = {"searching": states.count(None)} | {
                state.value: states.count(state) for state in ConnectionState
            }
            received = self._closed_received[transport] + sum([route.received for route in mine])
            counted[transport] = received, by_state
        return counted

    def open(self, stream: Stream) -> Route | None:
        """Start to serve a stream; the route when its PV was not wanted before and has to be subscribed now."""
        route = self._routes.get((stream.transport, stream.channel))
        new = route is None
        if route is None:
            route = self._routes[stream.transport, stream.channel] = Route(
                stream.channel, stream.transport, self._shared
            )
        route.add(Output(stream, self._outbox.lane(stream.broker, stream.topic)))
        return route if new else None

    def close(self, stream: Stream) -> Route | None:
        """Serve a stream no more; the route when nothing wants its PV now, to be unsubscribed."""
        route = self._routes[stream.transport, stream.channel]
        removed = route.remove(stream)
        self._closed["refused_updates"] += removed.refused_updates(route.received)
        if route.outputs:
            return None
        del self._routes[stream.transport, stream.channel]
        for name in ("received", "errors", "dropped", "type_changes", "moves"):
            self._closed[name] += getattr(route, name)
        self._closed_received[route.transport] += route.received
        return route

    def update(self, stream: Stream) -> None:
        """Take over what may change in an open stream."""
        self._routes[stream.transport, stream.channel].set_periodic(stream)

    def route(self, stream: Stream) -> Route:
        """The route that serves a stream."""
        return self._routes[stream.transport, stream.channel]

    def find(self, transport: Transport, channel: str) -> Route | None:
        """The route of a PV; None where nothing wants it."""
        return self._routes.get((transport, channel))

    def _total(self, name: str) -> int:
        return self._closed[name] + sum([getattr(route, name) for route in self])
