"""Whether the process has to be started again (`/live`), and whether it does its work (`/ready`)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .http import Answer, Endpoint, Request, as_json

Complaints = Callable[[], Iterable[str]]
"""What is not as it has to be, in words for people; nothing when all is well."""

_UNAVAILABLE = 503


class Health:
    """Asks all that may complain, whenever somebody asks it."""

    def __init__(self, live: Sequence[Complaints], ready: Sequence[Complaints]) -> None:
        """`live` complains of what only a new start mends, `ready` of all for which it does not do its work."""
        self._live = live
        self._ready = [*live, *ready]

    def endpoints(self) -> list[Endpoint]:
        """The two pages: 200 or 503, with the reasons."""
        return [Endpoint("/live", self._is_live), Endpoint("/ready", self._is_ready)]

    async def _is_live(self, request: Request) -> Answer:
        return _verdict("live", self._live)

    async def _is_ready(self, request: Request) -> Answer:
        return _verdict("ready", self._ready)


class Lane(Protocol):
    """What waits for one topic; `broker` is the outbox's name for its cluster."""

    broker: str
    topic: str
    acknowledged: int

    @property
    def waiting(self) -> int: ...


class Sender(Protocol):
    """The one that sends to a cluster."""

    reached: bool
    """Whether its cluster has ever answered."""

    def problems(self) -> Mapping[str, str]:
        """Topics that can't be sent to, and why."""
        ...


@dataclass(slots=True)
class Delivery:
    """Whether what waits for the clusters gets on. One that has nothing to send is well."""

    lanes: Callable[[], Iterable[Lane]]
    senders: Mapping[str, Sender]
    """By the outbox's name of their cluster, which is empty for the default one."""
    patience_s: float
    """How long something may wait without anything being acknowledged."""
    clock: Callable[[], float]
    """Seconds that never go back."""
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])
    """Of those for which something waits: what was acknowledged, and when it was first seen to be no more."""

    def complaints(self) -> Iterator[str]:
        """The clusters that never answered or take nothing. A topic in trouble is not its cluster's fault."""
        now = self.clock()
        by_broker: dict[str, list[Lane]] = {broker: [] for broker in self.senders}
        for lane in self.lanes():
            by_broker[lane.broker].append(lane)
        for broker, sender in self.senders.items():
            of_it = by_broker[broker]
            name = broker or "the output broker"
            if not sender.reached:
                # Another cluster that may be used and is not can be away for as long as it likes.
                if of_it or not broker:
                    yield f"{name} has not answered yet"
                continue
            problems = sender.problems()
            acknowledged = sum(lane.acknowledged for lane in of_it)
            waiting = sum(lane.waiting for lane in of_it if lane.topic not in problems)
            before, since = self._seen.get(broker, (acknowledged, now))
            if not waiting:
                self._seen.pop(broker, None)
                continue
            if before != acknowledged:
                since = now
            self._seen[broker] = acknowledged, since
            if now - since > self.patience_s:
                yield f"{name} has acknowledged nothing for {now - since:.0f} s, and {waiting} messages wait"


def _verdict(name: str, complaints: Iterable[Complaints]) -> Answer:
    reasons = [reason for each in complaints for reason in each()]
    return as_json({name: not reasons, "reasons": reasons}, _UNAVAILABLE if reasons else 200)
