"""Telling systemd how the service is (sd_notify(3)): ready, alive, stopping. Does nothing where it does not ask."""

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Talks to the service manager that started this process, if it wants to be talked to."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._address = environment.get("NOTIFY_SOCKET", "")
        self.watchdog_s = _watchdog_s(environment)
        """Seconds of silence after which the manager ends the process; 0: never."""

    def ready(self) -> None:
        self._tell("READY=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._tell(f"STATUS={text}")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is in Linux's abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_manager:
            to_manager.setblocking(False)
            try:
                to_manager.sendto(message.encode(), address)
            except OSError:
                # A manager that is gone or does not listen is no reason to stop forwarding.
                return


def _watchdog_s(environment: Mapping[str, str]) -> float:
    try:
        if int(environment.get("WATCHDOG_PID", os.getpid())) != os.getpid():
            return 0.0
        return int(environment["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return 0.0
