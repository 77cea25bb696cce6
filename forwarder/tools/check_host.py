"""Looks at this machine: its clock, and the place where messages wait while Kafka is away."""

import asyncio
import ctypes
import os
import shutil
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ..settings.types import SpoolSettings
from .findings import Finding, failed, ok, unknown, warning

CLOCK = "clock"

_NTP_PORT = 123
_NTP_EPOCH_S = 2_208_988_800
"""1970 in seconds since 1900, from which NTP counts (RFC 5905)."""
_NTP_REQUEST = bytes([0x23]) + bytes(47)
"""Version 4, mode client."""
_NTP_WITHIN_S = 3.0
_DOUBTFUL_S, _WRONG_S = 0.1, 1.0
_TIMEX_BYTES = 512
"""More than struct timex has on any platform; all zeros only ask."""
_TIME_ERROR = 5
_GIGA = 1e9


def check_clock() -> Finding:
    """Whether the kernel says that something keeps its clock right."""
    if sys.platform != "linux":
        return unknown(CLOCK, "this machine", "only Linux tells whether its clock is kept right", "give --ntp HOST")
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if state == _TIME_ERROR:
        return warning(
            CLOCK, "this machine", "nothing keeps it right, says the kernel", "start chrony or systemd-timesyncd"
        )
    if state < 0:
        return unknown(CLOCK, "this machine", "the kernel does not say whether it is kept right", "give --ntp HOST")
    return ok(CLOCK, "this machine", "kept right, says the kernel")


async def check_ntp(host: str) -> Finding:
    """How far the clock is from an NTP server's."""
    name, _, port = host.partition(":")
    try:
        offset_s = await asyncio.to_thread(_ntp_offset, name, int(port or _NTP_PORT))
    except (OSError, ValueError) as error:
        return unknown(CLOCK, host, f"no answer by NTP: {error or type(error).__name__}")
    detail = f"{abs(offset_s) * 1000:.0f} ms {'behind' if offset_s > 0 else 'ahead of'} it"
    if abs(offset_s) > _WRONG_S:
        return failed(CLOCK, host, detail, "EPICS times and Kafka's will not agree: set the clock")
    return warning(CLOCK, host, detail) if abs(offset_s) > _DOUBTFUL_S else ok(CLOCK, host, detail)


def _ntp_offset(host: str, port: int) -> float:
    """Seconds that the server is ahead. Raises OSError, and ValueError for an answer that is none."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as client:
        client.settimeout(_NTP_WITHIN_S)
        sent = time.time()
        client.sendto(_NTP_REQUEST, address)
        answer = client.recv(512)
        received = time.time()
    if len(answer) < 48 or answer[0] & 7 != 4:
        raise ValueError("what came is no answer of a server")
    # Its times of receipt and of transmission, as seconds and fractions.
    arrived, left = (s + f / 2**32 - _NTP_EPOCH_S for s, f in struct.iter_unpack("!2I", answer[32:48]))
    return ((arrived - sent) + (left - received)) / 2


def check_spool(settings: SpoolSettings) -> Iterator[Finding]:
    """Whether messages can wait on disk, and whether there is room for as many as may."""
    directory = settings.directory
    if directory is None:
        yield warning(
            "spool", "directory", "none: messages wait in memory only, and are lost when the process ends",
            "set spool-directory",
        )  # fmt: skip
        return
    there = directory
    while not there.exists():
        there = there.parent
    user = _user()
    try:
        with tempfile.TemporaryFile(dir=there) as probe:
            probe.write(b"\0" * 4096)
    except OSError as error:
        yield failed(
            "spool", "directory", f"{directory}: {user} can't write to {there}: {error.strerror}",
            "see its owner and permissions, or set spool-directory",
        )  # fmt: skip
        return
    yield ok("spool", "directory", f"{directory}: {user} can {'write there' if there == directory else 'make it'}")
    used = sum(file.stat().st_size for file in directory.glob("*") if file.is_file())
    free = shutil.disk_usage(there).free
    detail = f"{free / _GIGA:.1f} GB free; of up to {settings.max_bytes / _GIGA:g} GB {used / _GIGA:.1f} GB are used"
    if free + used < settings.max_bytes:
        yield warning("spool", "room", detail, "set spool-max-bytes to what the disk has room for")
    else:
        yield ok("spool", "room", detail)


def _user() -> str:
    return Path(os.path.expanduser("~")).name if sys.platform == "win32" else f"user {os.getuid()}"
