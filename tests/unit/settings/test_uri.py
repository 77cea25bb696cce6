"""Addresses as users of both existing forwarders write them."""

import pytest

from forwarder.settings.uri import Address, cluster_address, topic_address, without_user

GOOD = {
    "broker:9092/topic": Address(("broker:9092",), "topic"),
    "//broker:9092/topic": Address(("broker:9092",), "topic"),
    "  //broker:9092/topic  ": Address(("broker:9092",), "topic"),
    "kafka://my_host.com:8080/maybe": Address(("my_host.com:8080",), "maybe"),
    "//broker/the-topic": Address(("broker:9092",), "the-topic"),
    "//broker": Address(("broker:9092",)),
    "broker:9092/": Address(("broker:9092",)),
    "a:1,b:2,c/t": Address(("a:1", "b:2", "c:9092"), "t"),
    "[::1]:9092/t": Address(("[::1]:9092",), "t"),
    "//[fe80::1]/t": Address(("[fe80::1]:9092",), "t"),
    "127.0.0.1:9093/t": Address(("127.0.0.1:9093",), "t"),
    r"SASL_SSL+SCRAM-SHA-256\me@b:1/t": Address(("b:1",), "t", "SASL_SSL", "SCRAM-SHA-256", "me"),
    r"sasl_plaintext+plain\me@b:1,c:2/t": Address(("b:1", "c:2"), "t", "SASL_PLAINTEXT", "PLAIN", "me"),
    r"SCRAM-SHA-512\me@b:1/t": Address(("b:1",), "t", "SASL_PLAINTEXT", "SCRAM-SHA-512", "me"),
    r"PLAIN\me@home@b/t": Address(("b:9092",), "t", "SASL_PLAINTEXT", "PLAIN", "me@home"),
    "SSL+b:9093/t": Address(("b:9093",), "t", "SSL"),
    "INST_forwarderConfig": Address(topic="INST_forwarderConfig"),
    "/INST_forwarderConfig": Address(topic="INST_forwarderConfig"),
}


@pytest.mark.parametrize(("text", "address"), GOOD.items(), ids=GOOD)
def test_an_address_is_understood(text: str, address: Address) -> None:
    assert topic_address(text) == address


BAD = {
    "": "names no host",
    "//:9092/t": "names no host",
    ":9092": "names no host",
    "//": "names no host",
    "b:abc/t": "port that is not a number",
    "b:0/t": "port that is not a number",
    "b:65536/t": "port that is not a number",
    "b:٣/t": "port that is not a number",
    "b::9092/t": "more than one colon",
    "::1/t": "more than one colon",
    "b:1/two/parts": "topic that Kafka does not allow",
    "b:1/sp ace": "topic that Kafka does not allow",
    "b:1/..": "topic that Kafka does not allow",
    "b:1/" + "t" * 250: "topic that Kafka does not allow",
    "ho st:1/t": "characters no host name has",
    "SASL_SSL+PLAINme@b:1/t": "only in quotes",
    r"KERBEROS\me@b:1/t": "unknown SASL mechanism",
    r"TLS+PLAIN\me@b:1/t": "unknown security protocol",
    r"PLAIN\@b:1/t": "no user name",
    r"PLAIN\me:secret@b:1/t": "password is given by its own setting",
}


@pytest.mark.parametrize(("text", "complaint"), BAD.items(), ids=BAD)
def test_a_bad_address_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        topic_address(text)


def test_a_cluster_may_be_a_mere_host() -> None:
    assert cluster_address("broker") == Address(("broker:9092",))


def test_what_may_be_a_password_is_not_shown() -> None:
    assert without_user(r"PLAIN\me:secret@b:1/t") == "***@b:1/t"
    assert without_user("b:1/t") == "b:1/t"
