"""A forwarder between counting PVs and Kafka, and what has become of the counts after something was broken."""

import ast
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol as Over
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType

from tests.faults.judge import Values, Verdict, judge, values_of
from tests.faults.table import Row, rows
from tests.faults.topic import Log, Tail, read
from tests.integration.service.rig import stream
from tests.support.consume import Record, consume
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.ioc import EpicsIoc
from tests.support.waiting import wait_until

FAULT_S = float(os.environ.get("FAULT_SECONDS") or 3)
"""How long a fault lasts."""
NORMAL_S = min(FAULT_S / 6, 3.0)
"""How long nothing is broken before it and after it."""
TIMEOUT_S = 150 + 4 * FAULT_S
PVS = 500
SCAN_S = 0.1
FRESH_S = 1.0
"""All is well again when Kafka has a value of each PV that is no older."""
SILENCE_S = 1.0
"""After so long an IOC is asked for an echo where a test says so; it is given up 5 s later, at the next look."""
LOST_AFTER_S = SILENCE_S + 5 + 2
RECOVERED_WITHIN_S = 20.0
"""Kafka is looked for every 5 s at the latest, and what came during the fault has to be sent then."""
_PATIENCE_S = 60.0
_STOPPED = re.compile(r" stopped: (\{.*\})$", re.MULTILINE)

FULL = bool(os.environ.get("FAULT_SECONDS"))
"""Whether there is time for each transport on its own: else half of the PVs come over each."""
TRANSPORTS = ("CA", "PVA") if FULL else ("both",)

NAMES = [f"COUNT:{number:04}" for number in range(PVS)]
DATABASE = "\n".join(f'record(calc, "{name}") {{ field(SCAN, ".1 second") field(CALC, "VAL+1") }}' for name in NAMES)


class Kafka(Protocol):
    """A broker, or several."""

    @property
    def address(self) -> str: ...
    def create_topic(self, name: str, partitions: int = 1, /) -> None: ...


_OVER = {"PVA": "pvAccess", "both": "half of it pvAccess"}


def lasting(seconds: float = FAULT_S) -> float:
    """Let a fault last; how long it did."""
    # Not a guess: for so long it is broken.
    time.sleep(seconds)
    return seconds


class Chain:
    """From an IOC through a forwarder, with all values, to one topic."""

    def __init__(
        self,
        kafka: Kafka,
        ioc: EpicsIoc,
        unique: Callable[[str], str],
        *,
        transport: str = "CA",
        partitions: int = 1,
        flags: Sequence[str] = (),
        within: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`transport` is one of `TRANSPORTS`, or CA."""
        over_ca = {"CA": PVS, "PVA": 0, "both": PVS // 2}[transport]
        self.over_ca, self.over_pva = over_ca, PVS - over_ca
        """PVs."""
        self._transport = transport
        self.kafka = kafka
        self.ioc = ioc
        self.topic = unique("data")
        self._partitions = partitions
        self.lasted_s = 0.0
        self.recovered_s = 0.0
        self._topics = Topics(unique("config"), unique("status"), unique("storage"))
        self._highest_bytes = 0
        self._ended: list[Mapping[str, Any]] = []
        """Counts of the processes before the last one, as far as they could tell them."""
        request_timeout_ms = int(min(30_000, max(1_000, FAULT_S * 500)))
        self.process = ForwarderProcess(
            kafka.address,
            self._topics,
            service_id=unique("service"),
            ca_addresses=[ioc.ca_address],
            pva_addresses=[ioc.pva_address],
            # Shorter than the fault, which the default is too when the fault lasts for a minute.
            flags=[
                *("--request-timeout", str(request_timeout_ms)),
                *("--ca-repeater-port", str(ioc.beacon_port)),
                *flags,
            ],
            environment=environment,
            within=within,
        )

    def __enter__(self) -> Self:
        for topic in (self._topics.config, self._topics.status, self._topics.storage):
            assert topic is not None
            self.kafka.create_topic(topic)
        self.kafka.create_topic(self.topic, self._partitions)
        self.process.__enter__()
        try:
            over_ca = [stream(name, self.topic) for name in NAMES[: self.over_ca]]
            over_pva = [stream(name, self.topic, Over.PVA) for name in NAMES[self.over_ca :]]
            self.process.order(UpdateType.ADD, over_ca + over_pva)
            self.wait_until_fresh()
        except BaseException:
            self.process.__exit__(None, None, None)
            raise
        lasting(NORMAL_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.__exit__(kind, error, traceback)

    def wait_until_fresh(self) -> None:
        """Returns when Kafka has new values of every PV."""
        tail = Tail(self.kafka.address, self.topic, 3 * PVS)
        try:
            wait_until(lambda: _is_fresh(tail), _PATIENCE_S, what="Kafka has a new value of every PV")
        finally:
            tail.close()

    def over(self, lasted_s: float, within_s: float = RECOVERED_WITHIN_S) -> None:
        """The fault that lasted so long is over just now: wait until all is as before, which has to be in time."""
        began = time.monotonic()
        self.lasted_s = lasted_s
        self.wait_until_fresh()
        self.recovered_s = time.monotonic() - began
        assert self.recovered_s <= within_s
        lasting(NORMAL_S)

    @property
    def in_trouble(self) -> Mapping[str, str]:
        """Topics that can't be sent to, and why, as the newest status tells."""
        return self.process.statuses()[-1]["statistics"]["topics_in_trouble"]

    def has_anything(self) -> bool:
        """Whether there is any message in the topic."""
        tail = Tail(self.kafka.address, self.topic, 1)
        try:
            return bool(tail.newest())
        finally:
            tail.close()

    def kill(self) -> int:
        """End the process without any warning; the time when it was done, which nothing it did is later than."""
        self.note_memory()
        self.process.kill()
        return time.time_ns()

    def note_memory(self) -> None:
        """Take down the highest memory of the process that runs now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (kibibytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
        self._highest_bytes = max(self._highest_bytes, int(kibibytes) * 1024)

    def stop(self) -> Mapping[str, Any]:
        """Stop the process; what it has counted, by its log, as Kafka may be away."""
        self.note_memory()
        assert self.process.stop() == 0, "whatever it had was sent, or was kept"
        (counts,) = _STOPPED.findall(self.process.log)
        counted = ast.literal_eval(counts)
        check_the_equation(counted)
        self._ended.append(counted)
        return counted

    def finish(self) -> Mapping[str, Any]:
        """Stop the process; the counts of its last status in Kafka, in which nothing waits any more."""
        self.stop()
        status = self.process.statuses()[-1]
        assert status["state"] == "stopped"
        counted = status["statistics"]
        check_the_equation(counted)
        assert counted["messages_waiting"] == 0
        assert "Traceback" not in self.process.log
        return counted

    @property
    def counted(self) -> Mapping[str, Any]:
        """The counts of the process that was stopped last."""
        return self._ended[-1]

    @property
    def received(self) -> int:
        """Updates, all processes together that were stopped."""
        return sum(counted["updates_received"] for counted in self._ended)

    @property
    def acknowledged(self) -> int:
        """Values, all processes together that were stopped."""
        return sum(counted["messages_by_schema"].get("f142", 0) for counted in self._ended)

    def read(self) -> Log:
        return read(self.kafka.address, self.topic)

    def statuses(self) -> list[Record]:
        """The status messages of all processes."""
        return consume(self.kafka.address, self._topics.status)

    def values(self) -> Values:
        return values_of(self.read())

    def report(
        self,
        fault: str,
        missing: int,
        duplicated: int,
        *,
        received: int | None = None,
        acknowledged: int | None = None,
    ) -> None:
        """Put what has come of it into the table; two counts only where a process could not tell them."""
        rows.append(
            Row(
                fault if self._transport == "CA" else f"{fault}, {_OVER[self._transport]}",
                self.lasted_s,
                self.received if received is None else received,
                self.acknowledged if acknowledged is None else acknowledged,
                missing,
                duplicated,
                self.recovered_s,
                self._highest_bytes,
            )
        )

    def nothing_is_lost(self, fault: str) -> Verdict:
        """End it, and judge: every value that was received is in Kafka, once and in order."""
        counted = self.finish()
        verdict = judge(self.values())
        self.report(fault, verdict.missing, verdict.duplicated)
        assert verdict.pvs == PVS
        assert (verdict.missing, verdict.duplicated, verdict.backwards) == (0, 0, 0)
        assert counted["messages_dropped"] == 0
        assert verdict.values == self.received == self.acknowledged
        return verdict


def check_the_equation(counted: Mapping[str, Any]) -> None:
    """Received = acknowledged + waiting + dropped, in messages."""
    came = counted["messages_appended"] + counted["messages_restored"]
    acknowledged = counted["messages_acknowledged"]
    assert came == acknowledged + counted["messages_waiting"] + counted["messages_dropped"]
    assert acknowledged == sum(counted["messages_by_schema"].values())
    assert counted["messages_dropped"] == sum(counted["dropped_by_reason"].values())


def _is_fresh(tail: Tail) -> bool:
    newest = tail.newest()
    now_ns = time.time_ns()
    # A clock may have been set: what comes from the future is not new either.
    return len(newest) == PVS and all(abs(now_ns - each) < FRESH_S * 1e9 for each in newest.values())
