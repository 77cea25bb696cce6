"""Hears what the forwarder says of itself, all the time, and tells the ledger."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace

from ..blocks.ledger import Ledger
from ..errors import ForwarderError
from ..faults import RepeatingFault
from ..model import Stream, Transport
from ..pulse import Pulse
from ..remote.connection import REQUEST_TIMEOUT_S, Remote, Unknown
from ..remote.status import Status
from ..settings.blocks.types import BlocksSettings

log = logging.getLogger(__name__)

_AGAIN_S = (0.5, 5.0)
"""First and longest pause before a status topic that could not be read is read again."""
_STORED_AGAIN_S = 60.0
"""How often streams that a status leaves out are read though nothing seems to have changed."""
_OPEN_S = 10.0
_LATE_S = 5.0
_SILENCE_S = 20.0
"""After so long it is looked again which forwarder is meant."""


class Hearing:
    """Follows the status topic."""

    slowest_s = 2 * (REQUEST_TIMEOUT_S + _OPEN_S)
    """How long a broker may keep it waiting."""

    def __init__(
        self, settings: BlocksSettings, ledger: Ledger, refused: Callable[[str, str], None], heard: Callable[[], None]
    ) -> None:
        """`refused` is told each refusal, by place and reason; `heard` is called when the ledger may have to act."""
        self.pulse = Pulse()
        self.statuses = 0
        """Since the start."""
        self.looked = False
        """Whether it is known, as far as it can be, what the forwarder serves."""
        self._settings = settings
        self._ledger = ledger
        self._refused = refused
        self._heard = heard
        self._newest: Status | None = None
        self._alive_until = 0.0
        """When the next status is so late that the forwarder can't be running."""
        self._fault = RepeatingFault(log, "what the forwarder serves is not known", time.monotonic)
        self._silence = RepeatingFault(log, "no forwarder says that it runs", time.monotonic)
        self._others = RepeatingFault(log, "several forwarders read the config topic", time.monotonic)
        self._stored: tuple[Stream, ...] = ()
        self._stored_of: tuple[object, ...] = ()
        self._stored_at = 0.0

    @property
    def problem(self) -> str:
        """Why it is not known what the forwarder does; empty when all is well."""
        return self._fault.reason or self._silence.reason or self._others.reason

    async def run(self) -> None:
        """Hear until cancelled."""
        settings = self._settings
        while True:
            remote = Remote(
                settings.config_topic,
                settings.status_topic,
                settings.storage_topic,
                settings.forwarder,
                settings.name,
                self.pulse,
            )
            try:
                async with remote:
                    await self._follow(remote)
            except ForwarderError as error:
                self._fault.occurred(error)
            self._have_looked()
            await self.pulse.sleep(min(_AGAIN_S[0] * max(self._fault.count, 1), _AGAIN_S[1]))

    def look(self) -> None:
        """Notice that nothing is heard any more. To be called every second or so."""
        self._others.over_if_quiet(_SILENCE_S)
        if time.monotonic() < self._alive_until:
            self._silence.over()
            return
        self._ledger.silent()
        if self.looked:
            self._silence.occurred(_why_not(self._newest))

    async def _follow(self, remote: Remote) -> None:
        status = await remote.status()
        if status is not None:
            await self._take(remote, status, alive=status.is_alive(time.time_ns() // 1_000_000))
        else:
            # It can be read by now, and is empty.
            self._fault.over()
        self._have_looked()
        statuses = remote.statuses()
        while True:
            try:
                async with asyncio.timeout(_SILENCE_S):
                    status = await anext(statuses)
            except TimeoutError:
                # Another one may have taken its place, under another name.
                return
            # It has just come, whatever the clocks of two machines say.
            await self._take(remote, status, alive=status.state == "running")

    async def _take(self, remote: Remote, status: Status, *, alive: bool) -> None:
        self.statuses += 1
        heard = self._newest
        if heard and heard.service_id != status.service_id and time.monotonic() < self._alive_until:
            names = f"{heard.service_id} is heard, and not {status.service_id}"
            self._others.occurred(f"{names}; choose one with --service-id")
            return
        if heard and status.obeyed is not None and status.obeyed < (heard.obeyed or 0):
            # It was started again, where every process has the same number.
            self._ledger.silent()
        self._newest = status
        self._alive_until = time.monotonic() + 3 * status.interval_ms / 1000 + _LATE_S if alive else 0.0
        self.look()
        if status.last_refusal:
            self._refused(*status.last_refusal.partition(": ")[::2])
        if status.state == "starting":
            # It does not know itself yet what it will serve.
            return
        try:
            streams = await self._streams(remote, status)
        except Unknown as error:
            self._fault.occurred(error)
            return
        self._fault.over()
        process = status.host, status.process_id
        if self._ledger.serves(streams, process, alive=alive, now=time.monotonic()):
            self._heard()

    async def _streams(self, remote: Remote, status: Status) -> tuple[Stream, ...]:
        if status.streams is None:
            now = time.monotonic()
            of = status.service_id, status.process_id, status.streams_count, status.obeyed
            if of != self._stored_of or now - self._stored_at > _STORED_AGAIN_S:
                self._stored = await remote.stored_streams(status)
                self._stored_of, self._stored_at = of, now
            return self._stored
        if status.knows_transports:
            return status.streams
        # The C++ forwarder does not say it; what is asked for here is always Channel Access.
        return tuple(replace(each, transport=Transport.CA) for each in status.streams)

    def _have_looked(self) -> None:
        if not self.looked:
            self.looked = True
            self._heard()


def _why_not(newest: Status | None) -> str:
    if newest is None:
        return "there is no status"
    return f"{newest.service_id} is {'silent' if newest.state == 'running' else newest.state}"
