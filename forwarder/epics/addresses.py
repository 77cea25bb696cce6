"""Addresses to search at: the lists of the settings, and the broadcast addresses of this host."""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Iterable

import psutil

log = logging.getLogger(__name__)


def split(address: str, default_port: int) -> tuple[str, int]:
    """`host` or `host:port`. Raises ValueError when the port is not a number."""
    host, colon, port = address.rpartition(":")
    return (host, int(port)) if colon else (address, default_port)


async def resolve(addresses: Iterable[str], default_port: int) -> tuple[list[tuple[str, int]], list[str]]:
    """IPv4 addresses of a list, and those of its names that have none just now."""
    loop = asyncio.get_running_loop()
    found: list[tuple[str, int]] = []
    unknown: list[str] = []
    for address in addresses:
        try:
            host, port = split(address, default_port)
            answers = await loop.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
        except (OSError, ValueError) as error:
            log.debug("%s: %s", address, error)
            unknown.append(address)
        else:
            found.append((str(answers[0][4][0]), port))
    return found, unknown


def broadcast_addresses() -> list[str]:
    """Where datagrams reach every host of this host's networks; this host alone where it has no network."""
    addresses: dict[str, None] = {}
    for interface in psutil.net_if_addrs().values():
        for address in interface:
            is_network = address.family == socket.AF_INET and not ipaddress.ip_address(address.address).is_loopback
            if is_network and address.broadcast:
                addresses[address.broadcast] = None
    return list(addresses) or ["127.0.0.1"]
