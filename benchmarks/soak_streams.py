"""The streams of a soak: some stay, and a hundred others come and go every second."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Producer
from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, serialise_fc00

from benchmarks import database as counters
from benchmarks.pvs import Pvs

CA_PVS = Pvs(500)
"""5 000 updates a second."""
PVA_PVS = Pvs(50, kind="P")
"""500 updates a second; records of their own, so that each is counted once."""
_POOL = 150
"""Records that come and go, besides as many names that nobody serves."""
_AT_ONCE = 100
_SCHEMAS = ("f142", "f144", "se00", "no_op", "tdct")
"""tdct has no place for a double: such a stream is refused in the status and must not stay behind either."""
_MISSING = 0.1

BASE_TOPICS = ("soak_ca", "soak_pva")
POOL_TOPICS = tuple(f"soak_pool{number}" for number in range(4))
_LARGEST_COMMAND = 8_000_000
_SENT_WITHIN_S = 60.0


def database() -> str:
    """The text of a .db file."""
    pool = "\n".join(
        f'record(calc, "SOAK:POOL{number}") {{ field(SCAN, "1 second") field(CALC, "VAL+1") field(EGU, "K") }}'
        for number in range(_POOL)
    )
    # The heads, which post the events, are those of the first set; the second one has none of its own.
    pva = "".join(line for line in counters.database(PVA_PVS).splitlines(True) if "BEAT" not in line)
    return f"{counters.database(CA_PVS)}{pva}{pool}\n"


class Commander:
    """Sends commands, and remembers when it has sent each."""

    def __init__(self, address: str, topic: str) -> None:
        # Silent, because the broker is stopped on purpose.
        settings = {"message.max.bytes": _LARGEST_COMMAND, "linger.ms": 0, "log_level": 0}
        self._producer = Producer({"bootstrap.servers": address, **settings})
        self._topic = topic
        self._random = random.Random(1)
        self._pool: list[StreamInfo] = []
        self._base = [
            *(_stream(name, "f142", BASE_TOPICS[0], Protocol.CA) for name in CA_PVS.names()),
            *(_stream(name, "f142", BASE_TOPICS[1], Protocol.PVA) for name in PVA_PVS.names()),
        ]
        self._turn = 0
        self.base_count = len(self._base)
        self.sent_at: list[float] = []
        """Seconds since 1970, of each command; not a number for those whose answer can't be awaited."""
        self._answered = True

    def only_base(self) -> None:
        """Nothing but what stays."""
        self._send(UpdateType.REPLACE, self._base)
        self._pool = []

    def change(self) -> None:
        """Let a hundred streams come, go, or be others, in turn."""
        self._turn += 1
        kind = self._turn % 3
        if kind == 0:
            self._pool = self._some()
            self._send(UpdateType.REPLACE, [*self._base, *self._pool])
        elif kind == 1:
            new = self._some()
            self._pool += new
            self._send(UpdateType.ADD, new)
        else:
            self._random.shuffle(self._pool)
            gone, self._pool = self._pool[:_AT_ONCE], self._pool[_AT_ONCE:]
            self._send(UpdateType.REMOVE, gone)

    @contextmanager
    def unanswered(self) -> Iterator[None]:
        """While Kafka is away nobody can say how long a command takes: those before are not counted."""
        self._producer.flush(_SENT_WITHIN_S)
        self.sent_at[-1:] = [float("nan")]
        yield

    def _send(self, change: int, streams: list[StreamInfo]) -> None:
        # The library's annotation asks for the enum's module; it means one of its numbers.
        number: Any = change
        self.sent_at.append(time.time())
        self._producer.produce(self._topic, serialise_fc00(number, streams))
        if self._producer.flush(_SENT_WITHIN_S):
            raise TimeoutError("the broker did not take a command")

    def _some(self) -> list[StreamInfo]:
        choose = self._random.choice
        chosen: dict[tuple[str, str, str, Any], StreamInfo] = {}
        while len(chosen) < _AT_ONCE:
            kind = "MISSING" if self._random.random() < _MISSING else "POOL"
            name = f"SOAK:{kind}{self._random.randrange(_POOL)}"
            key = name, choose(_SCHEMAS), choose(POOL_TOPICS), choose((Protocol.CA, Protocol.PVA))
            chosen[key] = _stream(*key)
        return list(chosen.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._producer.flush(1.0)


def _stream(channel: str, schema: str, topic: str, protocol: Any) -> StreamInfo:
    return StreamInfo(channel, schema, topic, protocol, 0)
