"""What the pvAccess client counts."""


class Counts:
    """What happened since the start."""

    __slots__ = ("failed", "full_queues", "lost", "merged", "properties", "refused", "untimed", "values", "wakes")

    def __init__(self) -> None:
        self.values = 0
        self.properties = 0
        """Updates that were about limits, units and the like, with the value, the alarm and the time as before."""
        self.untimed = 0
        """Updates without a time, or with one that was never set or that no int64 of nanoseconds since 1970 holds:
        theirs is that of their receipt."""
        self.failed = 0
        """Updates that could not be read, or whose listener raised an error."""
        self.full_queues = 0
        """How often a queue may have been full, so that updates in it were merged."""
        self.merged = 0
        """Updates that were left out for a newer one in their queue, as the loop was behind for too long."""
        self.lost = 0
        """PVs whose server went away."""
        self.refused = 0
        """Subscriptions that were refused or ended by the server."""
        self.wakes = 0
        """How often the library's thread woke the loop."""
