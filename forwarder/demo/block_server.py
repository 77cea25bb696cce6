"""A block server: it says which blocks there are, and one of them comes and goes."""

import asyncio
import json
import zlib
from collections.abc import Sequence

from caproto import ChannelByte

from forwarder.demo.blocks import VISITOR

_VISIT_S = 8.0
"""How long the visitor stays away, at first too, and how long it stays."""
_MOST_CHARACTERS = 16_000


def packed(names: Sequence[str]) -> bytes:
    """Names of blocks as the real one has them: hex of zlib of JSON."""
    return zlib.compress(json.dumps(list(names)).encode()).hex().encode()


class BlockServer:
    """Its channel."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names` are all blocks there can be."""
        self._all = list(names)
        self._few = [name for name in names if name != VISITOR]
        self.names = ChannelByte(value=packed(self._few), max_length=_MOST_CHARACTERS)

    async def run(self) -> None:
        while True:
            for names in (self._all, self._few):
                await asyncio.sleep(_VISIT_S)
                await self.names.write(packed(names))
