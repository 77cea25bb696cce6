"""From the text of a setting to its value. A parser raises ValueError with what is wrong: `is not a whole number`."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .types import GraylogSettings
from .uri import broker

Number = TypeVar("Number", int, float)

LOOPBACKS = ("127.0.0.1", "::1", "localhost")
"""Hosts that are this machine and nobody else; the first is meant where none is given."""

_LEVELS = {"trace": 5, "debug": 10, "info": 20, "notice": 20, "warning": 30, "warn": 30, "error": 40, "critical": 50}
_LEVEL_NUMBERS = {"0": 5, "1": 10, "2": 20, "3": 30, "4": 40, "5": 50, "6": 50, "7": 50}
"""The C++ forwarder hands its number to spdlog as a level: 0 trace to 5 critical; 6 and 7 say nothing at all."""

_GRAYLOG_PORT = 12201
_MARIADB_PORT = 3306


def word(text: str) -> str:
    """A text that has something in it."""
    if not text.strip():
        raise ValueError("is empty")
    return text.strip()


def user(text: str) -> str:
    """The name of a user, as HTTP's basic authentication can say it."""
    if ":" in text:
        raise ValueError("has a colon")
    return word(text)


def secret(text: str) -> str:
    """Kept as it is: a password may begin or end with a space."""
    return text


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\s*[+-]?\d+\s*", text, re.ASCII):
            raise ValueError("is not a whole number")
        return _within(int(text), low, high)

    return parse


def milliseconds(low: int, high: int) -> Callable[[str], float]:
    """A whole number of milliseconds, as seconds."""
    count = whole(low, high)

    def parse(text: str) -> float:
        try:
            return count(text) / 1000
        except ValueError as error:
            raise ValueError(str(error).replace("whole number", "number of milliseconds")) from None

    return parse


def seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError("is not a number of seconds")
        return _within(value, low, high)

    return parse


def days(low: float, high: float) -> Callable[[str], float]:
    """A number of days, as seconds."""
    count = seconds(low, high)

    def parse(text: str) -> float:
        try:
            return count(text) * 86_400
        except ValueError as error:
            raise ValueError(str(error).replace("seconds", "days")) from None

    return parse


def prefix(text: str) -> str:
    """What the names of an instrument's PVs begin with."""
    if re.search(r"[\s?*]", text.strip()) or not text.strip().endswith(":"):
        raise ValueError("is not what names of PVs begin with: it has to end with a colon")
    return text.strip()


def instrument(text: str) -> str:
    """What the names of an instrument's topics begin with."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", text.strip()):
        raise ValueError("is no name of an instrument")
    return text.strip()


def schema(text: str) -> str:
    """A word that can be the name of a schema; whether there is one is for the forwarder to say."""
    if not re.fullmatch(r"[A-Za-z0-9_]{1,64}", text.strip()):
        raise ValueError("is no name of a schema")
    return text.strip()


def yes_or_no(text: str) -> bool:
    lower = text.strip().lower()
    if lower in ("yes", "true", "on", "1"):
        return True
    if lower in ("no", "false", "off", "0"):
        return False
    raise ValueError("is neither yes nor no")


class Choice:
    """One of these words, whatever its case; the value is spelt as here."""

    def __init__(self, *allowed: str) -> None:
        self.allowed = allowed

    def __call__(self, text: str) -> str:
        for known in self.allowed:
            if text.strip().lower() == known.lower():
                return known
        raise ValueError("is not known")


def level(text: str) -> int:
    """A level of the module logging, by name or by the C++ forwarder's number."""
    found = _LEVELS.get(text.strip().lower()) or _LEVEL_NUMBERS.get(text.strip())
    if found is None:
        raise ValueError("is not a level")
    return found


def path(text: str) -> Path:
    return Path(word(text)).expanduser()


def directory(text: str) -> Path | None:
    """A directory, which need not exist; None for `none` or an empty text."""
    return None if text.strip().lower() in ("", "none") else path(text)


def existing_file(text: str) -> Path:
    found = path(text)
    if not found.is_file():
        raise ValueError("is not a file that exists")
    return found


def level_of_logger(text: str) -> tuple[str, int]:
    """A logger's name and its level, from `NAME=LEVEL`."""
    name, equals, of_it = text.strip().partition("=")
    if not equals:
        raise ValueError("is not NAME=LEVEL; the level of all is verbosity")
    if not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", name, re.ASCII):
        raise ValueError("does not begin with the name of a logger")
    return name, level(of_it)


def graylog(text: str) -> GraylogSettings:
    """From `udp://host:port`, `tcp://host:port`, or either without its beginning, which is UDP."""
    protocol, slashes, place = text.strip().rpartition("//")
    protocol = protocol.lower() if slashes else ""
    if protocol not in ("", "udp:", "tcp:"):
        raise ValueError("has an unknown protocol (known: udp, tcp)")
    host, _, port = broker(place.rstrip("/"), _GRAYLOG_PORT).rpartition(":")
    return GraylogSettings(protocol.rstrip(":") or "udp", host.strip("[]"), int(port))


def listener(text: str) -> tuple[str, int] | None:
    """Host and port to listen at; a port alone is one of this machine's loopback. None for `none`."""
    text = text.strip()
    if text.lower() == "none":
        return None
    given, _, port = text.rpartition(":")
    # Not a port that a broker could have, and here any that is free.
    any_port = port == "0"
    host, _, port = broker(f"{given or LOOPBACKS[0]}:{'1' if any_port else port}").rpartition(":")
    return host.strip("[]"), 0 if any_port else int(port)


def database(text: str) -> tuple[str, int]:
    """Host and port of a database server; the path of a Unix socket has the port 0."""
    text = text.strip()
    if text.startswith("/"):
        return text, 0
    host, _, port = broker(text, _MARIADB_PORT).rpartition(":")
    return host.strip("[]"), int(port)


def hosts(text: str) -> tuple[str, ...]:
    """`host[:port]`s with spaces or commas between them, kept as they are: the default port is another setting."""
    found = words(text)
    for host in found:
        broker(host)
    return found


def words(text: str) -> tuple[str, ...]:
    """Words with spaces or commas between them."""
    return tuple(re.split(r"[\s,]+", text.strip())) if text.strip() else ()


def _within(value: Number, low: Number, high: Number) -> Number:
    if not low <= value <= high:
        raise ValueError("is out of range")
    return value
