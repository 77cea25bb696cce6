"""What is wanted on an instrument is in force in the forwarder within two seconds, and nothing else is touched."""

import json
import logging
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from functools import partial

import pytest
from confluent_kafka import Producer
from streaming_data_types.fbschemas.forwarder_config_update_fc00.UpdateType import UpdateType
from streaming_data_types.forwarder_config_update_fc00 import Protocol, StreamInfo

from forwarder.blocks.names import MOST_BYTES
from forwarder.blocks.wanted import RUN_LOG
from tests.integration.blocks.rig import IN_FORCE_WITHIN_S, REPAIRED_WITHIN_S, Site, blocks, missed
from tests.support.block_server import BlockServer, packed
from tests.support.blocks_process import BlocksProcess
from tests.support.consume import Follower, consume
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

log = logging.getLogger(__name__)

X, Y = "IN:X:", "IN:Y:"
KEPT = f"{X}CS:SB:KEPT"


@pytest.mark.alone
def test_a_change_is_in_force_in_time_and_an_unchanged_block_misses_nothing(
    site: Site, kafka_broker: Broker, topic: str
) -> None:
    instrument = topic.removesuffix("_sampleEnv")
    with (
        BlockServer(X, ["KEPT", "OLD"]) as server,
        site.companion(server, X, instrument) as companion,
        closing(Follower(kafka_broker.address, topic)) as follower,
    ):
        site.wait_for(topic, blocks(X, "KEPT", "OLD"))
        wait_until(lambda: any(each.key == KEPT.encode() for each in follower.read()))
        for names in (["NEW", "KEPT"], ["OTHER", "OLD", "KEPT"], ["KEPT"], ["NEW", "KEPT", "OTHER"]):
            before, first = len(follower.read()), f"{X}CS:SB:{names[0]}".encode()
            began = time.monotonic()
            server.says(names)
            came = partial(_came, follower, first, before)
            wait_until(came, IN_FORCE_WITHIN_S, what=f"a value of {names[0]}")
            log.info("%s: in Kafka after %.2f s", names, time.monotonic() - began)
            site.wait_for(topic, blocks(X, *names), IN_FORCE_WITHIN_S)
        wait_until(lambda: _came(follower, KEPT.encode(), len(follower.records)))
        values = site.values(topic, KEPT)
        assert len(values) > 5
        assert not missed(values)
        assert companion.is_ready
        assert companion.metrics.total("blocks_missing_streams") == 0
        assert companion.metrics.total("blocks_changes_total", source="blocks") == 5


def _came(follower: Follower, key: bytes, since: int) -> bool:
    return any(each.key == key for each in follower.read()[since:])


def test_changes_that_were_missed_and_streams_that_are_lost_are_mended(
    kafka_broker: Broker, unique: Callable[[str], str], ioc: EpicsIoc, topic: str
) -> None:
    site = Site(kafka_broker, unique, [ioc.ca_address], stores=False)
    companion_flags = ("--no-archive",)
    with site.forwarder, BlockServer(X, ["KEPT", "OLD"]) as server:
        instrument = topic.removesuffix("_sampleEnv")
        run_log = f"{instrument}_runLog"
        kafka_broker.create_topic(run_log)
        with site.companion(server, X, instrument, *companion_flags) as companion:
            site.wait_for(topic, blocks(X, "KEPT", "OLD"))
            companion.kill()
            server.says(["KEPT", "NEW"])
            companion.start()
            site.wait_for(topic, blocks(X, "KEPT", "NEW"))
            assert not missed(site.values(topic, KEPT))
            site.wait_for(run_log, {f"{X}DAE:{name}" for name in RUN_LOG})
            # Without its storage topic, it begins with nothing.
            site.forwarder.kill()
            site.forwarder.start()
            site.wait_for(topic, blocks(X, "KEPT", "NEW"))
            # A file that is gone: what only this instrument's process can have announced is still its own.
            companion.stop()
            companion.state_file.unlink()
            server.says(["KEPT"])
            companion.start()
            site.wait_for(topic, blocks(X, "KEPT"))


def test_a_removal_that_was_not_sent_before_a_restart_is_asked_for_again_first(
    site: Site, kafka_broker: Broker, topic: str
) -> None:
    """The block was gone for a moment, and is back: it misses nothing."""
    with (
        BlockServer(X, ["KEPT"]) as server,
        site.companion(server, X, topic.removesuffix("_sampleEnv")) as companion,
    ):
        site.wait_for(topic, blocks(X, "KEPT"))
        wait_until(lambda: companion.metrics.total("blocks_served_streams") == 1)
        companion.stop()
        remembered = json.loads(companion.state_file.read_text())
        remembered["said"]["blocks"] = []
        companion.state_file.write_text(json.dumps(remembered))
        commands = len(consume(kafka_broker.address, site.config_topic))
        companion.start()
        wait_until(lambda: companion.is_ready)
        server.says(["KEPT", "NEW"])
        site.wait_for(topic, blocks(X, "KEPT", "NEW"))
        assert len(consume(kafka_broker.address, site.config_topic)) == commands + 1
        assert not missed(site.values(topic, KEPT))


def test_two_instruments_and_a_person_share_a_forwarder(site: Site, kafka_broker: Broker, topic: str) -> None:
    others = topic.replace("X", "Y", 1)
    kafka_broker.create_topic(others)
    x, y = (each.removesuffix("_sampleEnv") for each in (topic, others))
    by_hand = StreamInfo("IN:X:MOT:MTR1", "f142", topic, Protocol.Protocol.CA, 0)
    motor = {"IN:X:MOT:MTR1"}
    quiet = ("--no-archive", "--no-run-log")
    with (
        BlockServer(X, ["KEPT", "OLD"]) as server_x,
        BlockServer(Y, ["KEPT", "OLD"]) as server_y,
    ):
        site.forwarder.order(UpdateType.ADD, [by_hand])
        with (
            site.companion(server_x, X, x) as companion_x,
            site.companion(server_y, Y, y, *quiet, "--output-broker", kafka_broker.address) as companion_y,
        ):
            site.wait_for(topic, motor | blocks(X, "KEPT", "OLD"))
            site.wait_for(others, blocks(Y, "KEPT", "OLD"))
            server_x.says([])
            site.wait_for(topic, motor)
            companion_y.stop()
            companion_y.state_file.unlink()
            server_y.says(["KEPT"])
            server_x.says(["NEW"])
            companion_y.start()
            site.wait_for(others, blocks(Y, "KEPT"))
            site.wait_for(topic, motor | blocks(X, "NEW"))
            assert companion_x.stop() == 0
            assert not missed(site.values(topic, "IN:X:MOT:MTR1"))
            assert not missed(site.values(others, f"{Y}CS:SB:KEPT"))


def test_a_block_server_that_goes_says_junk_and_comes_back(site: Site, kafka_broker: Broker, topic: str) -> None:
    instrument = topic.removesuffix("_sampleEnv")
    with (
        BlockServer(X, ["KEPT", "OLD"]) as server,
        site.companion(server, X, instrument) as companion,
    ):
        site.wait_for(topic, blocks(X, "KEPT", "OLD"))
        server.kill()
        wait_until(lambda: "is disconnected" in str(companion.checks.get("blocks")))
        server.says_raw(b"no hex at all")
        server.start()
        wait_until(lambda: companion.metrics.total("blocks_bad_values_total", reason="hex") == 1)
        for raw in (b"deadbeef", packed(["A"])[:20], b"00" * 1000):
            server.says_raw(raw)
        wait_until(lambda: companion.metrics.total("blocks_bad_values_total", reason="zlib") == 3)
        assert "zlib is expected" in companion.checks["blocks"]
        server.says_raw(zlib.compress(bytes(2 * MOST_BYTES)).hex().encode())
        wait_until(lambda: companion.metrics.total("blocks_bad_values_total", reason="size") == 1)
        assert site.channels(topic) == blocks(X, "KEPT", "OLD")
        server.says(["KEPT", "NEW"])
        site.wait_for(topic, blocks(X, "KEPT", "NEW"))
        assert not companion.checks
        assert companion.metrics.total("blocks_reconnects_total", source="blocks") == 1
        assert not missed(site.values(topic, KEPT))


def test_what_the_forwarder_refuses_is_told(kafka_broker: Broker, unique: Callable[[str], str], topic: str) -> None:
    site = Site(kafka_broker, unique, flags=["--allowed-topics", "OTHER_*"])
    with (
        site.forwarder,
        BlockServer(X, ["KEPT"]) as server,
        site.companion(server, X, topic.removesuffix("_sampleEnv")) as companion,
    ):
        wait_until(lambda: "is not allowed" in companion.checks.get("forwarder", ""), REPAIRED_WITHIN_S)
        assert f"the topic {topic}" in companion.checks["forwarder"]
        assert companion.metrics.total("blocks_commands_total", kind="add", result="refused") == 1
        assert companion.metrics.total("blocks_missing_streams") == 1
        assert companion.asked("live").status == 200


def test_an_old_forwarder_is_told_in_json(site: Site, kafka_broker: Broker, topic: str) -> None:
    """Nobody tells what it serves, either."""
    instrument = topic.removesuffix("_sampleEnv")
    flags = ("--no-archive", "--no-run-log", "--dialect", "json", "--output-broker", kafka_broker.address)
    with (
        BlockServer(X, ["KEPT", "OLD"]) as server,
        site.companion(server, X, instrument, *flags, told=False),
    ):
        site.wait_for(topic, blocks(X, "KEPT", "OLD"))
        server.says(["KEPT", "NEW"])
        site.wait_for(topic, blocks(X, "KEPT", "NEW"))
        values = [each.value or b"" for each in consume(kafka_broker.address, site.config_topic)]
        (added, removed, added_too) = values[-3:]
        assert added.startswith(b'{"cmd": "add"')
        assert f'"{kafka_broker.address}/{topic}"'.encode() in added
        assert removed == f'{{"cmd": "stop_channel", "channel": "{X}CS:SB:OLD"}}'.encode()
        assert added_too.startswith(b'{"cmd": "add"')
        server.says([])
        site.wait_for(topic, [])
        assert not missed(site.values(topic, KEPT))


def test_what_the_forwarder_in_cpp_says_is_understood(
    kafka_broker: Broker, unique: Callable[[str], str], topic: str
) -> None:
    """It stops whole channels: one that another stream needs goes on, and that is told."""
    config, status = unique("config"), unique("status")
    for name in (config, status):
        kafka_broker.create_topic(name)
    ours = {"schema": "f142", "broker": kafka_broker.address, "topic": topic}
    others = {"schema": "f142", "broker": kafka_broker.address, "topic": "ELSEWHERE"}
    streams = [
        {"channel_name": f"{X}CS:SB:LEFT", "converters": [ours]},
        {"channel_name": f"{X}CS:SB:SHARED", "converters": [ours, others]},
        {"channel_name": f"{X}CS:SB:KEPT", "converters": [ours]},
    ]
    producer = Producer({"bootstrap.servers": kafka_broker.address})
    producer.produce(status, json.dumps({"service_id": "cpp", "streams": streams}).encode())
    assert producer.flush(10) == 0
    with (
        BlockServer(X, ["KEPT", "NEW"]) as server,
        BlocksProcess(
            X,
            topic.removesuffix("_sampleEnv"),
            config=f"{kafka_broker.address}/{config}",
            status=f"{kafka_broker.address}/{status}",
            ca_addresses=[server.ca_address],
            flags=("--no-archive", "--no-run-log", "--dialect", "json"),
        ) as companion,
    ):
        added: dict[str, str | dict[str, str]] = {"channel": f"{X}CS:SB:NEW", "channel_provider_type": "ca"}
        added["converter"] = {"schema": "f142", "topic": topic}
        records = consume(kafka_broker.address, config, 2)
        assert [json.loads(each.value or b"") for each in records] == [
            {"cmd": "stop_channel", "channel": f"{X}CS:SB:LEFT"},
            {"cmd": "add", "streams": [added]},
        ]
        assert companion.checks["forwarder"] == "1 streams can't be removed alone"
        assert companion.metrics.total("blocks_held_back_streams") == 1


def test_ten_thousand_blocks(kafka_broker: Broker, unique: Callable[[str], str], topic: str) -> None:
    """More than a status can list: they are in the storage topic."""
    site = Site(kafka_broker, unique, flags=["--ca-max-search-rate", "1"])
    many = [f"BLOCK_{number:05}" for number in range(10_000)]
    with (
        site.forwarder,
        BlockServer(X, many) as server,
        site.companion(server, X, topic.removesuffix("_sampleEnv")) as companion,
    ):

        def served(count: int) -> bool:
            return companion.metrics.total("blocks_served_streams") == count

        wait_until(lambda: served(10_000), 30)
        assert "streams_omitted" in site.forwarder.statuses()[-1]
        server.says([*many[1:], "MORE"])
        wait_until(lambda: site.forwarder.statuses()[-1]["config"]["obeyed"]["fc00"] == 7, REPAIRED_WITHIN_S)
        wait_until(lambda: served(10_000), REPAIRED_WITHIN_S)
        assert companion.is_ready
