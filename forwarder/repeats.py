"""When which value is due to be repeated: one structure for all PVs."""

from heapq import heappop, heappush
from itertools import count
from typing import Protocol


class Repeatable(Protocol):
    """Something whose last value can be sent again."""

    updated_at: float
    """When its last update came, on the clock of the schedule; 0 when none has come since it connected."""

    def repeat(self) -> None:
        """Send the last value again."""
        ...


class Repeats:
    """Repeats a value each time that a period passed without an update.

    An update costs nothing here: it only leaves its time. What comes due is looked at, and if there was an update in
    the meantime it's put back.
    """

    def __init__(self, period_s: float) -> None:
        """A period of 0 repeats nothing."""
        self._period = period_s
        self._due: list[tuple[float, int, Repeatable]] = []
        self._order = count()
        self._watched: dict[Repeatable, int] = {}

    def watch(self, item: Repeatable, now: float) -> None:
        """Repeat this one from now on."""
        if self._period > 0 and item not in self._watched:
            self._push(now + self._period, item)

    def forget(self, item: Repeatable) -> None:
        """Never repeat this one again."""
        self._watched.pop(item, None)

    def run(self, now: float) -> float | None:
        """Repeat all that is due; when to come again, None when nothing is watched."""
        while self._due and self._due[0][0] <= now:
            due, ticket, item = heappop(self._due)
            if self._watched.get(item) != ticket:
                continue
            since = item.updated_at
            if since and since + self._period <= now:
                item.repeat()
                # From when it was due, not from now: a late timer does not shift the rhythm.
                since = max(due, now - self._period)
            self._push(max(since, now - self._period) + self._period if since else now + self._period, item)
        return self._due[0][0] if self._due else None

    def _push(self, due: float, item: Repeatable) -> None:
        ticket = next(self._order)
        self._watched[item] = ticket
        heappush(self._due, (due, ticket, item))
