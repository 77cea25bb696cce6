"""Whether the service gets on: not that its loop turns, but that each of its parts has done something since."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """Compares what the parts have counted with what they had counted before."""

    beats: Mapping[str, Callable[[], int]]
    """Of each part: how often it went round. Goes up all the time, also when there is nothing to forward."""
    patience_s: float
    """How long a part may take for one round before it counts as stuck."""
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])

    def stuck(self, now: float) -> list[str]:
        """The parts that did nothing for longer than allowed, by a clock that never goes back."""
        stuck: list[str] = []
        for name, beats in self.beats.items():
            count = beats()
            before, since = self._seen.get(name, (count, now))
            if count != before or name not in self._seen:
                since = now
            self._seen[name] = (count, since)
            if now - since > self.patience_s:
                stuck.append(name)
        return stuck
