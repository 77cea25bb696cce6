"""What `forwarder watch` was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """What to show, and until when."""

    until_end: bool = False
    pvs: Sequence[str] = ()
    schemas: Sequence[str] = ()
    count: int | None = None
    as_json: bool = False
    plot: bool = False
    quiet: bool = False
