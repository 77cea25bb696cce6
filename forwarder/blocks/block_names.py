"""The monitor on the block server's PV, as a client of Channel Access knows it."""

import numpy as np

from forwarder.model import ChannelType, Value

from .feed import Feed
from .names import BadBlocks, Fault, block_names
from .wanted import Site


class BlockNames:
    """Wants the updates of the PV that says which blocks there are."""

    alarm_message = ""
    wants_description = False

    def __init__(self, site: Site, feed: Feed) -> None:
        self.channel = site.block_names_pv
        self._site = site
        self._feed = feed

    def connected(self, kind: ChannelType, server: str = "") -> None:
        """Its first update follows."""
        self._feed.back()

    def described(self, units: str, choices: tuple[str, ...]) -> None:
        """Never asked for."""

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        """What is not believed leaves all as it was."""
        self._feed.back()
        try:
            found = block_names(_characters(value))
        except BadBlocks as error:
            self._feed.wrong(error.fault.value, error)
            return
        self._feed.good(self._site.blocks(found.names), all_of_it=not found.bad)
        if found.bad:
            self._feed.wrong(Fault.NAMES.value, found.first_bad, found.bad)

    def failed(self, error: Exception) -> None:
        """The update could not be read."""
        self._feed.wrong(Fault.UNREADABLE.value, error)

    def disconnected(self, reason: str = "") -> None:
        """The client searches it again."""
        self._feed.away(f"{self.channel} is disconnected{f': {reason}' if reason else ''}")

    def never_connected(self) -> None:
        """No server has ever offered it; the search goes on."""
        self._feed.away(f"no server has {self.channel}")


def _characters(value: Value) -> bytes:
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        return value.tobytes()
    raise BadBlocks(Fault.TYPE, "the PV is no waveform of characters, which is expected")
