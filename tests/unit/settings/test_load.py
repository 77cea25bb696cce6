"""Where settings come from, who wins, and what is said of a wrong one."""

from pathlib import Path

import pytest

from forwarder.errors import BadSetting
from forwarder.settings.load import load, read
from forwarder.settings.table import SETTINGS
from forwarder.settings.types import EventLoop, GraylogSettings, Security

TOPIC = {"config-topic": ["b:1/INST_forwarderConfig"]}
USER = {"config-topic": [r"SASL_SSL+SCRAM-SHA-512\me@b:1/t"]}


@pytest.mark.parametrize(
    ("profile", "brokers", "create"),
    [
        ("production", ("livedata.isis.cclrc.ac.uk:31092",), False),
        (
            "development",
            ("tenten.isis.cclrc.ac.uk:9092", "sakura.isis.cclrc.ac.uk:9092", "hinata.isis.cclrc.ac.uk:9092"),
            True,
        ),
        ("local", ("localhost:9092",), True),
    ],
)
def test_a_profile(profile: str, brokers: tuple[str, ...], create: bool) -> None:
    settings = load({"profile": [profile]}, {})
    assert settings.output.brokers == brokers
    assert settings.output.create_topics is create
    assert settings.profile == profile
    assert settings.service_id == f"forwarder-{profile}"
    topics = [*settings.config_topics, settings.status_topic, settings.storage_topic]
    assert [topic and topic.topic for topic in topics] == ["forwarder_config", "forwarder_status", "forwarder_storage"]
    assert all(topic and topic.cluster == settings.output for topic in topics)


def test_nothing_given_is_the_profile_local() -> None:
    assert load({}, {}) == load({"profile": ["local"]}, {})


def test_who_wins(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text('service-id = "file"\n')
    places = [
        ({}, {}, "forwarder-local", "the profile local"),
        ({"config-file": [str(file)]}, {}, "file", "f.toml line 1"),
        ({"config-file": [str(file)]}, {"SERVICE_ID": "env"}, "env", "the environment variable SERVICE_ID"),
        (
            {},
            {"SERVICE_ID": "env", "FORWARDER_SERVICE_ID": "ours", "CONFIG_FILE": str(file)},
            "ours",
            "the environment variable FORWARDER_SERVICE_ID",
        ),
        ({"service-id": ["flag"]}, {"FORWARDER_SERVICE_ID": "ours"}, "flag", "the flag --service-id"),
    ]
    for flags, environment, value, source in places:
        reading = read(flags, environment)
        assert reading.settings.service_id == value
        (shown,) = (one for one in reading.shown if one.name == "service-id")
        assert (shown.value, shown.source) == (value, source)


def test_our_variables_win_over_those_of_epics() -> None:
    assert load({}, {"EPICS_CA_ADDR_LIST": "a b:1"}).ca.addr_list == ("a", "b:1")
    assert load({}, {"EPICS_CA_ADDR_LIST": "a", "CA_ADDR_LIST": "c,d"}).ca.addr_list == ("c", "d")
    assert load({}, {"CA_ADDR_LIST": "c", "FORWARDER_CA_ADDR_LIST": "e"}).ca.addr_list == ("e",)


def test_every_setting_of_epics() -> None:
    ca = load(
        {},
        {
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_CA_NAME_SERVERS": "gw:5064",
            "EPICS_CA_MAX_ARRAY_BYTES": "100000",
            "EPICS_CA_CONN_TMO": "15.5",
            "EPICS_CA_SERVER_PORT": "6064",
            "EPICS_CA_REPEATER_PORT": "6065",
        },
    ).ca
    assert not ca.auto_addr_list
    assert ca.name_servers == ("gw:5064",)
    assert (ca.max_array_bytes, ca.conn_timeout_s, ca.server_port, ca.repeater_port) == (100000, 15.5, 6064, 6065)


def test_an_empty_variable_is_not_set() -> None:
    assert load({}, {"STATUS_INTERVAL": "", "CONFIG_TOPIC": " "}) == load({}, {})


def test_the_config_topic_alone_names_the_output_and_asks_for_nothing_else() -> None:
    settings = load(TOPIC, {})
    assert settings.output.brokers == ("b:1",)
    assert settings.status_topic is None
    assert settings.storage_topic is None
    assert settings.service_id == "forwarder-INST_forwarderConfig"


def test_with_a_profile_the_other_topics_go_where_the_output_goes() -> None:
    settings = load({**TOPIC, "profile": ["production"]}, {})
    assert settings.status_topic
    assert settings.status_topic.cluster == settings.output == settings.config_topics[0].cluster
    assert settings.service_id == "forwarder-production"


def test_a_topic_without_a_host_is_in_the_output_cluster() -> None:
    settings = load({"output-broker": ["out:2"], "config-topic": ["INST_forwarderConfig"]}, {})
    assert settings.config_topics[0].cluster.brokers == ("out:2",)
    assert settings.config_topics[0].topic == "INST_forwarderConfig"


def test_clusters_of_topics_may_be_named_by_streams() -> None:
    settings = load({**TOPIC, "output-broker": ["out:2"], "allowed-output": ["x:3,y:4", "z:5"]}, {})
    assert [cluster.brokers for cluster in settings.allowed_outputs] == [("x:3", "y:4"), ("z:5",), ("b:1",)]


@pytest.mark.parametrize("given", [["a/t", "b/u", "a/t"], ["a/t b/u"]])
def test_several_config_topics(given: list[str]) -> None:
    topics = load({"config-topic": given}, {}).config_topics
    assert [(topic.cluster.brokers, topic.topic) for topic in topics] == [(("a:9092",), "t"), (("b:9092",), "u")]


def test_a_topic_that_is_not_named_is_warned_of() -> None:
    reading = read({"config-topic": ["b:1"]}, {})
    assert reading.settings.config_topics[0].topic == "forwarder_config"
    assert "config-topic: the address of a cluster without a topic; taking forwarder_config" in reading.warnings


def test_values_reach_their_fields() -> None:
    settings = load(
        {
            "status-interval": ["500"],
            "pv-update-period": ["10000"],
            "fake-pv-period": ["0"],
            "statistics-update-interval": ["10"],
            "linger": ["5"],
            "request-timeout": ["1000"],
            "compression": ["ZSTD"],
            "event-loop": ["asyncio"],
            "graylog-logger-address": ["//log"],
            "skip-retrieval": ["yes"],
        },
        {},
    )
    assert (settings.status_interval_s, settings.repeat_period_s, settings.fake_period_s) == (0.5, 10, 1)
    assert (settings.producer.linger_s, settings.producer.request_timeout_s) == (0.005, 1)
    assert settings.producer.compression == "zstd"
    assert settings.event_loop is EventLoop.ASYNCIO
    assert settings.log.graylog == GraylogSettings("udp", "log", 12201)
    assert settings.skip_retrieval
    assert settings.statistics_interval_s == 10


@pytest.mark.parametrize(
    ("text", "level"),
    [("Trace", 5), ("debug", 10), ("INFO", 20), ("Warning", 30), ("Error", 40), ("Critical", 50), ("1", 10), ("3", 30)],
)
def test_verbosity(text: str, level: int) -> None:
    assert load({"verbosity": [text]}, {}).log.level == level


def test_librdkafka_names_are_ours_unless_ours_is_given_too() -> None:
    pairs = {
        "kafka-config": ["queue.buffering.max.ms", "7", "compression.codec", "lz4", "fetch.message.max.bytes", "9"]
    }
    reading = read(pairs, {})
    assert reading.settings.producer.linger_s == 0.007
    assert reading.settings.producer.compression == "lz4"
    assert reading.warnings == (
        "kafka-config: fetch.message.max.bytes from the flag --kafka-config has no meaning here",
    )
    assert load({**pairs, "linger": ["3"]}, {}).producer.linger_s == 0.003
    assert load(pairs, {"LINGER": "3"}).producer.linger_s == 0.007


def test_a_user_and_a_password(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    (secret := tmp_path / "secret").write_text("from file\n")
    expected = Security("SASL_SSL", "SCRAM-SHA-512", "me", "from variable", ca)
    settings = load({**USER, "ssl-ca-cert-file": [str(ca)]}, {"CONFIG_TOPIC_SASL_PASSWORD": "from variable"})
    assert settings.config_topics[0].cluster.security == expected
    assert settings.output.security == expected
    settings = load({**USER, "config-topic-sasl-password-file": [str(secret)]}, {"CONFIG_TOPIC_SASL_PASSWORD": "x"})
    assert settings.output.security.password == "from file"
    assert load(USER, {"SASL_PASSWORD": "for all"}).output.security.password == "for all"


def test_security_by_librdkafka_names() -> None:
    words = "security.protocol sasl_ssl sasl.mechanisms PLAIN sasl.username me sasl.password pw"
    assert load({**TOPIC, "kafka-config": [words]}, {}).output.security == Security("SASL_SSL", "PLAIN", "me", "pw")


WRONG = {
    "a number": ({}, {"STATUS_INTERVAL": "abc"},
        'status-interval: "abc" from the environment variable STATUS_INTERVAL is not a number of milliseconds; '
        "allowed: a whole number from 100 to 3600000"),
    "too small": ({"status-interval": ["99"]}, {},
        'status-interval: "99" from the flag --status-interval is out of range; '
        "allowed: a whole number from 100 to 3600000"),
    "not finite": ({"stop-timeout": ["nan"]}, {},
        'stop-timeout: "nan" from the flag --stop-timeout is not a number of seconds; '
        "allowed: a number of seconds from 1 to 3600"),
    "a choice": ({"profile": ["prod"]}, {},
        'profile: "prod" from the flag --profile is not known; allowed: production, development or local'),
    "a level": ({"verbosity": ["8"]}, {},
        'verbosity: "8" from the flag --verbosity is not a level; '
        "allowed: Trace, Debug, Info, Warning, Error, Critical, or a number from 0 (Trace) to 7"),
    "a file": ({"streams-json": ["nowhere.json"]}, {},
        'streams-json: "nowhere.json" from the flag --streams-json is not a file that exists; '
        "allowed: a file that exists"),
    "yes or no": ({}, {"FORWARDER_CREATE_TOPICS": "maybe"},
        'create-topics: "maybe" from the environment variable FORWARDER_CREATE_TOPICS is neither yes nor no; '
        "allowed: yes or no"),
    "an alias": ({"status-uri": ["b:x/t"]}, {},
        'status-topic: "b:x/t" from the flag --status-uri has a port that is not a number from 1 to 65535; '
        r"allowed: [PROTOCOL+MECHANISM\user@]host[:port][,host[:port]][/topic] or topic"),
    "an empty topic": ({"config-topic": [""]}, {},
        'config-topic: "" from the flag --config-topic names no host; '
        r"allowed: [PROTOCOL+MECHANISM\user@]host[:port][,host[:port]][/topic] or topic"),
    "a line break": ({"profile": ["a\nb"]}, {},
        r'profile: "a\nb" from the flag --profile is not known; allowed: production, development or local'),
    "an unknown flag": ({"confg-topic": ["x"]}, {}, 'unknown flag --confg-topic; did you mean "config-topic"?'),
    "by librdkafka's name": ({"kafka-config": ["linger.ms", "x"]}, {},
        'linger: "x" from linger.ms in the flag --kafka-config is not a number of milliseconds; '
        "allowed: a whole number from 0 to 10000"),
    "half a pair": ({"kafka-config": ["sasl.password hunter2 x"]}, {},
        "kafka-config: the value from the flag --kafka-config has a name without a value; "
        "allowed: names and values in turn, such as: linger.ms 20 compression.type lz4"),
    "no password": (USER, {},
        "config-topic-sasl-password: not set in any place, but config-topic is to be reached with SASL_SSL; allowed: "
        "any text, by the environment variable FORWARDER_CONFIG_TOPIC_SASL_PASSWORD or "
        "--config-topic-sasl-password-file"),
    "a user without a protocol": ({**TOPIC, "sasl-username": ["me"]}, {},
        "security-protocol: not set in any place, but sasl-username is set; allowed: PLAINTEXT, SSL, SASL_PLAINTEXT, "
        "SASL_SSL, by the environment variable FORWARDER_SECURITY_PROTOCOL or --security-protocol"),
    "two that contradict": ({"max-waiting-bytes": ["1000000"], "max-batch-bytes": ["2000000"]}, {},
        'max-batch-bytes: "2000000" from the flag --max-batch-bytes is more than max-waiting-bytes, 1000000; '
        "allowed: a whole number from 1000 to 1000000000"),
}  # fmt: skip


@pytest.mark.parametrize(("flags", "environment", "line"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_one_line(flags: dict[str, list[str]], environment: dict[str, str], line: str) -> None:
    with pytest.raises(BadSetting) as caught:
        read(flags, environment)
    assert str(caught.value) == line


def test_an_unknown_key_names_the_line_and_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "f.ini"
    file.write_text("config-topic=b/t\nstatsu-topic=b/s\n")
    with pytest.raises(BadSetting) as caught:
        read({"config-file": [str(file)]}, {})
    assert str(caught.value) == 'f.ini line 2: unknown setting "statsu-topic"; did you mean "status-topic"?'


def test_a_wrong_value_in_a_file_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "f.ini"
    file.write_text("config-topic=b/t\nstatus-interval=often\n")
    with pytest.raises(BadSetting, match=r'status-interval: "often" from f\.ini line 2 is not a number of millisec'):
        read({"config-file": [str(file)]}, {})


def test_what_meant_something_once_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "f.ini"
    file.write_text("conversion-threads=4\n")
    warnings = read(
        {"config-file": [str(file)], "grafana-carbon-address": ["g:2003"]}, {"FORWARDER_STATSU": "1"}
    ).warnings
    assert len(warnings) == 3
    assert warnings[0].startswith("grafana-carbon-address: the flag --grafana-carbon-address changes nothing here")
    assert warnings[1].startswith("the environment variable FORWARDER_STATSU is not a setting")
    assert warnings[2].startswith("conversion-threads: f.ini line 1 changes nothing here")


SECRETS = {
    "flag": ({**USER, "config-topic-sasl-password": ["hunter2"]}, {}),
    "variable": (USER, {"FORWARDER_CONFIG_TOPIC_SASL_PASSWORD": "hunter2"}),
    "librdkafka": ({**USER, "kafka-config": ["sasl.password", "hunter2"]}, {}),
    "librdkafka, astray": ({**USER, "kafka-config": ["sasl.password", "x", "hunter2", "y"]}, {}),
    "idle": ({}, {"SASL_PASSWORD": "hunter2"}),
}


@pytest.mark.parametrize(("flags", "environment"), SECRETS.values(), ids=SECRETS)
def test_a_password_is_shown_nowhere(flags: dict[str, list[str]], environment: dict[str, str]) -> None:
    assert "hunter2" not in repr(read(flags, environment))


def test_a_password_by_flag_is_warned_of() -> None:
    (warning,) = read({**USER, "config-topic-sasl-password": ["pw"]}, {}).warnings
    assert "FORWARDER_CONFIG_TOPIC_SASL_PASSWORD" in warning


@pytest.mark.parametrize("place", ["me:hunter2@b/t", r"PLAIN\me:hunter2@b/t", "kafka://me:hunter2@b/t"])
def test_a_password_in_an_address_is_not_repeated_in_the_complaint(place: str) -> None:
    with pytest.raises(BadSetting) as caught:
        read({"config-topic": [place]}, {})
    assert "hunter2" not in str(caught.value)


def test_names_are_unique_and_passwords_secret() -> None:
    names = [name for setting in SETTINGS for name in (setting.name, *setting.aliases)]
    variables = [variable for setting in SETTINGS for variable in setting.variables]
    shorts = [setting.short for setting in SETTINGS if setting.short]
    for each in (names, variables, shorts):
        assert len(each) == len(set(each))
    assert all(setting.secret for setting in SETTINGS if setting.name.endswith("password"))


@pytest.mark.parametrize(
    ("flags", "file", "made"),
    [
        ({}, None, False),
        ({"log-directory": ["/logs"]}, "/logs/forwarder-local/forwarder.log", True),
        ({"log-directory": ["/logs"], "service-id": ["a b/c"]}, "/logs/a_b_c/forwarder.log", True),
        ({"log-directory": ["/logs"], "profile": ["production"]}, "/logs/prod_forwarder/forwarder.log", True),
        ({"log-directory": ["/logs"], "profile": ["development"]}, "/logs/dev_forwarder/forwarder.log", True),
        (
            {"log-directory": ["/logs"], "profile": ["production"], "log-folder": ["second"]},
            "/logs/second/forwarder.log",
            True,
        ),
        ({"log-directory": ["/logs"], "log-file": ["/other/f.log"]}, "/other/f.log", False),
    ],
)
def test_where_the_log_goes(flags: dict[str, list[str]], file: str | None, made: bool) -> None:
    reading = read(flags, {})
    log = reading.settings.log
    assert (log.file, log.makes_folder) == (Path(file) if file else None, made)
    assert next(shown.value for shown in reading.shown if shown.name == "log-file") == (file or "")
    assert [w for w in reading.warnings if "log-" in w] == (
        ["log-directory: has no effect, log-file is given"] if len(flags) == 2 and "log-file" in flags else []
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("g", ("udp", "g", 12201)),
        ("g:1", ("udp", "g", 1)),
        ("//g:1/", ("udp", "g", 1)),
        ("udp://g", ("udp", "g", 12201)),
        ("TCP://g:2", ("tcp", "g", 2)),
        ("tcp://[::1]:2", ("tcp", "::1", 2)),
    ],
)
def test_the_address_of_graylog(text: str, expected: tuple[str, str, int]) -> None:
    assert load({"graylog-logger-address": [text]}, {}).log.graylog == GraylogSettings(*expected)


def test_levels_of_single_loggers(tmp_path: Path) -> None:
    flags = {"log-level": ["forwarder.kafka=Debug", "aiokafka=1"]}
    expected = (("forwarder.kafka", 10), ("aiokafka", 10))
    assert load(flags, {}).log.levels == expected
    assert load({}, {"FORWARDER_LOG_LEVEL": "forwarder.kafka=debug aiokafka=1"}).log.levels == expected
    (file := tmp_path / "f.ini").write_text("log-level=forwarder.kafka=Debug\nlog-level=aiokafka=1\n")
    assert load({"config-file": [str(file)]}, {}).log.levels == expected
    assert load({}, {"LOG_LEVEL": "info", "LOG_FORMAT": "pretty"}).log == load({}, {}).log


WRONG_LOGS = {
    "log-level": [
        ("Debug", "is not NAME=LEVEL; the level of all is verbosity"),
        ("forwarder.kafka=Loud", "is not a level"),
        ("=Debug", "does not begin with the name of a logger"),
        ("a..b=Debug", "does not begin with the name of a logger"),
    ],
    "graylog-logger-address": [
        ("http://g:1", "has an unknown protocol (known: udp, tcp)"),
        ("tcp://g:x", "has a port that is not a number from 1 to 65535"),
        ("tcp://", "names no host"),
    ],
    "log-format": [("xml", "is not known; allowed: text or json")],
    "log-file-bytes": [("-1", "is out of range")],
    "log-files-kept": [("0", "is out of range")],
}


@pytest.mark.parametrize(
    ("name", "text", "complaint"), [(name, *case) for name, cases in WRONG_LOGS.items() for case in cases]
)
def test_what_is_wrong_for_the_log(name: str, text: str, complaint: str) -> None:
    with pytest.raises(BadSetting, match=f'^{name}: "') as caught:
        load({name: [text]}, {})
    assert f'"{text}" from the flag --{name} {complaint}' in str(caught.value)


def test_what_differs_between_two_readings(tmp_path: Path) -> None:
    (password := tmp_path / "password").write_text("hunter1")
    (file := tmp_path / "f.toml").write_text("linger = 5\nverbosity = 'Debug'\n")
    flags = {**USER, "config-topic-sasl-password-file": [str(password)], "config-file": [str(file)]}
    before = read(flags, {})
    assert read(flags, {}).differences(before) == ()
    file.write_text("linger = 7\nmax-streams = 5\n")
    password.write_text("hunter2")
    after = read(flags, {})
    assert set(after.differences(before)) == {"linger", "verbosity", "max-streams", "config-topic-sasl-password"}
    assert "hunter" not in repr((before.shown, before.warnings, after.shown, after.differences(before)))
    assert "_said" not in repr(after)


TOPICS = {
    "a name": ("T", ("out:9092",), "T"),
    "an address": ("//b:1/T", ("b:1",), "T"),
    "an address with a user": (r"SASL_SSL+PLAIN\me@b:1,c:2/T", ("b:1", "c:2"), "T"),
}


@pytest.mark.parametrize(("text", "brokers", "topic"), TOPICS.values(), ids=TOPICS)
def test_a_topic_that_a_command_names_by_itself(text: str, brokers: tuple[str, ...], topic: str) -> None:
    reading = read({"output-broker": ["out"]}, {"SASL_PASSWORD": "any"})
    found = reading.topic(text)
    assert (found.cluster.brokers, found.topic) == (brokers, topic)
    assert found.cluster.security.password == ("any" if "me@" in text else "")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("no topic", 'topic: "no topic" has a topic that Kafka does not allow'),
        ("b:1", 'topic: "b:1" names no topic; allowed: '),
        ("me:secret@b:1/T", r'topic: "\*\*\*@b:1/T" has a user but no PROTOCOL'),
    ],
)
def test_what_is_no_topic(text: str, complaint: str) -> None:
    with pytest.raises(BadSetting, match=complaint):
        read({}, {}).topic(text)


@pytest.mark.parametrize(
    ("flags", "names_instance"),
    [
        ({}, False),
        ({"profile": ["production"]}, True),
        ({"profile": ["production"], "config-topic": ["LARMOR_forwarderConfig"]}, False),
        ({"config-topic": ["LARMOR_forwarderConfig"]}, False),
        ({"config-topic": ["LARMOR_forwarderConfig"], "service-id": ["larmor"]}, True),
    ],
)
def test_whether_an_instance_is_named(flags: dict[str, list[str]], names_instance: bool) -> None:
    assert read(flags, {}).names_instance is names_instance
