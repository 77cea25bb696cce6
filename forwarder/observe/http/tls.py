"""TLS of the server: with what the files of its certificate hold by then, since they are renewed while it runs."""

import logging
import ssl
import time
from pathlib import Path

from forwarder.certificates import KeyPair
from forwarder.errors import BadSetting
from forwarder.faults import RepeatingFault

log = logging.getLogger(__name__)


class ServerTls:
    """A context for the server's connections; each is made with the newest certificate that could be read."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        """Raises BadSetting for files that are of no use."""
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._pair = KeyPair(certificate, key, "http-cert-file", "http-key-file")
        self._files = [certificate] if key is None else [certificate, key]
        self._seen = self._marks()
        self._pair.load_into(self.context)
        self._fault = RepeatingFault(log, "the certificate for HTTPS can't be read again", time.monotonic)

    def look(self) -> None:
        """Read the files again if they have changed. To be called now and then."""
        marks = self._marks()
        if marks == self._seen:
            return
        try:
            # A pair that does not fit is found out beside, and not in the context that connections are made with.
            self._pair.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._pair.load_into(self.context)
        except BadSetting as error:
            # One of two files may be written already, and the other not yet.
            self._fault.occurred(f"{error}; until then the one from before is used")
        else:
            self._seen = marks
            self._fault.over()
            log.info("the certificate for HTTPS was read again, because its files have changed")

    def _marks(self) -> list[tuple[int, int, int] | None]:
        """Something that changes when a file does."""
        return [_mark(file) for file in self._files]


def _mark(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
