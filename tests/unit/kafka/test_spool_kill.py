"""A process that is killed while it writes: what was acknowledged is there."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

from tests.unit.kafka.test_spool_rig import damaged_files, opened, read, some_messages

ROUNDS = 20
CHILD = """
import asyncio, sys
from pathlib import Path
from forwarder.kafka.spool import Spool
from tests.unit.kafka.test_spool_rig import some_messages

async def main():
    spool = Spool(Path(sys.argv[1]))
    rows = await spool.open()
    number = rows[-1].identifier if rows else 0
    while True:
        for _ in range(3):
            number += 1
            line = f"{number}\\n"
            spool.write(number, "", "topic", some_messages(20, number, 2000), lambda ok, line=line: say(ok, line))
        if number % 4 == 0:
            spool.read(number, lambda messages: None, lambda: None)
        await asyncio.sleep(0.001)

def say(ok, line):
    assert ok
    sys.stdout.write(line)
    sys.stdout.flush()

asyncio.run(main())
"""


def test_every_acknowledged_row_survives_a_kill(tmp_path: Path) -> None:
    chance = random.Random(1)
    acknowledged: list[int] = []
    for _ in range(ROUNDS):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        with child.stdout:
            wanted = chance.randrange(1, 15)
            acknowledged += [int(child.stdout.readline()) for _ in range(wanted)]
            child.kill()
            acknowledged += [int(line) for line in child.stdout if line.endswith("\n")]
        child.wait()
    assert acknowledged == sorted(acknowledged)
    asyncio.run(_all_are_there(tmp_path, acknowledged))


async def _all_are_there(directory: Path, acknowledged: list[int]) -> None:
    async with opened(directory) as (spool, rows):
        found = [row.identifier for row in rows]
        assert found == list(range(1, len(found) + 1))
        assert set(acknowledged) <= set(found)
        for identifier in found:
            assert await read(spool, identifier) == some_messages(20, identifier, 2000)
        assert not damaged_files(directory)
