"""Kafka and the database go and come back: what was wanted meanwhile is in force then."""

from collections.abc import Callable

from tests.integration.blocks.rig import REPAIRED_WITHIN_S, Site, blocks
from tests.support.block_server import BlockServer
from tests.support.ioc import EpicsIoc
from tests.support.kafka import Broker
from tests.support.mariadb import PASSWORD, USER, MariaDb
from tests.support.waiting import wait_until

X = "IN:X:"


def test_kafka_goes_and_comes_back(unique: Callable[[str], str], ioc: EpicsIoc) -> None:
    with Broker() as broker:
        broker.create_topic("X_sampleEnv")
        site = Site(broker, unique, [ioc.ca_address])
        with (
            site.forwarder,
            BlockServer(X, ["KEPT", "OLD"]) as server,
            site.companion(server, X, "X") as companion,
        ):
            site.wait_for("X_sampleEnv", blocks(X, "KEPT", "OLD"))
            broker.kill()
            server.says(["KEPT", "NEW"])
            wait_until(lambda: "config" in companion.checks)
            assert companion.asked("live").status == 200
            server.says(["KEPT", "OTHER"])
            broker.start()
            site.wait_for("X_sampleEnv", blocks(X, "KEPT", "OTHER"), 2 * REPAIRED_WITHIN_S)
            wait_until(lambda: not companion.checks, REPAIRED_WITHIN_S)
            assert companion.metrics.total("blocks_commands_total", result="failed") > 0


def test_the_database_goes_and_comes_back(site: Site, topic: str, database: MariaDb) -> None:
    instrument = topic.removesuffix("_sampleEnv")
    database.archives([("IN:X:ONE", "VAL 5.0"), ("IN:X:TWO", "RBV VAL")])
    account = ("--database-user", USER, "--database-password", PASSWORD)
    flags = ("--no-run-log", "--archive-period", "0.2", "--database", database.address, *account)
    with BlockServer(X, ["KEPT"]) as server:
        companion = site.companion(server, X, instrument, *flags)
        first = {"IN:X:ONE.VAL", "IN:X:TWO.RBV", "IN:X:TWO.VAL"}
        with companion:
            site.wait_for(topic, first | blocks(X, "KEPT"))
            database.stop()
            wait_until(lambda: "the database at" in companion.checks.get("archive", ""))
            server.says(["NEW"])
            site.wait_for(topic, first | blocks(X, "NEW"))
            # Neither does a restart forget what the database said last.
            companion.stop()
            companion.start()
            server.says([])
            site.wait_for(topic, first)
            database.start()
            database.archives([("IN:X:TWO", "VAL"), ("IN:X:T*O", "VAL")])
            site.wait_for(topic, {"IN:X:TWO.VAL"})
            wait_until(lambda: companion.metrics.total("blocks_bad_values_total", reason="rows") > 0)
            assert companion.metrics.total("blocks_source_connected", source="archive") == 1
