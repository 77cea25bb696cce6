"""The forwarder with a disk that hangs, as no real one does on demand."""

import threading
from typing import Any

from forwarder.__main__ import main
from forwarder.kafka.spool_database import Database


def hang(*_: Any) -> None:
    threading.Event().wait()


if __name__ == "__main__":
    Database.change = hang
    main()
