"""Kafka is killed under load, and starts again: what is seen of it on the page, and by who counts."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType

from tests.integration.web.rig import stream
from tests.support.browser import Browser
from tests.support.consume import consume
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.http import ask
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.ports import LOOPBACK, free_port
from tests.support.scrape import Scrape
from tests.support.waiting import wait_until

PVS = 100
DATABASE = "\n".join(
    f'record(calc, "OUT:{number}") {{ field(SCAN, ".1 second") field(CALC, "VAL+1") }}' for number in range(PVS)
)
TOPICS = {"f142": "out_f142", "f144": "out_f144"}
EVENTS = {"out_f142": PVS, "out_f144": 3 * PVS}
"""Messages beside the values: each PV's connection; for f144 its alarm and its units too, which do not change."""
PATIENCE_S = 30.0
BACK_MS = 30_000


@dataclass(frozen=True, slots=True)
class Rig:
    url: str
    process: ForwarderProcess
    broker: Broker

    def scrape(self) -> Scrape:
        return Scrape(ask(f"{self.url}/metrics").text)

    def scrapes_until(self, predicate: Callable[[Scrape], bool], what: str) -> list[Scrape]:
        """One after the other; the last is the first of which this holds."""
        scrapes: list[Scrape] = []

        def scrape() -> bool:
            scrapes.append(self.scrape())
            return predicate(scrapes[-1])

        wait_until(scrape, PATIENCE_S, what=what)
        return scrapes


@pytest.fixture
def rig() -> Iterator[Rig]:
    """Without a spool and with little memory, so that an outage of seconds costs messages."""
    topics = Topics("out_config", "out_status")
    port = free_port()
    flags = ["--http", f"{LOOPBACK}:{port}", "--spool-directory", "none", "--max-waiting-bytes", "1000000"]
    with Broker() as broker, EpicsIoc(DATABASE) as ioc:
        for topic in (topics.config, topics.status, *TOPICS.values()):
            broker.create_topic(topic)
        with ForwarderProcess(broker.address, topics, ca_addresses=[ioc.ca_address], flags=flags) as process:
            yield Rig(f"http://{LOOPBACK}:{port}", process, broker)


def dropped(scrape: Scrape) -> float:
    return scrape.total("messages_dropped_total", reason="memory full")


def check(scrapes: list[Scrape]) -> None:
    """Each update is one message for each stream of its PV, and of each message it is known what became of it."""
    for scrape in scrapes:
        received = scrape.total("updates_received_total", protocol="ca")
        for topic, events in EVENTS.items():
            assert received + events == scrape.came(topic) == scrape.known(topic)


def titles(page: Page) -> list[str]:
    return page.locator("#troubles .title").all_inner_texts()


def test_an_outage_is_seen_on_every_page_ends_there_too_and_every_message_is_accounted_for(rig: Rig) -> None:
    rig.process.order(
        UpdateType.ADD,
        [stream(f"OUT:{number}", topic, schema) for number in range(PVS) for schema, topic in TOPICS.items()],
    )
    rig.scrapes_until(
        lambda s: s.total("updates_received_total") > 3 * PVS and s.came("out_f144") - s.came("out_f142") == 2 * PVS,
        "all PVs are known, and values come",
    )
    away = f"Kafka at {rig.broker.address} is away"
    with Browser() as browser, browser.faultless(rig.url):
        overview = browser.open(rig.url)
        expect(overview.locator("#troubles")).to_contain_text("there is no spool")
        pv = browser.open(f"{rig.url}/pv?protocol=ca&name=OUT:1")
        expect(pv.locator("#value")).to_be_visible()
        expect(pv.locator("#why")).to_be_hidden()
        rig.broker.kill()
        expect(overview.locator("#troubles .title").first).to_have_text(away)
        scrapes = rig.scrapes_until(lambda s: dropped(s) > 1000, "memory is full")
        check(scrapes)
        assert [title for title in titles(overview) if "is away" in title] == [away]
        expect(pv.locator("#why")).to_contain_text(f"Values do not arrive in out_f144 now: {away}")
        topics = browser.open(f"{rig.url}/topics")
        expect(topics.locator("tbody tr")).to_have_count(2)
        for line in topics.locator("tbody tr").all():
            expect(line).to_contain_text("in trouble")
            expect(line).to_contain_text("dropped: memory full")
        report = browser.open(f"{rig.url}/reports?report=dropped")
        reason = report.get_by_role("navigation", name="Reasons").get_by_role("link", name=f"memory full {PVS}")
        expect(reason).to_be_visible()
        reason.click()
        expect(report.locator("tbody tr")).to_have_count(PVS)
        expect(report.locator("tbody tr").first).to_contain_text("memory full")

        rig.broker.start()
        expect(overview.locator("#troubles")).not_to_contain_text("is away", timeout=BACK_MS)
        expect(overview.locator("#troubles")).to_contain_text(re.compile(r"\d+ messages dropped: memory full"))
        expect(pv.locator("#why")).not_to_contain_text("do not arrive", timeout=BACK_MS)
        expect(pv.locator("#why")).to_contain_text("did not go out: memory full")
        expect(topics.locator("tbody")).not_to_contain_text("in trouble")

    check([rig.scrape() for _ in range(10)])
    rig.process.order(UpdateType.REMOVEALL)
    last = rig.scrapes_until(lambda s: not s.total("streams") and not s.total("messages_waiting"), "all is sent")[-1]
    check([last])
    for topic in TOPICS.values():
        stored = len(consume(rig.broker.address, topic))
        assert stored == last.total("messages_acknowledged_total", topic=topic)
        assert stored + last.total("messages_dropped_total", topic=topic) == last.came(topic)
