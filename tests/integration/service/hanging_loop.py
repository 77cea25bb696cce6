"""The forwarder with an event loop that hangs as soon as a command comes."""

import logging
import time
from typing import Any

from forwarder.__main__ import main
from forwarder.control import Control

log = logging.getLogger(__name__)


def hang(*_: Any) -> None:
    log.warning("it hangs")
    time.sleep(3600)


if __name__ == "__main__":
    Control.receive = hang
    main()
