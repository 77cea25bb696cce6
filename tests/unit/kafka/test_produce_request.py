"""Our encoding of a produce request is aiokafka's, byte for byte."""

from typing import Any

import pytest
from aiokafka.protocol.produce import ProduceRequest

from forwarder.kafka.produce_request import FlatProduceRequest

TOPICS = {
    "none": [],
    "one": [("topic", [(0, b"batch")])],
    "several": [("LARMOR_sampleEnv", [(0, b"a" * 100), (11, b"")]), ("t" * 249, [(2**31 - 1, bytes(1000))])],
}


@pytest.mark.parametrize("version", range(8))
@pytest.mark.parametrize("topics", TOPICS.values(), ids=TOPICS)
def test_the_bytes_are_those_of_aiokafka(version: int, topics: list[Any]) -> None:
    versions = {0: (version, version)}
    ours = FlatProduceRequest(-1, 30_000, topics).prepare(versions)
    theirs = ProduceRequest(None, -1, 30_000, topics).prepare(versions)
    assert ours.API_VERSION == theirs.API_VERSION == version
    assert ours.encode() == theirs.encode()
