"""Waiting for something to become true, instead of sleeping for as long as it might take."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

_PAUSE_S = 0.01


def wait_until(predicate: Callable[[], Found], deadline_s: float = 10.0, *, what: str = "") -> Found:
    """Ask again and again until the answer is true, and give that answer; TimeoutError after the deadline."""
    give_up = time.monotonic() + deadline_s
    while not (found := predicate()):
        if time.monotonic() > give_up:
            raise TimeoutError(f"not within {deadline_s:g} s: {what or predicate}; the last answer was {found!r}")
        time.sleep(_PAUSE_S)
    return found
