"""One forwarder, its IOCs and one browser for all tests of a file.

No longer than that: while playwright runs, this thread has an event loop that runs, and `asyncio.run` refuses to.
"""

from collections.abc import Iterator

import pytest

from tests.integration.web.rig import Site, site
from tests.support import processes
from tests.support.browser import Browser
from tests.support.kafka import Broker


@pytest.fixture(scope="module")
def shared_site(kafka_broker: Broker) -> Iterator[Site]:
    with site(kafka_broker, "WEB") as here, processes.to_share(here.second_ioc):
        yield here


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser, shared_site: Site) -> Iterator[Browser]:
    """Fails the test when a page complains or asks another host for anything."""
    with chromium.faultless(shared_site.url):
        yield chromium
