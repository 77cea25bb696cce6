"""Whether the service gets on: not that its loop turns, but that each of its parts has done something since."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from forwarder.pulse import Watched


@dataclass(slots=True)
class Progress:
    """Compares what the loops have counted with what they had counted before."""

    watched: Sequence[Watched]
    patience_s: float
    """How long a loop may take for one round, beside waiting, before it counts as stuck."""
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])

    def stuck(self, now: float) -> list[str]:
        """The loops that did nothing for longer than allowed, by a clock that never goes back."""
        stuck: list[str] = []
        for each in self.watched:
            count = each.beats()
            before, since = self._seen.get(each.name, (count, now))
            if count != before or each.name not in self._seen:
                since = now
            self._seen[each.name] = (count, since)
            if now - since > self.patience_s + each.slowest_s:
                stuck.append(each.name)
        return stuck
