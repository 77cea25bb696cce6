"""How the process beside an instrument is put together and started. Nothing of it is created anywhere else."""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from .. import __version__
from ..blocks.block_names import BlockNames
from ..blocks.database import Database
from ..blocks.feed import Feed
from ..blocks.ledger import Ledger
from ..blocks.memory import BadMemory, Memory, Remembered
from ..blocks.wanted import Site, Source
from ..epics.ca.client import ChannelAccess
from ..errors import BadSetting
from ..heartbeat import Heartbeat
from ..idle import WhenIdle
from ..leaving import EXIT_ERROR, Guard, stopped_by_signals
from ..loops import serve
from ..observe.systemd import Notifier
from ..parts import Part
from ..pulse import Watched
from ..settings.blocks.types import BlocksSettings
from ..settings.types import Dialect
from ..stopping import GRACE_S, ended
from ..supervision import Supervision
from .hearing import Hearing
from .ordering import Ordering

if TYPE_CHECKING:
    from ..observe.http.server import Server

log = logging.getLogger(__name__)


def main(settings: BlocksSettings) -> int:
    """Serve until told to stop; the exit code. Raises BadSetting for what shows itself only when it is used."""
    return serve(lambda guard: Companion(settings, guard).run(), settings.event_loop)


class Companion:
    """One running process beside an instrument."""

    def __init__(self, settings: BlocksSettings, guard: Guard) -> None:
        """`guard` stands from when the stop begins; who made it releases it."""
        self.settings = settings
        self._guard = guard
        site = Site(settings.prefix, settings.instrument, settings.schema, settings.broker)
        self.feeds: Mapping[Source, Feed] = {
            source: self._feed(source, what) for source, what in _sources(settings, site).items()
        }
        memory = Memory(settings.state_directory, site)
        remembered = _remembered(memory)
        self.ledger = Ledger(
            site,
            self.feeds.keys(),
            remembered,
            whole_channels=settings.dialect is Dialect.JSON,
            is_told=settings.status_topic is not None,
        )
        self._heard = set[Source]()
        self.ordering = Ordering(settings, self.ledger, memory, self._look)
        self.hearing: Hearing | None = (
            Hearing(settings, self.ledger, self.ordering.refused, self.ordering.news)
            if settings.status_topic is not None
            else None
        )
        self._client = ChannelAccess(settings.ca, settings.never_connected_after_s)
        self._block_names = BlockNames(site, self.feeds[Source.BLOCKS]) if settings.blocks else None
        archived = remembered.said.get(Source.ARCHIVE, ()) if remembered else ()
        self._database = Database(settings.archive, self.feeds[Source.ARCHIVE], archived) if settings.archive else None
        if settings.run_log:
            self.feeds[Source.RUN_LOG].back()
            self.feeds[Source.RUN_LOG].good(site.run_log())
        self.supervision = Supervision()
        self._notifier = Notifier()
        self.heartbeat = Heartbeat(self._notifier, WhenIdle(), lambda: 0)
        self._stop = asyncio.Event()
        self._http = _http_server(self) if settings.http else None

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stop.is_set()

    async def run(self) -> int:
        """Serve until a signal says stop; the exit code. Raises what no part could mend."""
        with stopped_by_signals(self._stop, self._guard, self.settings.stop_timeout_s + GRACE_S):
            async with AsyncExitStack() as opened:
                if self._http is not None:
                    opened.push_async_callback(self._http.close)
                    await self._http.open()
                opened.push_async_callback(self._client.close)
                await self._client.start()
                if self._block_names is not None:
                    self._client.subscribe(self._block_names)
                return await self._serve()

    async def _serve(self) -> int:
        parts = self._parts()
        watched = [each for part in parts for each in part.watched]
        tasks = self.supervision.keep_all([*parts, Part("heartbeat", lambda: self.heartbeat.run(watched))])
        settings = self.settings
        log.info("forwarder blocks %s, profile %s, instrument %s", __version__, settings.profile, settings.instrument)
        self._notifier.ready()
        stop = asyncio.get_running_loop().create_task(self._stop.wait(), name="stop")
        try:
            # The parts are kept running: one that ends has given up, or has found a wrong setting.
            done, _ = await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
            failed = [error for task in done - {stop} if (error := task.exception()) is not None]
            for error in failed:
                if isinstance(error, BadSetting):
                    raise error
                log.critical("the process ends, because a part of it does not work", exc_info=error)
        finally:
            self._notifier.stopping()
            self.heartbeat.stopping = True
            for task in (stop, *tasks):
                task.cancel()
            await ended([stop, *tasks], asyncio.get_running_loop().time() + settings.stop_timeout_s)
        log.info("stopped; what is announced stays so")
        return EXIT_ERROR if failed else 0

    def _parts(self) -> list[Part]:
        ordering, hearing, database, http = self.ordering, self.hearing, self._database, self._http
        parts = [
            Part("CA client", self._client.run, (Watched("CA client", lambda: self._client.beats),)),
            Part("commands", ordering.run, (ordering.pulse.watched("commands", ordering.slowest_s),)),
        ]
        if hearing is not None:
            parts.append(Part("status", hearing.run, (hearing.pulse.watched("status", hearing.slowest_s),)))
        if database is not None:
            parts.append(Part("archive", database.run, (database.pulse.watched("archive", database.slowest_s),)))
        if http is not None:
            parts.append(Part("http", http.run, (http.pulse.watched("http"),)))
        return parts

    def _feed(self, source: Source, what: str) -> Feed:
        return Feed(source, self._wants, time.monotonic, what)

    def _wants(self, source: Source, pvs: tuple[str, ...]) -> bool:
        changed = self.ledger.said(source, pvs)
        if changed or source not in self._heard:
            self._heard.add(source)
            self.ordering.news()
        return changed

    def _look(self) -> bool:
        known = self._heard.issuperset(self.feeds)
        if self.hearing is None:
            return known
        self.hearing.look()
        return known and self.hearing.looked


def _sources(settings: BlocksSettings, site: Site) -> Mapping[Source, str]:
    """Those that are asked, and how a line about them begins."""
    sources: dict[Source, str] = {}
    if settings.blocks:
        sources[Source.BLOCKS] = f"the block server's {site.block_names_pv}"
    if settings.run_log:
        sources[Source.RUN_LOG] = "the run log"
    if settings.archive is not None:
        sources[Source.ARCHIVE] = "the archived PVs"
    return sources


def _remembered(memory: Memory) -> Remembered | None:
    try:
        return memory.read()
    except BadMemory as error:
        log.error("%s", error)
        return None


def _http_server(companion: Companion) -> "Server":
    # Only here, because its libraries take 10 MB.
    from .serving import http_server

    return http_server(companion)
