"""`python -m benchmarks.soak --minutes N`: hours of a moderate rate, with streams coming and going and faults between.

Prints a table, saves it as JSON, and gives a non-zero exit code when something grew, was lost or came twice.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.results import machine
from benchmarks.soak_follow import Follower
from benchmarks.soak_report import Outcome, Soak
from benchmarks.soak_samples import Sampler
from benchmarks.soak_streams import BASE_TOPICS, POOL_TOPICS, Commander, database
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

_TOPICS = Topics("soak_config", "soak_status", "soak_storage")
_COMMAND_S = 1.0
_IOC_RESTART_S = 150.0
_WARM_UP = 0.2
"""Part of the time after which descriptors and threads are looked at first."""
_BROKER_RESTART = 0.5
_AWAY_S = 3.0
"""How long a broker or an IOC is away."""
_SETTLED_WITHIN_S = 60.0
_SETTLED_S = 5.0
_KEPT = {"retention_bytes": 100_000_000, "segment_bytes": 20_000_000, "segment_ms": 60_000}
"""Of each partition of data: nobody reads it later than just now."""
_LARGEST_COMMAND = 8_000_000


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", metavar="DIR")
    given = parser.parse_args(arguments)
    outcome = run(given.minutes * 60, lambda line: print(line, flush=True))
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "soak.json"
    path.write_text(json.dumps(outcome.as_json(), indent=2) + "\n")
    print(f"\n{outcome.markdown()}\nsaved in {os.path.relpath(path)}")
    return 0 if outcome.passed else 1


def run(seconds: float, say) -> Outcome:
    """Soak for so long; `say` is told what happens."""
    with ExitStack() as opened:
        broker = opened.enter_context(Broker())
        broker.create_topic(_TOPICS.config, max_message_bytes=_LARGEST_COMMAND)
        broker.create_topic(_TOPICS.status, message_timestamp_type="LogAppendTime")
        broker.create_topic("soak_storage", cleanup_policy="compact", max_message_bytes=_LARGEST_COMMAND)
        for topic in (*BASE_TOPICS, *POOL_TOPICS):
            broker.create_topic(topic, **_KEPT)
        ioc = opened.enter_context(EpicsIoc(database()))
        process = ForwarderProcess(
            broker.address,
            _TOPICS,
            service_id="soak",
            ca_addresses=[ioc.ca_address],
            pva_addresses=[ioc.pva_address],
            flags=["--status-interval", "1000", "--ca-repeater-port", str(ioc.beacon_port)],
        )
        opened.enter_context(process)
        follower = opened.enter_context(Follower(broker.address, BASE_TOPICS, _TOPICS.status))
        commander = opened.enter_context(Commander(broker.address, _TOPICS.config))
        sampler = Sampler(process.pid)
        soak = Soak(machine(), seconds)
        commander.only_base()
        _settle(follower, commander)
        say(f"{time.strftime('%H:%M:%S')} started")
        _soak(seconds, say, soak, sampler, commander, follower, broker, ioc)
        soak.rests.append(_rest(say, sampler, commander, follower))
        soak.samples = sampler.samples
        soak.answers = follower.answers(commander.sent_at)
        soak.exit_code = process.stop()
        follower.until_stopped(_SETTLED_WITHIN_S)
        soak.log = process.log
    return Outcome.of(soak, follower)


def _soak(seconds, say, soak, sampler, commander, follower, broker, ioc) -> None:
    began = time.monotonic()
    iocs_at = [n * _IOC_RESTART_S for n in range(1, int(seconds / _IOC_RESTART_S) + 1)] or [0.3 * seconds]
    broker_at, rest_at = _BROKER_RESTART * seconds, _WARM_UP * seconds
    while (at := time.monotonic() - began) < seconds:
        sampler.look()
        if rest_at is not None and at >= rest_at:
            soak.rests.append(_rest(say, sampler, commander, follower))
            rest_at = None
        elif broker_at is not None and at >= broker_at:
            say(f"{time.strftime('%H:%M:%S')} the broker is stopped and started")
            with commander.unanswered():
                _restart(broker)
                follower.caught_up(_SETTLED_WITHIN_S)
            broker_at = None
        elif iocs_at and at >= iocs_at[0]:
            say(f"{time.strftime('%H:%M:%S')} the IOC is stopped and started")
            _restart(ioc)
            soak.ioc_restarts += 1
            del iocs_at[0]
        else:
            commander.change()
        time.sleep(max(0.0, began + at + _COMMAND_S - time.monotonic()))


def _restart(server: Broker | EpicsIoc) -> None:
    server.stop()
    time.sleep(_AWAY_S)
    server.start()


def _rest(say, sampler, commander, follower):
    """What it holds with nothing but the streams that stay, and all of them connected."""
    commander.only_base()
    _settle(follower, commander)
    time.sleep(_SETTLED_S)
    rest = sampler.look()
    say(f"{time.strftime('%H:%M:%S')} at rest: {rest}")
    return rest


def _settle(follower: Follower, commander: Commander) -> None:
    def settled() -> bool:
        status = follower.status
        return (
            bool(status)
            and status["streams_count"] == commander.base_count
            and status["statistics"]["pvs"] == {"connected": commander.base_count}
        )

    wait_until(settled, _SETTLED_WITHIN_S, what="only the streams that stay are there, and connected")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
