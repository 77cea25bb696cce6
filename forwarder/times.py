"""Which time Kafka is told for an update, and which updates come in order. The payload's own time is never touched."""

from collections.abc import Callable

from .settings.types import TimeSettings

NEVER_NS = 2**63 - 1
"""Later than any time there is, in nanoseconds since the Unix epoch."""


class Times:
    """Judges the times of updates by the settings and the forwarder's own clock."""

    __slots__ = ("_settings", "_wall_ns", "clamped", "earliest_ns", "in_the_future", "latest_ns", "out_of_order")

    def __init__(self, settings: TimeSettings, wall_ns: Callable[[], int]) -> None:
        self._settings = settings
        self._wall_ns = wall_ns
        self.latest_ns = 0
        """No update up to this time is too far in the future. As old as the last look at the clock, which makes it
        too low and never too high: what is above it is judged again by a fresh one."""
        self.earliest_ns = 0
        """Older times are told to Kafka as this one; as old as the last look at the clock too."""
        self.out_of_order = 0
        """Updates that were older than the newest of their PV."""
        self.in_the_future = 0
        """Updates whose time was too far in the future for Kafka to be told it."""
        self.clamped = 0
        """Updates whose time was too old for Kafka to be told it."""

    @property
    def sends_out_of_order(self) -> bool:
        """Whether an update that is older than its PV's newest is sent."""
        return self._settings.send_out_of_order

    def look(self) -> int:
        """Look at the clock; nanoseconds since the Unix epoch."""
        now_ns = self._wall_ns()
        self.latest_ns = now_ns + int(self._settings.future_limit_s * 1e9)
        past_s = self._settings.past_limit_s
        self.earliest_ns = max(0, now_ns - int(past_s * 1e9)) if past_s else 0
        return now_ns

    def is_usual(self, time_ns: int) -> bool:
        """Whether Kafka is told this time as it is."""
        return self.earliest_ns <= time_ns <= self.latest_ns

    def kafka_ms(self, time_ns: int) -> int:
        """The time for Kafka of a message about a moment: milliseconds since the Unix epoch, within the limits."""
        if not self.is_usual(time_ns):
            now_ns = self.look()
            if time_ns > self.latest_ns:
                return now_ns // 1_000_000
            # Rounded up, so that it does not lie a part of a millisecond before what is accepted.
            time_ns = max(time_ns, self.earliest_ns + 999_999 if self.earliest_ns else 0)
        return time_ns // 1_000_000
