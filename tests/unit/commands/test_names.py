"""Names in commands: topics with and without a cluster, and what no PV, schema or topic may be called."""

import pytest

from forwarder.commands.names import check_channel, check_schema, split_topic
from forwarder.errors import BadCommand

TOPICS = {
    "DEMO_sampleEnv": ("", "DEMO_sampleEnv"),
    "a.b-c_9": ("", "a.b-c_9"),
    "...": ("", "..."),
    "t" * 249: ("", "t" * 249),
    "livedata.example:31092/DEMO_runLog": ("livedata.example:31092", "DEMO_runLog"),
    "//livedata.example:9092/DEMO_runLog": ("livedata.example:9092", "DEMO_runLog"),
    "//LiveData.Example:9092/Demo": ("livedata.example:9092", "Demo"),
    "10.0.0.1:65535/t": ("10.0.0.1:65535", "t"),
    "[fe80::1]:9092/t": ("[fe80::1]:9092", "t"),
}
NOT_TOPICS = {
    "": "no topic",
    ".": "not a name Kafka allows",
    "..": "not a name Kafka allows",
    "t" * 250: "not a name Kafka allows",
    "a topic": "not a name Kafka allows",
    "DEMO_*": "not a name Kafka allows",
    "t\n": "not a name Kafka allows",
    "tëst": "not a name Kafka allows",
    "host:9092": "not a name Kafka allows",
    "host:9092/": "not a name Kafka allows",
    "host:9092/..": "not a name Kafka allows",
    "host/t": "is not `topic`, `host:port/topic`",
    "/t": "is not `topic`, `host:port/topic`",
    "//t": "not a name Kafka allows",
    ":9092/t": "is not `topic`, `host:port/topic`",
    "host:0/t": "is not `topic`, `host:port/topic`",
    "host:65536/t": "is not `topic`, `host:port/topic`",
    "host:٣/t": "is not `topic`, `host:port/topic`",
    "a:1,b:2/t": "is not `topic`, `host:port/topic`",
    "*:9092/t": "is not `topic`, `host:port/topic`",
    "host:9092/t/u": "not a name Kafka allows",
    "///host:9092/t": "not a name Kafka allows",
    "http://host:9092/t": "not a name Kafka allows",
}


@pytest.mark.parametrize(("text", "parts"), TOPICS.items())
def test_a_topic_may_name_its_cluster(text: str, parts: tuple[str, str]) -> None:
    assert split_topic(text) == parts
    assert split_topic(text, pattern=True) == parts


@pytest.mark.parametrize(("text", "reason"), NOT_TOPICS.items())
def test_a_text_that_is_no_topic_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadCommand, match=reason):
        split_topic(text)


def test_a_pattern_may_have_wildcards_in_its_topic_only() -> None:
    assert split_topic("h:1/DEMO_*?", pattern=True) == ("h:1", "DEMO_*?")
    for text in ("h*:1/t", "*/t", "h:?/t"):
        with pytest.raises(BadCommand):
            split_topic(text, pattern=True)


@pytest.mark.parametrize(
    "name", ["IN:DEMO:CS:SB:T", "a", "π", "PV.VAL$", 'PV.{"dbnd":{"d":1}}', "[x]<y>;z", "c" * 1024]
)
def test_a_channel_may_be_called_so(name: str) -> None:
    assert check_channel(name, 1024) == name


@pytest.mark.parametrize(
    "name", ["", "a b", "a\tb", "a\n", "\0", "a\x7f", "\x85", "\u00a0", "\u2028", "\ud800", "c" * 1025]
)
def test_no_channel_is_called_so(name: str) -> None:
    with pytest.raises(BadCommand, match=r"^(no )?channel[ -~]*$"):
        check_channel(name, 1024)


@pytest.mark.parametrize("name", ["", "f1 2", "f\0", "ä", "s" * 65])
def test_no_schema_is_called_so(name: str) -> None:
    assert check_schema("nttable_se00") == "nttable_se00"
    with pytest.raises(BadCommand, match=r"schema"):
        check_schema(name)
