"""Takes from a Python process on Linux what one on Windows does not have. Python imports this when it starts.

What Windows has and Linux has not is there too, as far as the forwarder needs it: Ctrl-Break is SIGUSR1.
"""

import asyncio
import builtins
import signal
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

CTRL_BREAK = signal.SIGUSR1

_NO_MODULES = {"fcntl", "grp", "pwd", "resource", "termios"}
_SIGNALS = ("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM")


def _not_implemented(*_: object) -> NoReturn:
    # As asyncio's event loop there: what waits for signals and for file descriptors.
    raise NotImplementedError


def _import(name: str, globals: Mapping[str, Any] | None = None, *more: Any, **named: Any) -> object:
    # Libraries that are here are those for Linux, and may want what Linux has.
    if name in _NO_MODULES and str((globals or {}).get("__name__")).startswith("forwarder"):
        raise ModuleNotFoundError(f"there is no {name} on Windows", name=name)
    return _real_import(name, globals, *more, **named)


_real_import, builtins.__import__ = builtins.__import__, _import
sys.modules["uvloop"] = None  # makes its import fail
for name in [name for name in dir(signal) if name.startswith("SIG") and name[3] != "_" and name not in _SIGNALS]:
    delattr(signal, name)
signal.SIGBREAK = CTRL_BREAK
for name in ("add_signal_handler", "remove_signal_handler", "add_reader", "add_writer"):
    setattr(asyncio.SelectorEventLoop, name, _not_implemented)
