"""no_op: the PV is subscribed and its updates are counted, and nothing is sent."""

from ..model import ChannelType, Value

SCHEMA = "no_op"


class Encoder:
    """Has nothing to send, whatever the update."""

    __slots__ = ()

    def encode(self, value: Value, time_ns: int) -> bytes:
        """Nothing to send."""
        return b""

    def encode_with_alarm(self, value: Value, time_ns: int, status: int, severity: int) -> bytes:
        """Nothing to send."""
        return b""


def encoder(source_name: str, kind: ChannelType) -> Encoder:
    """The encoder of one PV, of any type."""
    return Encoder()
