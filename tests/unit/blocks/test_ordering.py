"""In which order the forwarder is told, and what becomes of it when something happens in between."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from forwarder.blocks.ledger import Ledger
from forwarder.blocks.memory import Memory, Remembered
from forwarder.blocks.wanted import Site, Source
from forwarder.commands.fc00 import parse
from forwarder.companion import ordering
from forwarder.companion.ordering import Ordering
from forwarder.errors import KafkaAway
from forwarder.model import Add, Command, Remove
from forwarder.settings.blocks.load import read
from forwarder.settings.types import TopicSettings

_WITHIN_S = 10.0
SITE = Site("IN:X:", "X", "f142")
MANY = [f"B{number}" for number in range(5_000)]
"""More than there are in one message, or in two."""


class Rig:
    """One instrument whose forwarder serves many blocks, and a config topic that takes what it is to take."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        given = {"prefix": "IN:X:", "instrument": "X", "config-topic": "127.0.0.1:1/c", "no-archive": "yes"}
        settings = read({name: [value] for name, value in given.items()}, {}).settings
        blocks = [SITE.stream(Source.BLOCKS, pv) for pv in SITE.blocks(MANY)]
        self.ledger = Ledger(SITE, [Source.BLOCKS], Remembered(frozenset(blocks), settled=True))
        self.ledger.serves(blocks, ("h", 1), alive=True, now=time.monotonic())
        self.commands: list[Command] = []
        self.awaited, self.enough = 0, asyncio.Event()
        self.ordering = Ordering(settings, self.ledger, Memory(directory, SITE), lambda: True)
        monkeypatch.setattr(ordering, "send_all", self._send_all)

    async def _send_all(self, topic: TopicSettings, client: str, messages: Sequence[bytes]) -> tuple[int, int]:
        command = parse(messages[0])
        self.sending(command)
        self.commands.append(command)
        if len(self.commands) == self.awaited:
            self.enough.set()
        return 0, len(self.commands)

    def sending(self, command: Command) -> None:
        """What happens while a command is sent; may raise."""

    def says(self, names: Sequence[str]) -> None:
        self.ledger.said(Source.BLOCKS, SITE.blocks(names))
        self.ordering.news()

    def until(self, commands: int) -> None:
        """Run it until it has sent so many."""

        async def run() -> None:
            running = asyncio.create_task(self.ordering.run())
            async with asyncio.timeout(_WITHIN_S):
                await self.enough.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        self.awaited, self.enough = commands, asyncio.Event()

        asyncio.run(run())

    @property
    def removed(self) -> list[str]:
        removals = [each for each in self.commands if isinstance(each, Remove)]
        return [pattern.channel or "" for each in removals for pattern in each.patterns]

    @property
    def added(self) -> list[str]:
        return [stream.channel for each in self.commands if isinstance(each, Add) for stream in each.streams]


def test_what_is_wanted_again_while_others_are_removed_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, monkeypatch)
    rig.says([])
    monkeypatch.setattr(rig, "sending", lambda command: rig.says([*MANY, "NEW"]) if not rig.commands else None)
    rig.until(3)
    assert len(rig.removed) == len(rig.added) - 1 == 2_000
    assert set(rig.added) == {*rig.removed, *SITE.blocks(["NEW"])}


def test_one_message_of_several_that_fails_is_sent_again_and_the_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, failures = Rig(tmp_path, monkeypatch), [KafkaAway("it is away")]

    def sending(command: Command) -> None:
        if len(rig.commands) == 1 and failures:
            raise failures.pop()

    rig.says([])
    monkeypatch.setattr(rig, "sending", sending)
    rig.until(3)
    assert sorted(rig.removed) == sorted(SITE.blocks(MANY)), "each once"
    assert rig.ordering.counts["remove", "failed"] == 1
    assert rig.ordering.counts["remove", "sent"] == 3
