"""Addresses of topics and brokers as users write them.

`[PROTOCOL+MECHANISM\\user@]host[:port][,host[:port]][/topic]` is the ESS forwarder's form; older versions of it had
no `PROTOCOL+` and meant SASL_PLAINTEXT. The C++ forwarder's are `//host[:port][/topic]` and `host[:port][/topic]`;
a scheme before the `//` was allowed there and had no meaning.
"""

import re
from dataclasses import dataclass

DEFAULT_PORT = 9092
"""Where librdkafka, which both of the existing forwarders use, looks when no port is given."""
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

_SCHEME = re.compile(r"^(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?//")
_HOST = re.compile(r"^(?:\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?)$")
_TOPIC = re.compile(r"^[A-Za-z0-9._-]{1,249}$")
"""What Kafka allows as a topic's name (org.apache.kafka.common.internals.Topic)."""


@dataclass(frozen=True, slots=True)
class Address:
    """What one text says. An empty field is one it says nothing about."""

    brokers: tuple[str, ...] = ()
    """Each `host:port`."""
    topic: str = ""
    protocol: str = ""
    mechanism: str = ""
    username: str = ""


def topic_address(text: str) -> Address:
    """The address of a topic. A text with none of `/ : , @` is a topic's name and not a host."""
    text = text.strip()
    if text and not re.search(r"[/:,@\\]", text):
        return Address(topic=_topic(text))
    if text.startswith("/") and not text.startswith("//"):
        return Address(topic=_topic(text[1:]))
    return cluster_address(text)


def cluster_address(text: str) -> Address:
    """The address of a cluster, whether or not a topic follows. Raises ValueError that says what is wrong."""
    text = _SCHEME.sub("", text.strip())
    user, at, place = text.rpartition("@")
    protocol = mechanism = username = ""
    if at:
        protocol, mechanism, username = _user(user)
    elif "+" in place:
        name, _, place = place.partition("+")
        protocol = _one_of(name, PROTOCOLS, "security protocol")
    hosts, _, topic = place.partition("/")
    brokers = tuple(broker(host) for host in hosts.split(",") if host.strip())
    if not brokers:
        raise ValueError("names no host")
    return Address(brokers, _topic(topic) if topic else "", protocol, mechanism, username)


def broker(text: str, default_port: int = DEFAULT_PORT) -> str:
    """`host:port` of one host, an IPv6 one in brackets. Raises ValueError."""
    text = text.strip()
    if text.count(":") > 1 and not text.startswith("["):
        raise ValueError("has more than one colon in a host; an IPv6 address is written in brackets, [::1]:9092")
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, port = text, str(default_port)
    if not _HOST.match(host):
        raise ValueError("names no host" if not host else "has a host with characters no host name has")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError("has a port that is not a number from 1 to 65535")
    return f"{host}:{int(port)}"


def without_user(text: str) -> str:
    """The text fit to be shown: what stands before an @ may hold a password somebody put there."""
    _, at, place = text.rpartition("@")
    return f"***@{place}" if at else text


def _user(text: str) -> tuple[str, str, str]:
    """Protocol, mechanism and user name from what stands before the @."""
    security, backslash, username = text.partition("\\")
    if not backslash:
        raise ValueError(r"has a user but no PROTOCOL+MECHANISM\ before it (a shell keeps a backslash only in quotes)")
    if not username:
        raise ValueError("has no user name before the @")
    if ":" in username:
        raise ValueError("has a colon in the user name; a password is given by its own setting")
    protocol, plus, mechanism = security.rpartition("+")
    return (
        _one_of(protocol, PROTOCOLS, "security protocol") if plus else "SASL_PLAINTEXT",
        _one_of(mechanism, MECHANISMS, "SASL mechanism"),
        username,
    )


def _one_of(text: str, allowed: tuple[str, ...], what: str) -> str:
    if text.upper() not in allowed:
        raise ValueError(f"has an unknown {what} (known: {', '.join(allowed)})")
    return text.upper()


def _topic(text: str) -> str:
    if not _TOPIC.match(text) or text in (".", ".."):
        raise ValueError("has a topic that Kafka does not allow (letters, digits, dot, underscore and hyphen)")
    return text
