"""A cluster of three brokers whose leader is killed, replaced, and put back."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.faults.brokers import Brokers
from tests.faults.chain import Chain, lasting
from tests.faults.log import check_said_once_and_over
from tests.support.ioc import EpicsIoc
from tests.support.waiting import wait_until

_WITHIN_S = 60.0
_ELECTED_WITHIN_S = 15.0
"""The others elect a new leader when the old one was silent for broker.session.timeout.ms, 6 s."""


@pytest.fixture(scope="module")
def brokers() -> Iterator[Brokers]:
    with Brokers() as brokers:
        yield brokers


@pytest.fixture(scope="module")
def afterwards(brokers: Brokers, ioc: EpicsIoc) -> Iterator[Chain]:
    """The chain, still running, when all is as before."""
    with Chain(brokers, ioc, lambda name: f"{name}_{uuid4().hex[:8]}") as chain:
        topic = chain.topic
        first = brokers.leader(topic)
        brokers.nodes[first].kill()
        lasted_s = lasting()
        chain.over(lasted_s, _ELECTED_WITHIN_S)
        assert brokers.leader(topic) not in (first, -1)
        brokers.nodes[first].start()
        wait_until(lambda: first in brokers.in_sync(topic), _WITHIN_S, what="the broker has caught up")
        brokers.lead_by_first_replica(topic)
        wait_until(lambda: brokers.leader(topic) == first, _WITHIN_S, what="it leads again")
        chain.wait_until_fresh()
        yield chain


def test_a_leader_that_is_gone_is_said_once(afterwards: Chain) -> None:
    check_said_once_and_over(afterwards.process, afterwards.kafka.address)


def test_the_leader_is_killed_and_leads_again(afterwards: Chain) -> None:
    afterwards.nothing_is_lost("leader of three killed, then back")
