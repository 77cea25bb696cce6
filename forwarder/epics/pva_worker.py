"""Another thread for what makes its caller wait for p4p's."""

import logging
import queue
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Worker:
    """A thread that does what makes its caller wait for the library's thread."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        # A daemon, because a library that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="PVA closing", daemon=True)
        self._thread.start()

    def do(self, job: Callable[[], object]) -> None:
        self._jobs.put(job)

    def end(self) -> None:
        """Go when all is done."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                log.exception("pvAccess could not be told to stop something")
            # Nothing is to be kept alive while it waits.
            del job
