"""What the demo's consumer has seen so far."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from forwarder.demo.decode import (
    Connection,
    Reading,
    RunChange,
    decode_ep00,
    decode_ep01,
    decode_events,
    decode_f142,
    decode_f144,
    decode_run,
    decode_status,
    schema_of,
)

_RATE_WINDOW_S = 5.0


@dataclass
class Row:
    """One PV."""

    reading: Reading
    alarm: tuple[str, str] = ("NO_ALARM", "NO_ALARM")
    """Status and severity as last told."""
    count: int = 0
    arrivals: deque[float] = field(default_factory=deque)
    """When the latest readings came, on the clock passed in."""

    def rate(self, now: float) -> float:
        """Readings a second, over the last few seconds."""
        while self.arrivals and self.arrivals[0] < now - _RATE_WINDOW_S:
            self.arrivals.popleft()
        return len(self.arrivals) / _RATE_WINDOW_S


class Picture:
    """Everything there is to show, and to count in the end."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.last_event: Connection | None = None
        self.status: dict[str, Any] | None = None
        """The forwarder's newest status; None until there is one."""
        self.updates = 0
        self.events = 0
        """Neutrons."""
        self.run: RunChange | None = None
        """The newest start or stop."""

    def take(self, message: bytes, now: float) -> None:
        """Add one message of any topic. `now` is in seconds on any clock that doesn't jump."""
        match schema_of(message):
            case "f142":
                self._take_reading(decode_f142(message), now)
            case "f144":
                self._take_reading(decode_f144(message), now)
            case "ep00":
                self.last_event = decode_ep00(message)
            case "ep01":
                self.last_event = decode_ep01(message)
            case "ev44":
                self.events += decode_events(message)
            case "pl72" | "6s4t":
                self.run = decode_run(message)
            case "al00" | "un00":
                # Alarms and units of the run log, which has no alarms, and whose units nobody sees here.
                return
            case "x5f2":
                self.status = decode_status(message)
            case other:
                raise ValueError(f"the demo asked for no message of the schema {other!r}")

    def _take_reading(self, reading: Reading, now: float) -> None:
        self.updates += 1
        row = self.rows.setdefault(reading.pv, Row(reading))
        row.reading = reading
        row.alarm = reading.alarm or row.alarm
        row.count += 1
        row.arrivals.append(now)

    @property
    def obeyed(self) -> bool:
        """Whether the forwarder has said that it obeys commands."""
        return self.status is not None and self.status["state"] == "running"

    def rate(self, now: float) -> float:
        """Readings a second of all PVs together."""
        return sum(row.rate(now) for row in self.rows.values())
