"""Commands that run another one with something mounted that only it sees, and that is gone when it ends."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path


@cache
def why_not() -> str:
    """Why this process can't mount anything for a child of its own; empty if it can."""
    if os.geteuid() != 0:
        return "mounting needs root"
    if shutil.which("unshare") is None:
        return "there is no unshare (Debian: util-linux)"
    tried = subprocess.run([*_with("mount -t tmpfs tmpfs /tmp"), "true"], capture_output=True)
    return f"nothing may be mounted here: {tried.stderr.decode().strip()}" if tried.returncode else ""


def with_small_disk(directory: Path, mebibytes: int) -> list[str]:
    """The directory is a disk of this size."""
    return _with(f"mount -t tmpfs -o size={mebibytes}m tmpfs {directory}")


def with_hosts(hosts: Path, switch: Path) -> list[str]:
    """Names are looked up in this file, whatever is in it at the time, and nowhere else."""
    switch.write_text("hosts: files\n")
    return _with(f"mount --bind {hosts} /etc/hosts && mount --bind {switch} /etc/nsswitch.conf")


def _with(mount: str) -> list[str]:
    return ["unshare", "--mount", "--", "sh", "-c", f'{mount} && exec "$@"', "sh"]
