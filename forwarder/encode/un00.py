"""un00: the engineering units of a PV; goes with every schema but f142. Format: schemas/un00.fbs."""

from .notice import Notice

SCHEMA = "un00"

_NOTICE = Notice(SCHEMA, slots=3, source_name=0, timestamp=1, text=2)


def encode(name: bytes, units: str | None, time_ns: int) -> bytes:
    """The message that tells a PV's units since a time, in nanoseconds since the Unix epoch; None says it has none."""
    return _NOTICE.encode(name, time_ns, units)
