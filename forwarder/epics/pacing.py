"""When to search which PV: back-off with jitter for each, and a bound on the traffic of all."""

from collections.abc import Callable, Iterator
from heapq import heappop, heappush

FIRST_DELAY_S = 0.25
"""From the first search of a PV to its second; doubled each time after that."""
LONGEST_DELAY_S = 30.0
"""Between two searches of a PV that nobody offers."""


class SearchPacing:
    """The PVs being searched, by the identifier that the protocol uses in its search messages.

    Nothing here knows a socket or a clock: the caller asks at every tick which ones are due, takes as many as its
    budget of datagrams allows, and the others stay due.
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        """`jitter` gives a number from 0 to 1, a new one each time."""
        self._jitter = jitter
        self._searched: dict[int, tuple[float, float]] = {}
        """By identifier: when it is due, and the delay to the search after that."""
        self._due: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._searched)

    def add(self, identifier: int, now: float, *, after: float = 0.0) -> None:
        """Search this PV, first after some seconds."""
        self._put(identifier, now + after, FIRST_DELAY_S)

    def discard(self, identifier: int) -> None:
        """Search this PV no more."""
        self._searched.pop(identifier, None)

    def restart(self, now: float) -> None:
        """Search all of them now and often again, because a server has appeared that may have them."""
        self._due = []
        for identifier in self._searched:
            self._put(identifier, now, FIRST_DELAY_S)

    def due(self, now: float) -> Iterator[int]:
        """The PVs to search now, most overdue first; each one taken from the iterator is put off by its back-off."""
        while self._due and self._due[0][0] <= now:
            at, identifier = heappop(self._due)
            current, delay = self._searched.get(identifier, (None, 0.0))
            if current != at:
                # It was found, or put elsewhere, since this entry was made.
                continue
            self._put(identifier, now + delay * (0.75 + 0.5 * self._jitter()), min(2 * delay, LONGEST_DELAY_S))
            yield identifier

    def next_due(self) -> float | None:
        """When to look again at the earliest; None while nothing is searched."""
        return self._due[0][0] if self._searched else None

    def _put(self, identifier: int, at: float, delay: float) -> None:
        self._searched[identifier] = (at, delay)
        heappush(self._due, (at, identifier))
