"""The topic of the data is deleted, and after a while it is made again.

What Kafka had acknowledged by then is gone with the topic. All that was acknowledged later has to be in the new one:
every value from a time on at which the broker did not know the topic any more.
"""

import time
from collections.abc import Callable

import numpy as np
import pytest
from confluent_kafka.admin import AdminClient

from tests.faults.chain import PVS, SCAN_S, Chain, lasting
from tests.faults.judge import Values, judge
from tests.faults.log import check_said_once_and_over, said
from tests.faults.topic import Ints
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

Unique = Callable[[str], str]

_NOTICED_WITHIN_S = 10.0


@pytest.mark.parametrize(("before", "after"), [(1, 1), (3, 2)])
def test_a_topic_that_is_deleted_and_made_again(
    before: int, after: int, broker: Broker, ioc: EpicsIoc, unique: Unique
) -> None:
    """With as many partitions as before or fewer."""
    with Chain(broker, ioc, unique, partitions=before, flags=["--status-interval", "500"]) as chain:
        values_before = chain.values()
        broker.delete_topic(chain.topic)
        client = AdminClient({"bootstrap.servers": broker.address})
        wait_until(lambda: chain.topic not in client.list_topics(timeout=10).topics, what="the topic is gone")
        gone_ns = time.time_ns()
        missing = {chain.topic: "it does not exist"}
        wait_until(lambda: chain.in_trouble == missing, _NOTICED_WITHIN_S, what="the status tells of it")
        assert said(chain.process.log, f"topic {chain.topic} at {broker.address}: it does not exist")
        lasted_s = lasting()
        broker.create_topic(chain.topic, after)
        wait_until(chain.has_anything, _NOTICED_WITHIN_S, what="the new topic is used")
        chain.over(lasted_s)
        wait_until(lambda: not chain.in_trouble, _NOTICED_WITHIN_S, what="the status tells that it is over")
        check_said_once_and_over(chain.process, f"topic {chain.topic} at {broker.address}")
        counted = chain.finish()
        values = chain.values()
    verdict = judge(values)
    first, last = values.ends()
    steps_ns = int(SCAN_S * 1e9)
    late = np.maximum(values.time_ns[first] - gone_ns, 0) // steps_ns
    again = "" if before == after else f" with {after} partitions instead of {before}"
    chain.report(f"data topic deleted and made again{again}", verdict.missing + int(late.sum()), verdict.duplicated)
    assert verdict.pvs == PVS
    assert (verdict.missing, verdict.duplicated, verdict.backwards) == (0, 0, 0)
    assert not late.any(), "the first value of each PV in the new topic is that of the next scan, at the latest"
    assert counted["messages_dropped"] == 0
    assert chain.received == chain.acknowledged
    # Each PV counts by one, so that this is what came in all: what was read of the old topic, what went with it, and
    # what the new one holds.
    first_before, _ = values_before.ends()
    skipped = _skipped_at_start(values_before)
    of_all = values.value[last] - values_before.value[first_before] + 1 - skipped
    assert of_all.sum() == chain.received


def _skipped_at_start(values: Values) -> Ints:
    """Counts between the first value of each PV and its second, which the IOC may leave out."""
    first, _ = values.ends()
    return values.value[first + 1] - values.value[first] - 1
