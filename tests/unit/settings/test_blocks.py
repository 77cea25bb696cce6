"""The settings of the process beside an instrument."""

from pathlib import Path

import pytest

from forwarder.errors import BadSetting
from forwarder.settings.blocks.load import read
from forwarder.settings.blocks.table import SETTINGS
from forwarder.settings.types import Dialect

GIVEN = {"prefix": ["IN:LARMOR:"], "instrument": ["LARMOR"]}
SITE = {"MYPVPREFIX": "IN:LARMOR:", "INSTRUMENT": "LARMOR"}


@pytest.mark.parametrize(
    ("said", "profile", "broker"),
    [("1", "production", "livedata.isis.cclrc.ac.uk:31092"), ("0", "development", "tenten.isis.cclrc.ac.uk:9092")],
)
def test_the_machine_of_an_instrument(said: str, profile: str, broker: str) -> None:
    reading = read({}, {**SITE, "ISIS_INSTRUMENT": said})
    settings = reading.settings
    assert (settings.profile, settings.prefix, settings.instrument) == (profile, "IN:LARMOR:", "LARMOR")
    assert settings.config_topic.topic == "LARMOR_forwarderConfig"
    assert settings.config_topic.cluster.brokers[0] == broker
    assert settings.status_topic is not None
    assert settings.status_topic.topic == "forwarder_status", "one for all instruments"
    assert settings.schema == "f142"
    assert (settings.broker, settings.forwarder) == ("", None)
    assert ("profile", profile, "the environment variable ISIS_INSTRUMENT") in [
        (each.name, each.value, each.source) for each in reading.shown
    ]


def test_what_is_said_counts_before_what_the_machine_says() -> None:
    assert read({"profile": ["local"]}, {**SITE, "ISIS_INSTRUMENT": "1"}).settings.profile == "local"
    assert read({"prefix": ["TE:X:"]}, SITE).settings.prefix == "TE:X:"


def test_without_a_profile_the_topics_are_the_instruments() -> None:
    settings = read(GIVEN, {}).settings
    assert settings.status_topic
    assert settings.status_topic.topic == "LARMOR_forwarderStatus"
    assert settings.storage_topic
    assert settings.storage_topic.topic == "LARMOR_forwarderStorage"


def test_a_config_topic_alone_is_compared_with_nothing() -> None:
    settings = read({**GIVEN, "config-topic": ["b:1/c"]}, {}).settings
    assert (settings.config_topic.cluster.brokers, settings.config_topic.topic) == (("b:1",), "c")
    assert settings.status_topic is None
    assert settings.storage_topic is None


def test_a_broker_that_is_given_is_named_in_topics() -> None:
    settings = read({**GIVEN, "output-broker": ["b:1,c:2"], "dialect": ["json"]}, {}).settings
    assert settings.broker == "b:1"
    assert settings.config_topic.cluster.brokers == ("b:1", "c:2")
    assert settings.dialect is Dialect.JSON


def test_the_database(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    given = {**GIVEN, "database": ["db:33"], "database-password-file": [str(file)], "archive-period": ["2"]}
    reading = read(given, {})
    archive = reading.settings.archive
    assert archive is not None
    assert (archive.host, archive.port, archive.password, archive.period_s) == ("db", 33, "s3cret", 2.0)
    assert "s3cret" not in repr(reading)
    socket = read({**GIVEN, "database": ["/run/mysqld/mysqld.sock"]}, {}).settings.archive
    assert socket
    assert (socket.host, socket.port) == ("/run/mysqld/mysqld.sock", 0)
    without = read({**given, "no-archive": ["yes"]}, {})
    assert without.settings.archive is None
    assert "database: has no effect, no-archive is given" in without.warnings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"instrument": ["X"]}, "prefix: not set in any place"),
        ({"prefix": ["IN:X:"]}, "instrument: not set in any place"),
        ({**GIVEN, "prefix": ["IN:X"]}, "it has to end with a colon"),
        ({**GIVEN, "prefix": ["IN:*:"]}, "is not what names of PVs begin with"),
        ({**GIVEN, "instrument": ["A/B"]}, "is no name of an instrument"),
        ({**GIVEN, "block-schema": ["f 1"]}, "is no name of a schema"),
        ({**GIVEN, "database": [":1"]}, "names no host"),
        ({**GIVEN, "linger": ["1"]}, "unknown flag --linger"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(given: dict[str, list[str]], expected: str) -> None:
    with pytest.raises(BadSetting, match=expected) as raised:
        read(given, {})
    assert "\n" not in str(raised.value)


def test_the_table_says_each_thing_once() -> None:
    names = [name for setting in SETTINGS for name in (setting.name, *setting.aliases)]
    variables = [variable for setting in SETTINGS for variable in setting.variables]
    assert len(set(names)) == len(names)
    assert len(set(variables)) == len(variables)
    assert all(setting.secret for setting in SETTINGS if setting.name.endswith("password"))
