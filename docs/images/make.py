"""Takes the pictures of the page that the documents show: `.venv/bin/python docs/images/make.py`."""

import io
import sys
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))

from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType  # noqa: E402

from tests.integration.web.rig import PREFIX, site, stream  # noqa: E402
from tests.support.browser import PHONE, Browser  # noqa: E402
from tests.support.kafka import Broker  # noqa: E402
from tests.support.waiting import wait_until  # noqa: E402

_CHARTED_MS = 40_000
"""Long enough for charts that show something."""
_VIEW = {"width": 1280, "height": 780}
_COLOURS = 96

PICTURES = {
    "overview": ("", {"viewport": _VIEW}, _CHARTED_MS),
    "pvs": ("pvs", {"viewport": {"width": 1280, "height": 560}, "dark": True}, 3_000),
    "pv": (f"pv?protocol=ca&name={PREFIX}TEMP1", {"viewport": _VIEW}, _CHARTED_MS),
    "phone": ("pv?protocol=ca&name=IN:DEMO:MOT:MTR0102", {"viewport": PHONE}, 3_000),
}


def main() -> None:
    with Broker() as broker, site(broker) as here, Browser() as browser:
        here.process.order(UpdateType.ADD, [stream("IN:DEMO:CS:SB:SAMPLE", here.topic, "f144")])
        here.ioc.put(f"{PREFIX}FIELD", 1.5)
        here.second_ioc.kill()
        wait_until(lambda: here.ask("pvs", state="disconnected")["matched"] == 2, 20)
        for name, (path, options, wait_ms) in PICTURES.items():
            page = browser.open(f"{here.url}/{path}", **options)
            page.wait_for_timeout(wait_ms)
            # Few colours make a small file, and the page has few.
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(_COLOURS)
            picture.save(HERE / f"{name}.png", optimize=True)
            page.close()


if __name__ == "__main__":
    main()
