"""Addresses to search at: the lists of the settings, and the broadcast addresses of this host."""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Iterable

import psutil

log = logging.getLogger(__name__)


def split(address: str, default_port: int) -> tuple[str, int]:
    """`host` or `host:port`. Raises ValueError when the port is none."""
    host, colon, port = address.rpartition(":")
    if not colon:
        return address, default_port
    if not 0 < int(port) < 65536:
        raise ValueError(f"{address}: there is no port {port}")
    return host, int(port)


async def resolve(addresses: Iterable[str], default_port: int) -> tuple[list[tuple[str, int]], list[str]]:
    """IPv4 addresses of a list, and those of its names that have none just now."""
    addresses = list(addresses)
    # All at once: each name that a DNS server does not answer for takes many seconds.
    answers = await asyncio.gather(*(_resolve_one(address, default_port) for address in addresses))
    found = [answer for answer in answers if answer is not None]
    unknown = [address for address, answer in zip(addresses, answers, strict=True) if answer is None]
    return found, unknown


async def _resolve_one(address: str, default_port: int) -> tuple[str, int] | None:
    try:
        host, port = split(address, default_port)
        answers = await asyncio.get_running_loop().getaddrinfo(
            host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM
        )
    except (OSError, ValueError) as error:
        log.debug("%s: %s", address, error)
        return None
    return str(answers[0][4][0]), port


def broadcast_addresses() -> list[str]:
    """Where datagrams reach every host of this host's networks; this host alone where it has no network."""
    addresses: dict[str, None] = {}
    for interface in psutil.net_if_addrs().values():
        for address in interface:
            is_network = address.family == socket.AF_INET and not ipaddress.ip_address(address.address).is_loopback
            if is_network and address.broadcast:
                addresses[address.broadcast] = None
    return list(addresses) or ["127.0.0.1"]
