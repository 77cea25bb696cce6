"""A host behind a router that can lose everything, without a word to either side.

Both are network namespaces of processes that end with this one at the latest, and nothing is left of them then. A
router that does not forward drops what it gets: no reset, no ICMP message, and its link stays up.
"""

import os
import random
import shutil
import subprocess
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.processes import spawn
from tests.support.waiting import wait_until

_ENDLESS = ("unshare", "--net", "--", "sleep", "infinity")


@cache
def why_not() -> str:
    """Why this process can't make network namespaces; empty if it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [tool for tool in ("ip", "unshare", "nsenter") if shutil.which(tool) is None]
    if missing:
        return f"there is no {' and no '.join(missing)} (Debian: iproute2, util-linux)"
    made = subprocess.run(["unshare", "--net", "ip", "link", "add", "probe", "type", "veth"], capture_output=True)
    return f"network namespaces may not be made here: {made.stderr.decode().strip()}" if made.returncode else ""


class FarSide:
    """The host and its router: `with` makes them."""

    def __init__(self) -> None:
        # Of the range for benchmarks (RFC 2544), so that no route of this machine is hidden by chance.
        net = f"198.18.{random.randrange(256)}"
        start = 8 * random.randrange(31)
        self._near, self._near_router, self._far_router, self.host = (f"{net}.{start + n}" for n in (1, 2, 5, 6))
        self._far_net = f"{net}.{start + 4}/30"
        self._link = f"far{os.getpid()}"
        """Its name at this side, of no more than 15 characters."""

    def __enter__(self) -> Self:
        self._router = spawn("router", _ENDLESS)
        self._far = spawn("far host", _ENDLESS)
        for child in (self._router, self._far):
            wait_until(lambda child=child: _is_apart(child.pid), what="a network namespace is made")
        self._configure()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for child in (self._far, self._router):
            child.kill()

    @property
    def within(self) -> list[str]:
        """A command that runs another one at the far side."""
        return ["nsenter", f"--net=/proc/{self._far.pid}/ns/net", "--"]

    def cut(self) -> None:
        """From now on every packet is lost."""
        self._forward(False)

    def heal(self) -> None:
        self._forward(True)

    def _configure(self) -> None:
        router, far = self._router.pid, self._far.pid
        _ip(None, f"link add {self._link} type veth peer name near netns {router}")
        _ip(router, f"link add far type veth peer name near netns {far}")
        for space, link, address in (
            (None, self._link, self._near),
            (router, "near", self._near_router),
            (router, "far", self._far_router),
            (far, "near", self.host),
        ):
            _ip(space, f"address add {address}/30 dev {link}")
            _ip(space, f"link set {link} up")
        for space in (router, far):
            _ip(space, "link set lo up")
        _ip(None, f"route add {self._far_net} via {self._near_router}")
        _ip(far, f"route add default via {self._far_router}")
        self.heal()

    def _forward(self, forward: bool) -> None:
        write = f"echo {int(forward)} >/proc/sys/net/ipv4/ip_forward"
        subprocess.run([*_in(self._router.pid), "sh", "-c", write], check=True)


def _is_apart(pid: int) -> bool:
    return Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()


def _in(pid: int | None) -> list[str]:
    return [] if pid is None else ["nsenter", f"--net=/proc/{pid}/ns/net", "--"]


def _ip(pid: int | None, command: str) -> None:
    done = subprocess.run([*_in(pid), "ip", *command.split()], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ip {command}: {done.stderr.strip()}")
