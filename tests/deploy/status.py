"""What a forwarder that was installed somewhere says of itself."""

import json
from collections.abc import Sequence

from streaming_data_types.status_x5f2 import deserialise_x5f2

from tests.support.consume import Record, consume
from tests.support.kafka import Broker

_READY_WITHIN_S = 60.0


def wait_until_it_obeys(broker: Broker, topic: str) -> None:
    """Until a status on this topic says that commands are obeyed."""

    def obeys(records: Sequence[Record]) -> bool:
        statuses = [json.loads(deserialise_x5f2(record.value).status_json) for record in records if record.value]
        return any(status["state"] == "running" for status in statuses)

    consume(broker.address, topic, obeys, deadline_s=_READY_WITHIN_S)
