"""Tells the forwarder the difference, as soon as there is one; what was announced is on disk before that."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..blocks.ledger import Ledger, Plan
from ..blocks.memory import Memory, Remembered
from ..blocks.removal import removal
from ..errors import ForwarderError
from ..faults import RepeatingFault
from ..kafka.single import send_all
from ..model import Add, Command, Stream
from ..pulse import Pulse
from ..remote.orders import messages
from ..remote.verdict import Sent
from ..settings.blocks.types import BlocksSettings
from ..settings.types import Dialect

log = logging.getLogger(__name__)

_AT_ONCE = 2_000
"""Streams in one message: some 200 kB, which every broker takes."""
_TICK_S = 1.0
_FIRST_LOOK_S = 5.0
"""How long the first command waits for what the forwarder serves, and for what is wanted by now."""
_AGAIN_S = (0.5, 5.0)
"""First and longest pause before what could not be sent is sent again."""
_REMEMBERED_COMMANDS = 200


@dataclass(slots=True)
class _Ordered:
    """A command that is in the config topic."""

    number: int
    kind: str
    streams: tuple[Stream, ...]
    place: str
    refused: bool = False


class Ordering:
    """Sends commands to the config topic."""

    slowest_s = 45.0
    """How long brokers may keep one command waiting: to be found, to be connected to, to answer."""

    def __init__(self, settings: BlocksSettings, ledger: Ledger, memory: Memory, look: Callable[[], bool]) -> None:
        """`look` is called every second, and says whether all is known by now that the first command needs."""
        self.pulse = Pulse()
        self.counts = Counter[tuple[str, str]]()
        """By kind of command, and what came of it."""
        self._settings = settings
        self._dialect = settings.dialect
        self._ledger = ledger
        self._memory = memory
        self._look = look
        self._news = asyncio.Event()
        self._numbers = 0
        self._recent: deque[_Ordered] = deque(maxlen=_REMEMBERED_COMMANDS)
        self._topic = settings.config_topic.topic
        self._away = RepeatingFault(log, f"the config topic {self._topic} can't be written to", time.monotonic)
        self._refused = RepeatingFault(log, "the forwarder does not obey", time.monotonic)
        self._unwritten = RepeatingFault(log, "what is announced can't be kept for the next start", time.monotonic)
        self._unseen = RepeatingFault(log, "the forwarder does not do as told", time.monotonic)

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong, by what it is about; only what is wrong."""
        found = {
            "config": self._away.reason,
            "forwarder": self._refused.reason or self._unseen.reason,
            "memory": self._unwritten.reason,
        }
        return {name: reason for name, reason in found.items() if reason}

    def news(self) -> None:
        """Something may have to be said."""
        self._news.set()

    def refused(self, place: str, reason: str) -> None:
        """The newest refusal that the forwarder tells, be it of a command of ours or not."""
        ordered = next((each for each in self._recent if each.place == place), None)
        if ordered is None or ordered.refused:
            return
        ordered.refused = True
        self.counts[ordered.kind, "refused"] += 1
        self._refused.occurred(reason)
        self._ledger.refuses(ordered.number, ordered.streams)

    async def run(self) -> None:
        """Compare and send until cancelled."""
        give_up = time.monotonic() + _FIRST_LOOK_S
        while not self._look() and time.monotonic() < give_up:
            await self.pulse.wait(self._news, give_up - time.monotonic())
            self._news.clear()
        while True:
            self._news.clear()
            try:
                await self._settle()
            except ForwarderError as error:
                self._away.occurred(error)
                await self.pulse.sleep(min(_AGAIN_S[0] * self._away.count, _AGAIN_S[1]))
                self._look()
                continue
            self._away.over()
            while not self._due():
                await self.pulse.wait(self._news, _TICK_S)
            if self._unwritten.count:
                await self.pulse.wait(self._news, _TICK_S)

    def _due(self) -> bool:
        self._look()
        unconfirmed = self._ledger.unconfirmed.total()
        due = self._ledger.look(time.monotonic())
        if self._ledger.unconfirmed.total() > unconfirmed:
            self._unseen.occurred("what it was told does not show in its status; it is told again")
        return self._news.is_set() or due or bool(self._unwritten.count)

    async def _settle(self) -> None:
        plan = self._ledger.plan(time.monotonic())
        if self._ledger.unsaved or plan.add or self._unwritten.count:
            await self._write(self._ledger.remembered(plan.add))
        if plan:
            await self._send(plan)
        elif self._ledger.is_settled:
            self._refused.over()
            self._unseen.over()

    async def _send(self, plan: Plan) -> None:
        # While something is written or sent, somebody may change what is wanted.
        wants = self._ledger.wants
        for some in _chunks(plan.remove):
            if streams := tuple(each for each in some if not wants(each)):
                command = removal(streams, whole_channels=self._dialect is Dialect.JSON)
                await self._order("remove", command, streams, self._ledger.removed)
        for some in _chunks(plan.add):
            if streams := tuple(filter(wants, some)):
                await self._order("add", Add(streams), streams, self._ledger.added)

    async def _order(
        self,
        kind: str,
        command: Command,
        streams: tuple[Stream, ...],
        done: Callable[[Sequence[Stream], int, float], None],
    ) -> None:
        # The library takes a tenth of a second for a thousand streams.
        made = await asyncio.to_thread(messages, command, self._dialect)
        self._numbers += 1
        try:
            partition, offset = await send_all(self._settings.config_topic, self._settings.name, made)
        except ForwarderError:
            self.counts[kind, "failed"] += 1
            raise
        self.counts[kind, "sent"] += 1
        place = Sent(command, self._topic, partition, offset).place
        self._recent.append(_Ordered(self._numbers, kind, streams, place))
        done(streams, self._numbers, time.monotonic())
        log.info("%s: %s of %d streams", place, kind, len(streams))

    async def _write(self, remembered: Remembered) -> None:
        try:
            await asyncio.to_thread(self._memory.write, remembered)
        except OSError as error:
            # The data of the instrument are worth more than that no stream is ever left over.
            self._unwritten.occurred(f"{self._memory.path}: {error.strerror or error}")
        else:
            self._unwritten.over()


def _chunks(streams: tuple[Stream, ...]) -> Iterator[tuple[Stream, ...]]:
    for first in range(0, len(streams), _AT_ONCE):
        yield streams[first : first + _AT_ONCE]
