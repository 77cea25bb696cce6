"""Ports of the loopback interface for servers that have to be told theirs."""

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the range from which the kernel hands out ports to outgoing connections (32768 on Linux): nobody is given one
# by chance while its server is being restarted.
PORTS = range(20_000, 32_000)


def free_port(ports: range = PORTS) -> int:
    """A port that nobody uses just now, neither for TCP nor for UDP."""
    for port in random.sample(ports, k=200):
        if _is_free(port, socket.SOCK_STREAM) and _is_free(port, socket.SOCK_DGRAM):
            return port
    raise OSError(f"no port of {LOOPBACK} is free between {ports.start} and {ports.stop}")


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            # On all interfaces, because some servers insist on listening there.
            probe.bind(("", port))
        except OSError:
            return False
    return True
