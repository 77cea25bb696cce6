"""A service that is killed while it stores its streams: between two records of a state, and with one on its way."""

import asyncio
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count

import pytest
from aiokafka.protocol.produce import ProduceRequest

from forwarder.kafka.cluster import Cluster
from forwarder.kafka.storage_topic import StorageTopic
from forwarder.model import Stream, Transport
from forwarder.settings.types import ClusterSettings, TopicSettings
from tests.integration.kafka.rig import PATIENCE_S
from tests.support.consume import consume
from tests.support.kafka import Broker

_LIVES = 40
_COMMANDS_A_LIFE = 3
_PARTS = 8
"""Of a state, about: requests until one life is over."""


class Killed(BaseException):
    """Nothing catches it, as nothing catches a SIGKILL."""


class Death:
    """Comes with a certain request: before it is sent, or when it was carried out and its answer is on the way."""

    def __init__(self, at_request: int, *, carried_out: bool) -> None:
        self._left = at_request
        self._carried_out = carried_out

    async def ask(self, request: object, sent: Callable[[], object]) -> None:
        if isinstance(request, ProduceRequest):
            self._left -= 1
            if not self._left:
                if self._carried_out:
                    await sent()  # type: ignore[misc]
                raise Killed


@pytest.fixture
def death(monkeypatch: pytest.MonkeyPatch) -> list[Death]:
    """Holds at most one."""
    deaths: list[Death] = []
    ask = Cluster.ask

    async def ask_while_alive(cluster: Cluster, broker: int, request: object) -> object:
        for each in deaths:
            await each.ask(request, lambda: ask(cluster, broker, request))
        return await ask(cluster, broker, request)

    monkeypatch.setattr(Cluster, "ask", ask_while_alive)
    # A life has no time to wait.
    monkeypatch.setattr("forwarder.kafka.storage_topic._SPACING_S", 0.0)
    return deaths


class Commands:
    """A config topic: command n adds some streams, and removes others that were there before."""

    def __init__(self, choose: random.Random) -> None:
        self._choose = choose
        self._commands: list[tuple[frozenset[Stream], frozenset[Stream]]] = []
        self.after: list[frozenset[Stream]] = [frozenset()]
        """The streams after so many commands."""
        self._names = count()

    def __len__(self) -> int:
        return len(self._commands)

    def say(self) -> None:
        before = self.after[-1]
        added = frozenset(
            Stream(
                f"IN:DEMO:CS:SB:{self._choose.getrandbits(128):x}", Transport.CA, "f142", f"topic{next(self._names)}"
            )
            for _ in range(self._choose.randrange(60))
        )
        removed = frozenset(self._choose.sample(sorted(before, key=str), min(len(before), self._choose.randrange(90))))
        self._commands.append((added, removed))
        self.after.append((before - removed) | added)

    def obey(self, number: int, streams: Iterable[Stream]) -> frozenset[Stream]:
        added, removed = self._commands[number]
        return (frozenset(streams) - removed) | added


@pytest.mark.parametrize("policy", ["delete", "compact"])
def test_it_is_killed_in_the_middle_of_a_state_again_and_again(
    odd_broker: Broker, unique: Callable[[str], str], death: list[Death], policy: str
) -> None:
    topic = unique("storage")
    compaction = {"cleanup_policy": "compact", "segment_ms": 100, "min_cleanable_dirty_ratio": 0.01}
    odd_broker.create_topic(topic, max_message_bytes=1_200, **(compaction if policy == "compact" else {}))
    choose = random.Random(7)
    commands = Commands(choose)
    settings = TopicSettings(ClusterSettings((odd_broker.address,)), topic)

    async def life() -> int:
        """From a start until the kill, or until all is stored; the number of the first command that it obeyed."""
        service = StorageTopic(settings, "service")
        state = await asyncio.wait_for(service.read(), PATIENCE_S)
        assert not service.problem
        first = 0
        streams: frozenset[Stream] = frozenset()
        if state is not None:
            first = state.offsets["config"][0]
            streams = frozenset(state.streams)
            assert len(state.streams) == len(streams)
        assert streams == commands.after[first], "what was stored is what the commands up to there have said"
        running = asyncio.create_task(service.run())
        with suppress(Killed, asyncio.CancelledError):
            for number in range(first, len(commands)):
                streams = commands.obey(number, streams)
                service.store(streams, {"config": {0: number + 1}})
                await asyncio.sleep(choose.choice([0, 0.01]))
            flushed = asyncio.create_task(service.flush(asyncio.get_running_loop().time() + PATIENCE_S))
            await asyncio.wait([running, flushed], return_when=asyncio.FIRST_COMPLETED)
            assert streams == commands.after[-1]
            flushed.cancel()
            running.cancel()
            await running
        return first

    firsts: list[int] = []
    for _ in range(_LIVES):
        for _ in range(_COMMANDS_A_LIFE):
            commands.say()
        death[:] = [Death(choose.randrange(1, 2 * _PARTS), carried_out=choose.random() < 0.5)]
        firsts.append(asyncio.run(life()))
    states: dict[bytes | None, tuple[int, int]] = {}
    for record in consume(odd_broker.address, topic):
        parts = int(record.headers["parts"] or b"0")
        found, _ = states.get(record.headers["state-id"], (0, 0))
        states[record.headers["state-id"]] = (found + 1, parts)
    assert firsts == sorted(firsts), "what was stored stays stored"
    assert len(set(firsts)) > _LIVES / 10, "some lives got as far as to store something"
    if policy == "delete":
        incomplete = [found for found, parts in states.values() if found < parts]
        assert len(incomplete) > _LIVES / 4, "and many were killed within a state"
    # Its compaction would keep others waiting.
    odd_broker.delete_topic(topic)
