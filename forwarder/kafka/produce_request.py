"""A produce request whose batches are copied once: aiokafka's own encoding copies each some six times.

With large arrays that is an eighth of what the whole service costs.
"""

from functools import partial
from struct import pack
from typing import Any, cast

from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v3

_NO_TRANSACTION = -1


class FlatProduceRequest(ProduceRequest):
    """aiokafka's request with the same bytes, made in one join. For batches outside of transactions."""

    def __init__(
        self, required_acks: int, timeout_ms: int, topics: list[tuple[str, list[tuple[int, bytes | bytearray]]]]
    ) -> None:
        """`topics` has the batches of each topic, by partition."""
        # What the library says of the type of a batch is narrower than what it takes.
        super().__init__(None, required_acks, timeout_ms, cast("Any", topics))

    def build(self, request_struct_class: Any) -> Any:
        """The request in the version that the broker and aiokafka both know."""
        request = super().build(request_struct_class)
        # Versions 3 to 7 are laid out alike; any other is left to the library.
        if request.SCHEMA is ProduceRequest_v3.SCHEMA:
            request.encode = partial(_encode, request)
        return request


def _encode(request: Any) -> bytes:
    parts: list[bytes | bytearray] = [
        pack(">hhii", _NO_TRANSACTION, request.required_acks, request.timeout, len(request.topics))
    ]
    for topic, partitions in request.topics:
        name = topic.encode()
        parts.append(pack(f">h{len(name)}si", len(name), name, len(partitions)))
        for partition, batch in partitions:
            parts += (pack(">ii", partition, len(batch)), batch)
    return b"".join(parts)
