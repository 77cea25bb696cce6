"""Names that mean one of our settings, or meant something in a forwarder before this one."""

import difflib
from collections.abc import Iterable

MEANINGLESS = {
    "conversion-threads": "updates are encoded as they come, on one thread",
    "conversion-worker-queue-size": "updates are encoded as they come, without a queue",
    "main-poll-interval": "nothing is polled",
    "kafka-gelf": "logs go to the console, a file or Graylog",
    "influx-url": "there is no reporting to InfluxDB",
    "grafana-carbon-address": "there is no reporting to Carbon",
}
"""Flags of the existing forwarders that change nothing here, and why. They take a value, and only lead to a warning."""

LIBRDKAFKA = {
    "linger.ms": "linger",
    "queue.buffering.max.ms": "linger",
    "batch.size": "max-batch-bytes",
    "message.max.bytes": "max-batch-bytes",
    "compression.type": "compression",
    "compression.codec": "compression",
    "request.timeout.ms": "request-timeout",
    "security.protocol": "security-protocol",
    "sasl.mechanism": "sasl-mechanism",
    "sasl.mechanisms": "sasl-mechanism",
    "sasl.username": "sasl-username",
    "sasl.password": "sasl-password",
    "ssl.ca.location": "ssl-ca-cert-file",
    "ssl.certificate.location": "ssl-cert-file",
    "ssl.key.location": "ssl-key-file",
}
"""librdkafka's own name (its CONFIGURATION.md) of what a setting of ours means."""


def plain(name: str) -> str:
    """The one spelling of a setting's name: `CONFIG_TOPIC` and `--config-topic` are `config-topic`."""
    return name.strip().lstrip("-").replace("_", "-").lower()


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{found[0]}"?' if found else ""


def librdkafka_name(key: str) -> str:
    """A name fit to be shown: quotes gone wrong can put a secret in a name's place."""
    looks_like_one = "." in key and key.islower() and key.replace(".", "").isalpha()
    return key if looks_like_one else "something that is no name of librdkafka's"
