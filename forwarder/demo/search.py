"""Asking a Channel Access server whether it serves a PV: the only honest sign that it is ready."""

import select
import socket
import time
from collections.abc import Callable

import caproto

from forwarder.demo.ports import LOOPBACK

_PROTOCOL_VERSION = 13


def is_served(pv: str, port: int, *, patience_s: float = 0.2) -> bool:
    """Whether the server at this UDP port answers a search for the PV."""
    broadcaster = caproto.Broadcaster(caproto.CLIENT)
    request = broadcaster.send(
        caproto.VersionRequest(priority=0, version=_PROTOCOL_VERSION), caproto.SearchRequest(pv, 0, _PROTOCOL_VERSION)
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(request, (LOOPBACK, port))
        if not select.select([client], [], [], patience_s)[0]:
            return False
        answer, address = client.recvfrom(4096)
        return any(isinstance(command, caproto.SearchResponse) for command in broadcaster.recv(answer, address))


def wait_until_served(pv: str, port: int, *, deadline_s: float, still_alive: Callable[[], bool]) -> None:
    """Returns when the PV is served. Raises TimeoutError after the deadline or as soon as its server is dead."""
    give_up = time.monotonic() + deadline_s
    while not is_served(pv, port):
        if not still_alive():
            raise TimeoutError(f"the server of {pv} ended before it was ready")
        if time.monotonic() > give_up:
            raise TimeoutError(f"nobody at UDP port {port} serves {pv} after {deadline_s:g} s")
