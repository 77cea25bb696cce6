"""`python -m benchmarks.spool`: how long the event loop pauses while messages go to disk and come back.

Rows are written at a steady rate; each is read some time later, compared and deleted. A task that sleeps a millisecond
again and again measures how late it wakes. The same is done with rows that go nowhere, to see what the machine and the
making of the messages cost by themselves.
"""

import argparse
import asyncio
import gc
import random
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from forwarder.kafka.spool import Spool
from forwarder.kafka.spool_format import size_of
from forwarder.model import Message

_MESSAGES = 5_000
_VALUE_BYTES = 160
_PVS = 2_000
_PIECE = 100
"""Messages made at once, as they come from the pipeline: a few every millisecond, and not a whole row."""
_ROWS_BEHIND = 20
"""A row is read when so many newer ones are stored."""
_LATE_MS = (2.0, 5.0, 10.0, 20.0)


class _Store(Protocol):
    def write(
        self, identifier: int, broker: str, topic: str, messages: list[Message], done: Callable[[bool], None]
    ) -> None: ...

    def read(self, identifier: int, got: Callable[[list[Message] | None], None]) -> None: ...

    def delete(self, identifiers: list[int]) -> None: ...


class _Nowhere:
    """Keeps the rows in memory: what the rest of the measurement costs."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Message]] = {}

    def write(
        self, identifier: int, broker: str, topic: str, messages: list[Message], done: Callable[[bool], None]
    ) -> None:
        self._rows[identifier] = messages
        asyncio.get_running_loop().call_soon(done, True)

    def read(self, identifier: int, got: Callable[[list[Message] | None], None]) -> None:
        asyncio.get_running_loop().call_soon(got, self._rows[identifier])

    def delete(self, identifiers: list[int]) -> None:
        for identifier in identifiers:
            del self._rows[identifier]


@dataclass(slots=True)
class _Lateness:
    """How late a sleep of a millisecond ends, in milliseconds."""

    each: list[float] = field(default_factory=list)

    async def measure(self) -> None:
        """Until cancelled."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            self.each.append((time.perf_counter() - began) * 1e3 - 1.0)

    def __str__(self) -> str:
        self.each.sort()
        worst = ", ".join(f"{late:.1f}" for late in self.each[:-6:-1])
        beyond = ", ".join(f"{sum(late > bound for late in self.each)} > {bound:g}" for bound in _LATE_MS)
        return f"longest pauses {worst} ms; of {len(self.each)}: {beyond} ms"


class _Traffic:
    """Writes, reads and deletes rows, and keeps account of them."""

    def __init__(self, store: _Store) -> None:
        self._store = store
        self._stored: deque[int] = deque()
        self._firsts: dict[int, Message] = {}
        self._handed_over: dict[int, float] = {}
        self.written = self.read = self.failed = 0
        self.slowest_ms = 0.0

    async def run(self, bytes_per_s: float, seconds: float) -> None:
        """Write for so long, then read what is left."""
        values = [random.randbytes(_VALUE_BYTES) for _ in range(1000)]
        keys = [b"SIM:source:of:updates:%05d" % pv for pv in range(_PVS)]
        began = time.perf_counter()
        made = 0
        identifier = 0
        while time.perf_counter() - began < seconds:
            row: list[Message] = []
            while len(row) < _MESSAGES:
                now_ms = int(time.time() * 1e3)
                row += [(keys[i % _PVS], values[i % 1000], now_ms) for i in range(made, made + _PIECE)]
                made += _PIECE
                due = began + made * (_VALUE_BYTES + len(keys[0]) + 16) / bytes_per_s
                await asyncio.sleep(max(due - time.perf_counter(), 0))
            identifier += 1
            self._write(identifier, row)
        while (self._stored or self._firsts) and not self.failed:
            while self._stored:
                self._read_oldest()
            await asyncio.sleep(0.001)

    def _write(self, identifier: int, row: list[Message]) -> None:
        self._firsts[identifier] = row[0]
        self._handed_over[identifier] = time.perf_counter()
        self._store.write(identifier, "", "topic", row, partial(self._on_disk, identifier))

    def _on_disk(self, identifier: int, ok: bool) -> None:
        self.slowest_ms = max(self.slowest_ms, (time.perf_counter() - self._handed_over.pop(identifier)) * 1e3)
        self.written += ok
        self.failed += not ok
        self._stored.append(identifier)
        if len(self._stored) > _ROWS_BEHIND:
            self._read_oldest()

    def _read_oldest(self) -> None:
        identifier = self._stored.popleft()
        self._store.read(identifier, partial(self._is_back, identifier))

    def _is_back(self, identifier: int, messages: list[Message] | None) -> None:
        first = self._firsts.pop(identifier)
        self.read += 1
        self.failed += messages is None or messages[0] != first or len(messages) != _MESSAGES
        self._store.delete([identifier])


async def _measured(store: _Store, bytes_per_s: float, seconds: float) -> str:
    lateness = _Lateness()
    traffic = _Traffic(store)
    # A pass of the garbage collector over all modules takes 10 ms and more, and would hide what is looked for.
    gc.collect()
    gc.freeze()
    watch = asyncio.create_task(lateness.measure())
    began = time.perf_counter()
    await traffic.run(bytes_per_s, seconds)
    lasted = time.perf_counter() - began
    watch.cancel()
    rate = traffic.written / lasted
    return (
        f"{rate:.1f} rows/s of {_MESSAGES} messages written, read and deleted; {traffic.failed} failed;"
        f" slowest write {traffic.slowest_ms:.0f} ms\n    {lateness}"
    )


async def _main(directory: Path, megabytes_per_s: float, seconds: float) -> None:
    row: list[Message] = [(b"SIM:source:of:updates:00000", bytes(_VALUE_BYTES), 0)] * _MESSAGES
    print(f"{megabytes_per_s:g} MB/s for {seconds:g} s in rows of {size_of(row) / 1e6:.2f} MB")
    print("without:", await _measured(_Nowhere(), megabytes_per_s * 1e6, seconds))
    spool = Spool(directory)
    await spool.open()
    print("spool:  ", await _measured(spool, megabytes_per_s * 1e6, seconds))
    began = time.perf_counter()
    closed = await spool.close(60.0)
    print(f"closed within {time.perf_counter() - began:.2f} s: {closed}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spool", description=__doc__)
    parser.add_argument("--rate", type=float, default=20.0, help="MB/s")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--directory", type=Path, help="on the disk to measure (default: the temporary directory)")
    parser.add_argument("--uvloop", action="store_true", help="with the event loop that the service uses")
    given = parser.parse_args()
    run = asyncio.run
    if given.uvloop:
        import uvloop

        run = uvloop.run
    with tempfile.TemporaryDirectory(dir=given.directory) as directory:
        run(_main(Path(directory), given.rate, given.seconds))


if __name__ == "__main__":
    main()
