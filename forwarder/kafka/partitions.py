"""Which partition a key belongs to."""

from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=1 << 17)
def _murmur2(key: bytes) -> int:
    # Java's clients take the hash without its sign.
    return murmur2(key) & 0x7FFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Java's clients choose for a key."""
    return _murmur2(key) % partitions
