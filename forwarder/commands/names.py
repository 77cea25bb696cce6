"""What the names in a command may look like, and how a topic's text names its cluster too."""

import re
from collections.abc import Iterable
from functools import lru_cache

from forwarder.errors import BadCommand
from forwarder.model import Pattern, Stream

# Control characters and whitespace can't be part of a PV's name and are a sign of damage or of a slip; a lone
# surrogate (possible in JSON) has no UTF-8 form, and the name becomes the Kafka key.
_NO_CHANNEL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SCHEMA = re.compile(r"[!-~]{1,64}")
_WILDCARD = re.compile(r"[?*]")
_HOST_AND_TOPIC = re.compile(r"(?://)?(?P<broker>[^/]*)/(?P<topic>[^/]*)")
_BROKER = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.%]{2,64}\]):(?P<port>[0-9]{1,5})")
# Kafka's own rule: org.apache.kafka.common.internals.Topic.
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_TOPIC_PATTERN = re.compile(r"[a-zA-Z0-9._?*-]{1,249}")


def quoted(text: str) -> str:
    """The text as a reason may show it: on one line and not too long."""
    return ascii(text) if len(text) <= 80 else ascii(text[:80]) + "..."


def check_channel(name: str, longest: int) -> str:
    """The name of a PV, or a pattern for it, as it is; raises BadCommand if no PV can be called so."""
    if not name:
        raise BadCommand("no channel")
    if len(name) > longest:
        raise BadCommand(f"channel of {len(name)} characters, where at most {longest} are allowed")
    if wrong := _NO_CHANNEL.search(name):
        raise BadCommand(f"channel {quoted(name)} has {wrong[0]!a}, which no PV name has")
    return name


@lru_cache(maxsize=256)
def check_schema(name: str) -> str:
    """The name of a schema, as it is; whether the service writes it is for those to say who open the stream."""
    if not name:
        raise BadCommand("no schema")
    if not _SCHEMA.fullmatch(name):
        raise BadCommand(f"schema {quoted(name)} is not 1 to 64 printable ASCII characters")
    return name


@lru_cache(maxsize=4096)
def split_topic(text: str, *, pattern: bool = False) -> tuple[str, str]:
    """Broker and topic of `topic`, `host:port/topic` or `//host:port/topic`; the broker is empty in the first form.

    A broker comes back in lower case, as host names have none: else one cluster would be two.
    A pattern may have `?` and `*` in its topic, never in its host.
    """
    if not text:
        raise BadCommand("no topic")
    broker, topic = "", text
    if parts := _HOST_AND_TOPIC.fullmatch(text):
        broker, topic = parts["broker"].lower(), parts["topic"]
        address = _BROKER.fullmatch(broker)
        if not address or not 1 <= int(address["port"]) <= 65535:
            raise BadCommand(f"topic {quoted(text)} is not `topic`, `host:port/topic` or `//host:port/topic`")
    if topic in (".", "..") or not (_TOPIC_PATTERN if pattern else _TOPIC).fullmatch(topic):
        raise BadCommand(
            f"topic {quoted(text)} is not a name Kafka allows: 1 to 249 letters, digits, dots, underscores and hyphens"
        )
    return broker, topic


def topic_of(stream: Stream) -> str:
    """`topic`, or `host:port/topic` where it is in another cluster."""
    return f"{stream.broker}/{stream.topic}" if stream.broker else stream.topic


def check_wildcards(patterns: Iterable[Pattern], most: int) -> None:
    """Raises BadCommand if more than `most` of the patterns have a wildcard in them."""
    count = sum(1 for pattern in patterns if _WILDCARD.search(f"{pattern.channel or ''}{pattern.topic or ''}"))
    if count > most:
        raise BadCommand(f"{count} streams have wildcards, where at most {most} are allowed")
