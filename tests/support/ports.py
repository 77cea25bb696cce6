"""Where test servers listen."""

from forwarder.demo.ports import LOOPBACK, free_port

__all__ = ["LOOPBACK", "free_port"]
