"""From configuration messages to subscriptions, without EPICS or Kafka."""

from typing import Any

from streaming_data_types.fbschemas.forwarder_config_update_fc00.Protocol import Protocol
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import StreamInfo, serialise_fc00

from forwarder.control import Control
from forwarder.errors import BadStream
from forwarder.model import Stream, Transport
from forwarder.outbox import Outbox
from forwarder.pipeline import Pipeline
from forwarder.repeats import Repeats
from forwarder.route import Clocks, Route
from forwarder.settings.types import CommandSettings


class Subscriptions:
    """Remembers what was asked for."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def subscribe(self, listener: Route) -> None:
        self.calls.append(f"+{listener.channel}")

    def describe(self, listener: Route) -> None:
        self.calls.append(f"?{listener.channel}")

    def unsubscribe(self, listener: Route) -> None:
        self.calls.append(f"-{listener.channel}")


def label(broker: str) -> str:
    if broker not in ("", "main:1", "other:1"):
        raise BadStream(f"the output broker {broker} is not allowed")
    return "" if broker == "main:1" else broker


class Bench:
    def __init__(self, **settings: Any) -> None:
        self.ca = Subscriptions()
        self.pipeline = Pipeline(Outbox(10**9), Repeats(0.0), Clocks(lambda: 0, lambda: 0.0), "service-1")
        self.left = False
        self.changes = 0
        self.control = Control(
            self.pipeline,
            {Transport.CA: self.ca},
            label,
            changed=self._changed,
            leave=lambda: setattr(self, "left", True),
            settings=CommandSettings(**settings),
            own_topics=[("", "config")],
            wall_ns=lambda: 1000 + self.changes,
        )

    def _changed(self) -> None:
        self.changes += 1

    def send(self, message: bytes) -> list[str]:
        """What a message made the client do."""
        self.ca.calls.clear()
        self.control.receive(message, "here")
        return self.ca.calls.copy()

    def change(
        self, update: int, *streams: tuple[str, str], protocol: int = Protocol.CA, schema: str = "f142"
    ) -> list[str]:
        infos = [StreamInfo(channel, schema, topic, protocol, 0) for channel, topic in streams]
        return self.send(serialise_fc00(update, infos))


def test_one_subscription_serves_all_streams_of_a_pv() -> None:
    bench = Bench()
    assert bench.change(UpdateType.ADD, ("A", "t1")) == ["+A"]
    assert bench.change(UpdateType.ADD, ("A", "t1")) == []
    assert bench.change(UpdateType.ADD, ("A", "t2")) == []
    assert bench.change(UpdateType.REMOVE, ("A", "t1")) == []
    assert bench.change(UpdateType.REMOVE, ("A", "")) == ["-A"]


def test_a_client_is_asked_for_units_when_a_later_stream_wants_them() -> None:
    bench = Bench()
    assert bench.change(UpdateType.ADD, ("A", "t1")) == ["+A"]
    assert bench.change(UpdateType.ADD, ("A", "t2"), schema="f144") == ["?A"]


def test_a_replace_touches_only_what_differs() -> None:
    bench = Bench()
    bench.change(UpdateType.ADD, ("A", "t"), ("B", "t"))
    assert bench.change(UpdateType.REPLACE, ("B", "t"), ("C", "t")) == ["-A", "+C"]
    assert {stream.channel for stream in bench.control.table} == {"B", "C"}
    assert sorted(bench.change(UpdateType.REMOVEALL)) == ["-B", "-C"]


def test_wildcards_remove_what_they_match() -> None:
    bench = Bench()
    bench.change(UpdateType.ADD, ("IN:A:1", "t"), ("IN:A:2", "t"), ("IN:B:1", "t"))
    assert sorted(bench.change(UpdateType.REMOVE, ("IN:A:?", ""))) == ["-IN:A:1", "-IN:A:2"]


def test_what_cannot_be_served_is_counted_and_the_rest_of_the_message_is_obeyed() -> None:
    bench = Bench()
    assert bench.change(UpdateType.ADD, ("A", "evil:1/t"), ("B", "other:1/t"), ("C", "t")) in (
        ["+B", "+C"],
        ["+C", "+B"],
    )
    assert bench.change(UpdateType.ADD, ("D", "t"), schema="f999") == []
    assert bench.change(UpdateType.ADD, ("D", "t"), protocol=Protocol.PVA) == []
    assert bench.control.counts.refused_streams == 3
    assert "D: the transport PVA is not served" in bench.control.counts.last_refusal
    assert {stream.channel for stream in bench.control.table} == {"B", "C"}


def test_a_broker_of_the_default_cluster_means_the_default_cluster() -> None:
    bench = Bench()
    assert bench.change(UpdateType.ADD, ("A", "main:1/t")) == ["+A"]
    assert bench.change(UpdateType.ADD, ("A", "t")) == []
    assert bench.change(UpdateType.REMOVE, ("", "evil:1/t")) == []
    assert bench.change(UpdateType.REMOVE, ("", "main:1/t")) == ["-A"]


def test_bad_messages_are_counted_with_their_reason_and_change_nothing() -> None:
    bench = Bench()
    bench.change(UpdateType.ADD, ("A", "t"))
    whole = serialise_fc00(UpdateType.REPLACE, [StreamInfo("B", "f142", "t", Protocol.CA, 0)])
    for message in (b"", b"junk", whole[:-8], b'{"cmd":"dance"}'):
        assert bench.send(message) == []
    counts = bench.control.counts
    assert (counts.obeyed, counts.refused) == ({"fc00": 1}, {"unknown": 2, "fc00": 1, "json": 1})
    assert counts.last_refusal.startswith("here: ")
    assert bench.changes == 5


def test_exit_says_so_and_nothing_else() -> None:
    bench = Bench(obey_exit=True)
    bench.change(UpdateType.ADD, ("A", "t"))
    assert bench.send(b'{"cmd":"exit"}') == []
    assert bench.left
    assert len(bench.control.table) == 1


def test_exit_is_refused_unless_a_setting_allows_it() -> None:
    bench = Bench()
    assert bench.send(b'{"cmd":"exit"}') == []
    assert not bench.left
    assert "exit is not obeyed" in bench.control.counts.last_refusal
    assert bench.control.counts.refused.total() == 1


def test_streams_beyond_the_limit_are_refused_and_those_there_are_stay() -> None:
    bench = Bench(max_streams=3)
    assert sorted(bench.change(UpdateType.ADD, ("A", "t"), ("B", "t"))) == ["+A", "+B"]
    (opened,) = bench.change(UpdateType.ADD, ("A", "t"), ("C", "t"), ("D", "t"))
    (refused,) = {"+C", "+D"} - {opened}
    assert f"{refused[1]}: there are 3 streams, which is the limit" in bench.control.counts.last_refusal
    others = [("E", "t"), ("F", "t"), ("A", "t")]
    assert {"+E", "+F", "-B", f"-{opened[1]}"} == set(bench.change(UpdateType.REPLACE, *others))
    assert bench.change(UpdateType.REPLACE, *((name, "t") for name in "ABCD")) == []
    assert "at most 3" in bench.control.counts.last_refusal


def test_no_stream_goes_to_a_topic_of_the_service_itself() -> None:
    bench = Bench()
    assert bench.change(UpdateType.ADD, ("A", "config"), ("B", "main:1/config"), ("C", "other:1/config")) == ["+C"]
    assert bench.control.counts.refused_streams == 2


def test_a_longer_name_or_message_than_allowed_is_refused_whole() -> None:
    bench = Bench(max_name_length=5, max_message_bytes=500)
    assert bench.change(UpdateType.ADD, ("ABCDE", "t"), ("ABCDEF", "t")) == []
    assert "6 characters, where at most 5 are allowed" in bench.control.counts.last_refusal
    assert bench.change(UpdateType.ADD, *((f"PV{i}", "t") for i in range(50))) == []
    assert "where at most 500 are allowed" in bench.control.counts.last_refusal


def test_restored_streams_that_are_not_allowed_now_are_kept_until_they_are_removed() -> None:
    bench = Bench(topics=("t",))
    allowed = Stream("A", Transport.CA, "f142", "t")
    others = tuple(Stream(name, Transport.CA, "f142", "elsewhere") for name in "BC")
    elsewhere = Stream("D", Transport.CA, "f142", "t", broker="gone:9092")
    bench.control.restore((allowed, *others, elsewhere), "the stored state")
    assert list(bench.control.table) == [allowed]
    assert set(bench.control.unserved) == {*others, elsewhere}
    bench.change(UpdateType.REMOVE, ("B", ""))
    assert {stream.channel for stream in bench.control.unserved} == {"C", "D"}
    bench.change(UpdateType.ADD, ("E", "t"))
    assert len(bench.control.unserved) == 2
    bench.change(UpdateType.REPLACE, ("E", "t"))
    assert len(bench.control.unserved) == 0


def test_the_last_commands_are_remembered_with_what_came_of_them() -> None:
    bench = Bench(topics=("t",))
    bench.control.restore((Stream("A", Transport.CA, "f142", "t"),), "the stored state")
    bench.change(UpdateType.REPLACE, ("B", "t"), ("C", "t"), ("D", "elsewhere"))
    bench.send(b"junk")
    restored, replaced, junk = bench.control.recent
    assert (restored.place, restored.dialect, restored.command, restored.opened) == ("the stored state", "", "Add", 1)
    assert (replaced.dialect, replaced.command, replaced.refused) == ("fc00", "Replace", "")
    assert (replaced.opened, replaced.closed, replaced.refused_streams) == (2, 1, 1)
    assert "elsewhere" in replaced.stream_refusal
    assert (junk.dialect, junk.command, junk.place, junk.time_ns) == ("unknown", "", "here", 1001)
    assert junk.refused
    for _ in range(100):
        bench.send(b"more junk")
    assert len(bench.control.recent) == 50
