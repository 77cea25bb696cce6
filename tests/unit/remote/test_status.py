"""What the status messages of each kind of forwarder say, and what they say of a command."""

import json
from dataclasses import replace
from typing import Any

import pytest

from forwarder.encode import x5f2
from forwarder.kafka.topic_reader import Record
from forwarder.model import Add, Command, Pattern, Remove, RemoveAll, Replace, Stream, Transport
from forwarder.observe.status import StreamList
from forwarder.remote.status import Status, newest, read
from forwarder.remote.verdict import Outcome, Sent, judge, preview

SENDER = x5f2.Sender("forwarder", "1.2", "fwd", "host", 42, 4000)
A, B, C = (Stream(name, Transport.CA, "f144", "T") for name in "ABC")
T_MS = 1_700_000_000_000


def record(value: bytes | None, time_ms: int = T_MS) -> Record:
    return Record("status", 0, 0, time_ms, None, value)


def said(streams: list[Stream], state: str = "running", **facts: Any) -> Status:
    shown = StreamList()
    shown.set(streams)
    status = read(record(x5f2.encode(SENDER, shown.status(state, facts))))
    assert status is not None
    return status


def test_our_own() -> None:
    config = {
        "topics": {"b:1/config": "reading"},
        "obeyed": {"fc00": 2, "json": 1},
        "refused": {"rf5k": 4},
        "streams_refused": 5,
        "last_refusal": "command at config[0]@3: why",
    }
    other = Stream("P", Transport.PVA, "f142", "U", "h:9")
    status = said([A, other], config=config, statistics={"uptime_s": 1})
    assert (status.service_id, status.software, status.host, status.process_id) == ("fwd", "forwarder 1.2", "host", 42)
    assert (status.streams, status.streams_count, status.knows_transports) == ((A, other), 2, True)
    assert (status.obeyed, status.refused, status.streams_refused) == (3, 4, 5)
    assert status.config_topics == {"b:1/config": "reading"}
    assert status.facts["statistics"] == {"uptime_s": 1}


def test_a_list_that_is_too_long() -> None:
    status = said([Stream(f"PV{number}" + "x" * 500, Transport.CA, "f144", "T") for number in range(2000)])
    assert (status.streams, status.streams_count) == (None, 2000)


def test_the_ess_forwarders() -> None:
    streams = [{"channel_name": "A", "protocol": "ca", "output_topic": "T", "schema": "f144"}]
    status = read(record(x5f2.encode(SENDER, json.dumps({"streams": streams}))))
    assert status is not None
    assert (status.state, status.streams, status.obeyed, status.config_topics) == ("running", (A,), None, None)


def test_the_cpp_forwarders() -> None:
    converters = [
        {"schema": "f142", "broker": "h:9092", "topic": "T"},
        {"schema": "TdcTime", "broker": "", "topic": "U"},
    ]
    streams = [{"channel_name": "A", "epics_connection_status": "connected", "queue_size": 0, "converters": converters}]
    status = read(record(json.dumps({"service_id": "old", "streams": streams}).encode()))
    assert status is not None
    assert status.service_id == "old"
    assert not status.knows_transports
    assert status.streams is not None
    assert [(s.channel, s.schema, s.topic, s.broker) for s in status.streams] == [
        ("A", "f142", "T", "h:9092"),
        ("A", "tdct", "U", ""),
    ]


@pytest.mark.parametrize(
    "message",
    [
        None,
        b"",
        b"{",
        b'{"cmd": "stop_all"}',
        b'{"streams": [1]}',
        b'{"streams": [{"channel_name": "A", "output_topic": "a/b/c", "schema": "x"}]}',
        x5f2.encode(SENDER, "no JSON"),
        x5f2.encode(SENDER, "[]"),
        x5f2.encode(SENDER, "[" * 100_000),
        x5f2.encode(SENDER, "{}")[:40],
    ],
)
def test_what_is_no_status(message: bytes | None) -> None:
    assert read(record(message)) is None


@pytest.mark.parametrize(
    "odd",
    [
        {"state": ["running"]},
        {"streams": [{"channel_name": {}, "protocol": "ca", "output_topic": "T", "schema": "f144"}]},
        {"streams": [{"channel_name": "A", "protocol": "ca", "output_topic": "T", "schema": []}]},
        {"streams": [{"channel_name": "A", "converters": [{"schema": "f142", "topic": 1, "broker": "b:1"}]}]},
        {"streams_count": "many"},
        {"config": {"topics": [1]}},
        {"config": {"topics": True}},
        {"config": {"obeyed": {"fc00": "3"}}},
        {"config": {"streams_refused": None}},
        {"config": {"last_refusal": 7}},
    ],
)
def test_what_only_looks_like_a_status(odd: dict[str, Any]) -> None:
    """Nobody who reads it is to stumble over it later."""
    told = json.dumps({"service_id": "s", "streams": [], **odd})
    assert read(record(told.encode())) is None
    assert read(record(x5f2.encode(SENDER, told))) is None


def test_the_newest_of_each_service() -> None:
    first = replace(said([A]), time_ms=1)
    later = replace(said([B]), time_ms=2)
    other = replace(said([]), service_id="other", time_ms=0)
    assert newest([later, first, other]) == {"fwd": later, "other": other}


def test_who_is_alive() -> None:
    status = said([])
    assert status.is_alive(T_MS + 10_000)
    assert not status.is_alive(T_MS + 60_000)
    assert not replace(status, state="stopped").is_alive(T_MS)


SENT = Sent(Add((A, B)), "config", 0, 7)
BEFORE = replace(said([A]), obeyed=3, refused=1, last_refusal="command at config[0]@2: old")
PLACE = "command at config[0]@7"

JUDGED: dict[str, tuple[Command, Status | None, Status, Outcome]] = {
    "nothing yet": (Add((A, B)), BEFORE, BEFORE, Outcome.PENDING),
    "done": (Add((A, B)), BEFORE, replace(BEFORE, obeyed=4, streams=(A, B)), Outcome.DONE),
    "obeyed something else": (Add((A, B)), BEFORE, replace(BEFORE, obeyed=4), Outcome.PENDING),
    "was so before": (Add((A,)), BEFORE, BEFORE, Outcome.PENDING),
    "was so before, and is obeyed": (Add((A,)), BEFORE, replace(BEFORE, obeyed=4), Outcome.DONE),
    "replaced": (Replace((B,)), BEFORE, replace(BEFORE, obeyed=4, streams=(B,)), Outcome.DONE),
    "replaced by more": (Replace((B,)), BEFORE, replace(BEFORE, obeyed=4, streams=(A, B)), Outcome.PENDING),
    "removed": (Remove((Pattern("A*"),)), BEFORE, replace(BEFORE, obeyed=4, streams=(B,)), Outcome.DONE),
    "not removed": (Remove((Pattern("A*"),)), BEFORE, replace(BEFORE, obeyed=4), Outcome.PENDING),
    "cleared": (RemoveAll(), BEFORE, replace(BEFORE, obeyed=4, streams=()), Outcome.DONE),
    "not cleared": (RemoveAll(), BEFORE, replace(BEFORE, obeyed=4), Outcome.PENDING),
    "another cluster's name": (
        Add((replace(A, broker="h:1"),)), BEFORE, replace(BEFORE, obeyed=4), Outcome.DONE
    ),
    "another transport": (
        Add((replace(A, transport=Transport.PVA),)), BEFORE, replace(BEFORE, obeyed=4), Outcome.PENDING
    ),
    "transports that are not said": (
        Add((replace(A, transport=Transport.PVA),)), BEFORE,
        replace(BEFORE, obeyed=4, knows_transports=False), Outcome.DONE,
    ),
    "refused": (Add((A, B)), BEFORE, replace(BEFORE, refused=2, last_refusal=f"{PLACE}: bad"), Outcome.REFUSED),
    "refused in part": (
        Add((A, B)), BEFORE, replace(BEFORE, obeyed=4, streams_refused=1, last_refusal=f"{PLACE}: bad"), Outcome.PARTLY
    ),
    "refused long ago": (Add((A, B)), BEFORE, replace(BEFORE, refused=2), Outcome.PENDING),
    "a longer offset": (
        Add((A, B)), BEFORE, replace(BEFORE, refused=2, last_refusal="command at config[0]@71: bad"), Outcome.PENDING
    ),
    "stopped": (Add((A, B)), BEFORE, replace(BEFORE, obeyed=4, streams=(A, B), state="stopped"), Outcome.PENDING),
    "started anew": (
        Add((A, B)), BEFORE, replace(BEFORE, process_id=43, obeyed=1, streams=(A, B)), Outcome.DONE
    ),
    "started anew, not yet": (Add((A,)), BEFORE, replace(BEFORE, process_id=43, obeyed=0), Outcome.PENDING),
    "never heard before": (Add((A, B)), None, replace(BEFORE, obeyed=1, streams=(A, B)), Outcome.DONE),
    "a list left out": (Add((A, B)), BEFORE, replace(BEFORE, obeyed=4, streams=None), Outcome.DONE),
    "a list left out, not yet": (Add((A, B)), BEFORE, replace(BEFORE, streams=None), Outcome.PENDING),
    "one that does not count": (Add((A,)), None, replace(BEFORE, obeyed=None), Outcome.DONE),
}  # fmt: skip


@pytest.mark.parametrize(("command", "before", "now", "outcome"), JUDGED.values(), ids=JUDGED)
def test_what_a_status_says_of_a_command(
    command: Command, before: Status | None, now: Status, outcome: Outcome
) -> None:
    verdict = judge(replace(SENT, command=command), before, now)
    assert verdict.outcome is outcome
    assert verdict.reason == ("bad" if outcome in (Outcome.REFUSED, Outcome.PARTLY) else "")


def test_what_a_command_would_change() -> None:
    assert preview([A, B], Replace((B, C))) == ([C], [A])
    assert preview([A, B], Remove((Pattern("?"),))) == ([], [A, B])
