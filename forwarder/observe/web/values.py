"""Values of PVs as JSON that every parser takes: what is no number becomes text, what is long is cut and says so."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from forwarder.model import Image, Table, Value

_LARGEST_EXACT = 2**53
"""Integers beyond this are no doubles, which is what JavaScript reads numbers as."""


def shown(value: Value, choices: Sequence[str] = (), *, elements: int, characters: int) -> dict[str, Any]:
    """A value with at most so many elements, and so many characters a text.

    `text` says it to people, exactly; `number` is there where it is a finite number.
    """
    if isinstance(value, np.ndarray):
        return _array(value[:elements].tolist(), value.size, characters)
    if isinstance(value, list):
        return _array(value[:elements], len(value), characters)
    if isinstance(value, Table):
        columns = ", ".join(f"{label} ({len(column)} rows)" for label, column in value.columns.items())
        return _shown(*_cut(f"table: {columns or 'no columns'}", characters))
    if isinstance(value, Image):
        size = " × ".join(map(str, value.dimensions)) or "empty"  # noqa: RUF001  (what people write between sizes)
        text = f"image {value.unique_id}: {size}, {value.codec or value.data.dtype}"
        return _shown(*_cut(text, characters))
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, int) and 0 <= number < len(choices):
        text, is_cut = _cut(choices[number], characters)
        return _shown(text or str(number), is_cut, number)
    text, is_cut = _cut(_text(number), characters)
    return _shown(text, is_cut, _finite(number))


def _shown(text: str, is_cut: bool, number: float | None = None) -> dict[str, Any]:
    return {"text": text, "number": number, "elements": None, "length": None, "cut": is_cut}


def _array(first: list[Any], length: int, characters: int) -> dict[str, Any]:
    texts = [_cut(_text(element), characters) for element in first]
    numbers = [_finite(element) for element in first]
    text = ", ".join(text for text, _ in texts[:10]) + (", …" if length > min(len(first), 10) else "")
    text, _ = _cut(text, 10 * characters)
    return {
        "text": f"[{text}]",
        "number": None,
        "elements": numbers if _all_numbers(first) else [text for text, _ in texts],
        "length": length,
        "cut": length > len(first) or any(is_cut for _, is_cut in texts),
    }


def _all_numbers(elements: list[Any]) -> bool:
    return all(isinstance(element, int | float) for element in elements)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else repr(value).replace("inf", "Infinity")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _finite(value: Any) -> float | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_EXACT else float(value)
    return value if isinstance(value, float) and math.isfinite(value) else None


def _cut(text: str, characters: int) -> tuple[str, bool]:
    return (text[:characters] + "…", True) if len(text) > characters else (text, False)


def utc(time_ns: int | None) -> str | None:
    """A time as ISO 8601 with all nine digits; None stays None, and so does a time that was never set."""
    if not time_ns:
        return None
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"
