"""Telling the forwarder what to forward, as an instrument would: by a message on its config topic."""

from collections.abc import Iterable
from typing import Any

from confluent_kafka import Producer
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, serialise_fc00

_ANSWER_WITHIN_S = 10.0
_ADD: Any = UpdateType.ADD  # The library says that it wants the enum's module; it means one of its numbers.


def order_forwarding(address: str, config_topic: str, pvs: Iterable[str], data_topic: str) -> None:
    """Have these PVs forwarded over Channel Access as f142; returns when the broker has the message."""
    streams = [StreamInfo(pv, "f142", data_topic, Protocol.CA, 0) for pv in pvs]
    producer = Producer({"bootstrap.servers": address})
    producer.produce(config_topic, serialise_fc00(_ADD, streams))
    if producer.flush(_ANSWER_WITHIN_S):
        raise TimeoutError(f"the broker at {address} did not take the configuration")
