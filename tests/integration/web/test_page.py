"""The page in a real browser: what it shows is what the IOC and Kafka hold, and a keyboard is enough to use it."""

import re

from playwright.sync_api import Locator, Page, expect
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType

from tests.integration.web.rig import PREFIX, SPECTRUM, Site, stream
from tests.support.browser import PHONE, Browser
from tests.support.consume import consume
from tests.support.waiting import wait_until

OUTSIDE = """[...document.querySelectorAll("main .badge, main td, main h1")]
    .filter((each) => each.getBoundingClientRect().right > innerWidth - 8).map((each) => each.innerText)"""
"""What sticks out of its card, or out of the screen."""
NOT_SET = re.compile(r"undefined|NaN|\[object")


def line(page: Page, name: str, protocol: str = "CA") -> Locator:
    """The table's line of a PV."""
    return (
        page.locator("tbody tr")
        .filter(has=page.get_by_role("link", name=name, exact=True))
        .filter(has=page.get_by_role("cell", name=protocol, exact=True))
    )


def names(page: Page) -> list[str]:
    return page.locator("tbody td.name").all_inner_texts()


def test_the_overview_says_what_is_wrong_and_how_much_goes_through(browser: Browser, shared_site: Site) -> None:
    shared_site.process.order_raw(b"junk")
    page = browser.open(shared_site.url)
    expect(page.locator("#troubles")).to_contain_text("2 PVs never connected")
    expect(page.locator("#troubles")).to_contain_text("refused since the start: 1 command")
    expect(page.locator(".tile").first).to_contain_text("of 11")
    expect(page.locator(".chart canvas")).to_have_count(4)
    assert not NOT_SET.search(page.locator("main").inner_text())
    page.get_by_role("link", name="2 PVs never connected").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"/pvs\?state=never_connected$"))


def test_the_table_shows_the_values_of_the_ioc_and_what_kafka_has(browser: Browser, shared_site: Site) -> None:
    shared_site.ioc.put(f"{PREFIX}FIELD", 1.25)
    page = browser.open(f"{shared_site.url}/pvs")
    field = line(page, f"{PREFIX}FIELD")
    for shown in ("1.25", "T", "MINOR", "connected"):
        expect(field).to_contain_text(shown)
    expect(line(page, f"{PREFIX}SHUTTER")).to_contain_text("OPEN")
    expect(line(page, "IN:DEMO:MOT:MTR0102")).to_contain_text("17.25")
    expect(line(page, f"{PREFIX}TEMP1", "PVA")).to_contain_text("K")
    expect(line(page, f"{PREFIX}PRESSURE")).to_contain_text("never connected")
    # What an IOC calls its sample is text, whatever it looks like.
    expect(line(page, f"{PREFIX}SAMPLE")).to_contain_text("<b>Fe3O4</b> & co")
    assert page.locator("tbody b").count() == 0
    rate = line(page, f"{PREFIX}STEP").locator('td[data-label="Updates/s"]')
    expect(rate).to_have_text(re.compile(r"^(4\.[5-9]|5$|5\.[0-5])"))
    acknowledged = shared_site.ask("topics")["topics"][0]["acknowledged"]
    assert len(consume(shared_site.broker.address, shared_site.topic)) >= acknowledged


def test_a_pv_page_shows_value_units_choices_where_it_goes_and_where_it_is_searched(
    browser: Browser, shared_site: Site
) -> None:
    page = browser.open(f"{shared_site.url}/pv?protocol=ca&name={PREFIX}TEMP1")
    expect(page.locator("#value")).to_have_text(re.compile(r"^29\d\.\d+ K$"))
    first = page.locator("#value").inner_text()
    expect(page.locator("#value")).not_to_have_text(first)
    expect(page.locator(".chart canvas").first).to_be_visible()
    for shown in (shared_site.topic, "f144", shared_site.ioc.ca_address, "connected"):
        expect(page.locator("main")).to_contain_text(shown)
    page.goto(f"{shared_site.url}/pv?protocol=ca&name={PREFIX}SHUTTER")
    expect(page.locator("#value")).to_have_text("OPEN (1)")
    expect(page.locator("main")).to_contain_text("0 = CLOSED, 1 = OPEN")
    page.goto(f"{shared_site.url}/pv?protocol=ca&name={PREFIX}SPECTRUM")
    expect(page.locator("main")).to_contain_text("64 elements")
    assert shared_site.pv(f"{PREFIX}SPECTRUM")["value"]["elements"] == SPECTRUM
    page.goto(f"{shared_site.url}/pv?protocol=ca&name=<img src=x onerror=alert(1)>")
    expect(page.locator("#why")).to_contain_text("It is not forwarded")
    expect(page.locator("h1")).to_have_text("<img src=x onerror=alert(1)>")
    assert browser.complaints.pop().endswith("404 (Not Found)")


def test_units_of_an_f142_stream_are_asked_for_when_somebody_looks(browser: Browser, shared_site: Site) -> None:
    """Nothing else needs them there: the subscription that brings them begins with the look."""
    shared_site.process.order(UpdateType.ADD, [stream(f"{PREFIX}FIELD.HIHI", shared_site.topic, "f142")])
    wait_until(lambda: shared_site.ask("pvs", search="HIHI", state="connected")["matched"] == 1, 10)
    (row,) = shared_site.ask("pvs", search="HIHI")["rows"]
    assert row["units"] is None
    page = browser.open(f"{shared_site.url}/pv?protocol=ca&name={PREFIX}FIELD.HIHI")
    expect(page.locator("#value")).to_have_text("2.0 T")
    shared_site.process.order(UpdateType.REMOVE, [stream(f"{PREFIX}FIELD.HIHI", "", "f142")])
    wait_until(lambda: shared_site.ask("pvs", search="HIHI")["matched"] == 0, 10)


def test_a_lost_ioc_shows_within_seconds_with_the_last_value_and_the_reason(
    browser: Browser, shared_site: Site
) -> None:
    name, ioc = "IN:DEMO:MOT:MTR0102", shared_site.second_ioc
    page = browser.open(f"{shared_site.url}/pvs")
    overview = browser.open(shared_site.url)
    state = line(page, name).locator('td[data-label="State"]')
    expect(state).to_have_text("●connected")
    ioc.kill()
    try:
        expect(state).to_have_text("✕disconnected", timeout=5_000)
        expect(line(page, name)).to_contain_text("17.25")
        expect(overview.locator("#troubles")).to_contain_text("2 PVs disconnected", timeout=6_000)
        page.goto(f"{shared_site.url}/pv?protocol=ca&name={name}")
        expect(page.locator("#why")).to_contain_text("No values come: the connection was lost")
        expect(page.locator("#why")).to_contain_text("its circuit is lost")
        page.goto(f"{shared_site.url}/reports?report=disconnected")
        expect(page.locator("tbody tr")).to_have_count(2)
    finally:
        ioc.start()
    expect(page.locator("tbody tr")).to_have_count(0, timeout=15_000)
    expect(page.locator(".empty")).to_be_visible()
    page.goto(f"{shared_site.url}/pv?protocol=ca&name={name}")
    expect(page.get_by_role("cell", name="disconnected")).to_be_visible()
    states = [event["state"] for event in shared_site.pv(name)["events"]]
    assert states == ["connected", "disconnected", "connected"]


def test_search_sort_filter_and_pages_by_keyboard_alone(browser: Browser, shared_site: Site) -> None:
    page = browser.open(shared_site.url)
    expect(page.locator("#troubles li").first).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("mot:")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"/pvs\?search=mot"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="IN:DEMO:MOT:MTR0102")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("IN:DEMO:MOT:MTR0102")
    page.go_back()
    expect(page.locator("#search")).to_have_value("mot:")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.keyboard.press("2")
    expect(page.locator("#count")).to_contain_text("11 PVs")
    page.get_by_role("button", name="Received").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("sort=received&order=desc"))
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Received")
    expect(page.locator("tbody tr").first).to_contain_text(PREFIX)
    expect(page.get_by_role("button", name="Received")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Received")
    expect(page.locator("tbody tr").first).to_contain_text("never connected")
    page.locator("select[name=state]").focus()
    page.keyboard.type("never")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()


def test_an_address_holds_what_is_filtered(browser: Browser, shared_site: Site) -> None:
    page = browser.open(f"{shared_site.url}/pvs?search=IN:*:TEMP1&protocol=pva&sort=rate&order=desc")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert names(page) == [f"{PREFIX}TEMP1"]
    expect(page.locator("select[name=protocol]")).to_have_value("pva")
    expect(page.locator("#search")).to_have_value("IN:*:TEMP1")


def test_commands_and_topics(browser: Browser, shared_site: Site) -> None:
    shared_site.process.order(
        UpdateType.ADD, [stream("EVIL", "WEB_forwarderConfig"), stream("GOOD", shared_site.topic)]
    )
    shared_site.process.order(UpdateType.REMOVE, [stream("GOOD", "")])
    page = browser.open(f"{shared_site.url}/commands")
    removed, added = page.locator("tbody tr").nth(0), page.locator("tbody tr").nth(1)
    expect(removed).to_contain_text("Remove")
    expect(added).to_contain_text("in part")
    expect(added).to_contain_text("fc00")
    expect(added.locator('td[data-label="Where it was"]')).to_have_text(re.compile(r"^WEB_forwarderConfig\[0\]@\d+$"))
    expect(added).to_contain_text("EVIL")
    page.keyboard.press("4")
    topic = page.locator("tbody tr").first
    expect(topic).to_contain_text(shared_site.topic)
    expect(topic).to_contain_text("well")


def test_times_are_local_with_utc_under_the_pointer(browser: Browser, shared_site: Site) -> None:
    page = browser.open(f"{shared_site.url}/pvs?search=MTR0102", timezone_id="Asia/Tokyo", locale="en-GB")
    shown = line(page, "IN:DEMO:MOT:MTR0102").locator('td[data-label="Time of value"] time')
    expect(shown).to_be_visible()
    utc = shown.get_attribute("datetime")
    assert utc is not None
    local = (int(utc[11:13]) + 9) % 24
    assert shown.inner_text()[-8:] == f"{local:02d}{utc[13:19]}"
    assert shown.get_attribute("title") == utc.replace("T", " ").replace("Z", " UTC")


def test_dark_and_small_screens(browser: Browser, shared_site: Site) -> None:
    page = browser.open(f"{shared_site.url}/pvs", viewport=PHONE, dark=True)
    background = "getComputedStyle(document.body).backgroundColor"
    dark = _colour(page.evaluate(background))
    page.emulate_media(color_scheme="light")
    assert sum(dark) < 150 < 600 < sum(_colour(page.evaluate(background)))
    paths = {
        "": ".tile",
        "pvs": "tbody tr",
        f"pv?protocol=ca&name={PREFIX}SPECTRUM": ".chart canvas",
        "reports?report=never": "tbody tr",
        "topics": "tbody tr",
        "commands": "tbody tr",
    }
    for path, drawn in paths.items():
        page.goto(f"{shared_site.url}/{path}")
        expect(page.locator(drawn).locator("visible=true").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        assert page.evaluate(OUTSIDE) == [], path
    page.goto(f"{shared_site.url}/pvs?search=PRESSURE")
    name, via, state = (page.locator(f"tbody td:nth-child({column})").bounding_box() for column in (1, 2, 3))
    assert name is not None
    assert via is not None
    assert state is not None
    # The name has a line of its own, and two protocols of the same name can be told apart.
    assert name["y"] + name["height"] <= via["y"] < state["y"] + state["height"]


def test_it_says_so_when_the_service_does_not_answer(browser: Browser, shared_site: Site) -> None:
    page = browser.open(f"{shared_site.url}/pvs")
    expect(page.locator("#live")).to_have_text("live")
    shared_site.process.freeze()
    try:
        expect(page.locator("#live")).to_contain_text("no answer, what you see is of", timeout=20_000)
    finally:
        shared_site.process.thaw()
    expect(page.locator("#live")).to_have_text("live")


def _colour(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)[:3]]
