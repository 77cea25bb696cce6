"""How much one configuration message may ask for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds far above any genuine message, so that a hostile or broken one costs little time and memory."""

    message_bytes: int = 4 * 1024 * 1024
    """20 000 streams take about 2 MB, and Kafka by default carries 1 MB."""
    streams: int = 100_000
    """Streams of one ADD or REPLACE, or patterns of one REMOVE."""
    wildcard_patterns: int = 100
    """Patterns with `?` or `*` in one REMOVE: each is tried on every stream there is."""
    channel_length: int = 1024
    """Characters of a PV's name; EPICS databases end at 60, PVA servers have no bound of their own."""


DEFAULT = Limits()
