"""A forwarder that gets more than it can carry, and what it says and does meanwhile."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.status_x5f2 import deserialise_x5f2

from tests.faults.chain import check_the_equation
from tests.faults.judge import judge, values_of
from tests.faults.topic import read
from tests.integration.service.rig import stream
from tests.support.consume import Follower
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

STATUS_S = 1.0
STREAMS = 3
"""Of each PV."""
OBEYS_WITHIN_S = 2.0
MARGIN_BYTES = 40_000_000
"""Memory that is no waiting message: batches being built and answered, what sockets brought, and what the allocator
does not give back."""
_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Told:
    """One status."""

    at_s: float
    """When the broker took it, in seconds since 1970."""
    facts: Mapping[str, Any]

    @property
    def statistics(self) -> Mapping[str, Any]:
        return self.facts["statistics"]


@dataclass(frozen=True, slots=True)
class Carried:
    """What went through between two statuses, in each second."""

    received: float
    """Updates."""
    acknowledged: float
    """Messages."""

    @property
    def wanted(self) -> float:
        """Messages that these updates are."""
        return STREAMS * self.received


class Overloaded:
    """A forwarder of some PVs, each to two topics."""

    def __init__(
        self,
        broker: Broker,
        ioc: EpicsIoc,
        unique: Callable[[str], str],
        pvs: Sequence[str],
        *,
        protocol: int = Protocol.CA,
        max_waiting_bytes: int = 256_000_000,
        flags: Sequence[str] = (),
    ) -> None:
        self._broker = broker
        self._pvs = pvs
        self._protocol = protocol
        self._max_waiting_bytes = max_waiting_bytes
        self._base_bytes = 0
        self._topics = Topics(unique("config"), unique("status"))
        self._data = [unique(f"data{number}") for number in range(STREAMS)]
        self.process = ForwarderProcess(
            broker.address,
            self._topics,
            service_id=unique("service"),
            ca_addresses=[ioc.ca_address],
            pva_addresses=[ioc.pva_address],
            flags=[
                *("--ca-repeater-port", str(ioc.beacon_port)),
                *("--status-interval", str(int(STATUS_S * 1000))),
                *("--max-waiting-bytes", str(max_waiting_bytes)),
                *flags,
            ],
        )

    def __enter__(self) -> Self:
        for topic in (self._topics.config, *self._data):
            self._broker.create_topic(topic)
        self._broker.create_topic(self._topics.status, message_timestamp_type="LogAppendTime")
        self._statuses = Follower(self._broker.address, self._topics.status)
        self.process.__enter__()
        try:
            streams = [stream(name, topic, self._protocol) for name in self._pvs for topic in self._data]
            self.process.order(UpdateType.ADD, streams)
            self.told_when(
                lambda told: told.statistics["pvs"] == {"connected": len(self._pvs)}, "all PVs are connected"
            )
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self._base_bytes = self._memory("VmRSS")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._statuses.close()
        self.process.__exit__(kind, error, traceback)

    def told(self) -> list[Told]:
        """All statuses, oldest first."""
        records = self._statuses.read(deadline_s=_WITHIN_S)
        messages = ((record, deserialise_x5f2(record.value)) for record in records if record.value is not None)
        return [Told(record.timestamp_ms / 1000, json.loads(message.status_json)) for record, message in messages]

    def told_when(self, predicate: Callable[[Told], bool], what: str, within_s: float = _WITHIN_S) -> Told:
        """The newest status, as soon as it is as wanted."""

        def newest() -> Told | None:
            told = self.told()[-1]
            return told if predicate(told) else None

        told = wait_until(newest, within_s, what=what)
        assert told is not None
        return told

    def carries(self, seconds: float) -> Carried:
        """Watch it for so long."""
        count = len(self.told())
        # Not a guess: the rate is that of this time.
        time.sleep(seconds)
        wait_until(lambda: len(self.told()) > count, _WITHIN_S, what="a new status is there")
        seen = self.told()[count - 1 :]
        first, last = seen[0].statistics, seen[-1].statistics
        lasted_s = last["uptime_s"] - first["uptime_s"]
        return Carried(
            (last["updates_received"] - first["updates_received"]) / lasted_s,
            (last["messages_acknowledged"] - first["messages_acknowledged"]) / lasted_s,
        )

    def obeys_in_time(self, within_s: float = OBEYS_WITHIN_S) -> None:
        """REMOVEALL: a status without streams is there in time, and none was late until then."""
        before = self.told()
        ordered_s = time.time()
        self.process.order(UpdateType.REMOVEALL)
        self.told_when(lambda told: not told.facts["streams"], "the streams are removed")
        first = next(each for each in self.told()[len(before) - 1 :] if not each.facts["streams"])
        took_s = first.at_s - ordered_s
        assert took_s <= within_s, f"the streams are gone {took_s:.2f} s after the command"

    def tells_in_time(self, since_s: float, within_s: float = 2 * STATUS_S) -> None:
        """Statuses came in time since a moment, in seconds since 1970."""
        times = [told.at_s for told in self.told() if told.at_s >= since_s]
        longest = max(later - earlier for earlier, later in pairwise(times))
        assert longest <= within_s, f"no status for {longest:.2f} s"

    def stays_in_memory(self) -> None:
        """At most as much so far as when all went well, and as many waiting messages as it may hold."""
        highest = self._memory("VmHWM")
        assert highest <= self._base_bytes + self._max_waiting_bytes + MARGIN_BYTES

    def ends_well(self) -> Mapping[str, Any]:
        """Let it send what waits, and stop it; its last counts. What is in Kafka is what it says."""
        self.told_when(lambda told: not told.statistics["messages_waiting"], "nothing waits")
        assert self.process.stop() == 0
        last = self.told()[-1].facts
        assert last["state"] == "stopped"
        counted = last["statistics"]
        check_the_equation(counted)
        # Beside its values, each stream has told once that its PV is connected.
        assert counted["messages_appended"] == STREAMS * (counted["updates_received"] + len(self._pvs))
        assert counted["messages_waiting"] == counted["messages_restored"] == counted["values_introduced"] == 0
        verdicts = [judge(values_of(read(self._broker.address, topic))) for topic in self._data]
        assert sum(verdict.values for verdict in verdicts) == counted["messages_by_schema"]["f142"]
        assert not any(verdict.duplicated or verdict.backwards for verdict in verdicts)
        assert "Traceback" not in self.process.log
        return counted

    def _memory(self, name: str) -> int:
        """In bytes, by its name in /proc/PID/status."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (kibibytes,) = re.findall(rf"{name}:\s+(\d+) kB", status)
        return int(kibibytes) * 1024
