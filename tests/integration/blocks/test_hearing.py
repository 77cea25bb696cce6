"""Which forwarder is heard, and whether it runs, whatever its clock says and whoever takes its place."""

import asyncio
import json
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Producer
from streaming_data_types.status_x5f2 import serialise_x5f2

from forwarder.blocks.ledger import Ledger
from forwarder.blocks.wanted import Site, Source
from forwarder.companion import hearing
from forwarder.companion.hearing import Hearing
from forwarder.settings.blocks.load import read
from tests.support.kafka import Broker

_HOUR_MS = 3_600_000
_WITHIN_S = 10.0


def test_a_forwarder_runs_as_long_as_it_is_heard(
    kafka_broker: Broker, unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of its machine is an hour late, and another one takes its place."""
    monkeypatch.setattr(hearing, "_SILENCE_S", 0.5)
    monkeypatch.setattr(hearing, "_LATE_S", 0.0)
    config, status = unique("config"), unique("status")
    kafka_broker.create_topic(config)
    kafka_broker.create_topic(status)
    address = kafka_broker.address
    flags = {"config-topic": f"{address}/{config}", "status-topic": f"{address}/{status}"}
    given = {"prefix": "IN:X:", "instrument": "X", "no-archive": "yes", **flags}
    settings = read({name: [value] for name, value in given.items()}, {}).settings
    site = Site("IN:X:", "X", "f142")
    ledger = Ledger(site, [Source.BLOCKS], None)
    ledger.said(Source.BLOCKS, site.blocks(["A"]))
    refusals: list[tuple[str, str]] = []
    obeyed = 3
    hears = Hearing(settings, ledger, lambda *refusal: refusals.append(refusal), lambda: None)
    producer = Producer({"bootstrap.servers": address})

    def says(service_id: str, *names: str) -> None:
        streams = [
            {"channel_name": name, "protocol": "ca", "output_topic": "X_sampleEnv", "schema": "f142"}
            for name in site.blocks(names)
        ]
        told = {"state": "running", "streams": streams, "config": {"topics": {f"{address}/{config}": "reading"}}}
        told["config"] = {**told["config"], "last_refusal": "command at c[0]@7: why", "obeyed": {"fc00": obeyed}}
        message = serialise_x5f2("forwarder", "1", service_id, "host", 1, 500, json.dumps(told))
        producer.produce(status, message, timestamp=time.time_ns() // 1_000_000 - _HOUR_MS)
        assert producer.flush(_WITHIN_S) == 0

    async def until(what: Callable[[], bool], says_again: Callable[[], None]) -> None:
        async with asyncio.timeout(_WITHIN_S):
            while not what():
                hears.look()
                says_again()
                await asyncio.sleep(0.1)

    def one() -> None:
        says("one")

    def two() -> None:
        says("two", "A")

    def both() -> None:
        one()
        two()

    async def hear() -> None:
        nonlocal obeyed
        hearing_it = asyncio.create_task(hears.run())
        await until(lambda: ledger.is_alive, one)
        assert ledger.served == 0
        assert hears.problem == ""
        await until(lambda: "one is heard, and not two" in hears.problem, both)
        assert ledger.served == 0
        await until(lambda: ledger.served == 1 and ledger.is_alive and not hears.problem, two)
        # It is started again in its container, where it has the same name and number.
        stream = site.stream(Source.BLOCKS, *site.blocks(["REFUSED"]))
        ledger.said(Source.BLOCKS, site.blocks(["A", "REFUSED"]))
        ledger.added([stream], 1, now := time.monotonic())
        ledger.refuses(1, [stream])
        heard = hears.statuses
        await until(lambda: hears.statuses > heard, two)
        assert not ledger.plan(now)
        obeyed = 0
        await until(lambda: ledger.plan(now).add == (stream,), two)
        hearing_it.cancel()
        await asyncio.gather(hearing_it, return_exceptions=True)

    asyncio.run(hear())
    assert ("command at c[0]@7", "why") in refusals


def test_a_status_topic_that_is_made_later_is_read(kafka_broker: Broker, unique: Callable[[str], str]) -> None:
    status = unique("status")
    given = {
        "prefix": "IN:X:",
        "instrument": "X",
        "no-archive": "yes",
        "config-topic": f"{kafka_broker.address}/{unique('config')}",
        "status-topic": f"{kafka_broker.address}/{status}",
    }
    settings = read({name: [value] for name, value in given.items()}, {}).settings
    hears = Hearing(settings, Ledger(Site("IN:X:", "X", "f142"), [Source.BLOCKS], None), lambda *_: None, lambda: None)

    async def says(problem: str) -> None:
        async with asyncio.timeout(_WITHIN_S):
            while problem not in hears.problem:
                hears.look()
                await asyncio.sleep(0.05)

    async def hear() -> None:
        hearing_it = asyncio.create_task(hears.run())
        await says("it does not exist")
        kafka_broker.create_topic(status)
        await says("there is no status")
        hearing_it.cancel()
        await asyncio.gather(hearing_it, return_exceptions=True)

    asyncio.run(hear())
