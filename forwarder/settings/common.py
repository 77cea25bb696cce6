"""What the settings of every command that serves have in common: clusters, topics, log, HTTP, Channel Access."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..errors import BadSetting
from . import table as t
from .files import words
from .names import librdkafka_name
from .parse import LOOPBACKS
from .raw import Rank, Raw
from .setting import Kind, Setting, Table
from .types import (
    ChannelAccessSettings,
    ClusterSettings,
    HttpSettings,
    LogFormat,
    LogSettings,
    Security,
    TopicSettings,
)
from .uri import Address
from .values import Values

_PASSWORDS = {
    t.CONFIG_TOPIC.name: t.CONFIG_TOPIC_PASSWORD,
    t.STATUS_TOPIC.name: t.STATUS_TOPIC_PASSWORD,
    t.STORAGE_TOPIC.name: t.STORAGE_TOPIC_PASSWORD,
    t.OUTPUT_BROKER.name: t.OUTPUT_BROKER_PASSWORD,
    t.ALLOWED_OUTPUT.name: t.ALLOWED_OUTPUT_PASSWORD,
}
_TOPICS = {
    t.CONFIG_TOPIC.name: "forwarder_config",
    t.STATUS_TOPIC.name: "forwarder_status",
    t.STORAGE_TOPIC.name: "forwarder_storage",
}
"""What is meant where only the host of a topic is given."""

_STATE = "~/.local/state/epics-kafka-forwarder"
"""Where each instance has a directory of its own, if it is told nothing else."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting, as a user may see it: no secrets."""

    name: str
    value: str
    source: str


class Common:
    """Makes settings of the values of one run, and remembers what there is to say about them."""

    table: ClassVar[Table]
    log_file: ClassVar[str]
    """Its name in the folder of the log."""

    def __init__(self, values: Values, profile: str, named: bool) -> None:
        self.warnings: list[str] = []
        self._values = values
        self._profile = profile
        # The command line of an existing forwarder names all that is wanted: the status and storage topics of a
        # profile nobody asked for would be in a cluster that knows nothing of them.
        self._names_all = not named and values.rank(t.CONFIG_TOPIC) > Rank.PROFILE
        self._derived: dict[str, Shown] = {}

    def shown(self) -> tuple[Shown, ...]:
        """Every setting in the order of the table."""
        return tuple(self._derived.get(setting.name) or self._show(setting) for setting in self.table.settings)

    def _output(self) -> ClusterSettings:
        v = self._values
        hosts = [address for address in v.every(t.CONFIG_TOPIC) if address.brokers]
        if v.rank(t.OUTPUT_BROKER) <= Rank.PROFILE and hosts:
            cluster = self._cluster(hosts[0], t.CONFIG_TOPIC)
            self._derive(t.OUTPUT_BROKER, ",".join(cluster.brokers), "the cluster of config-topic")
            return cluster
        address = v.value(t.OUTPUT_BROKER)
        if address.topic:
            self.warnings.append("output-broker: the topic in it has no meaning; every stream has its own")
        return self._cluster(address, t.OUTPUT_BROKER)

    def _topic(self, address: Address, setting: Setting[Address], output: ClusterSettings) -> TopicSettings:
        topic = address.topic or _TOPICS[setting.name]
        if not address.topic:
            self.warnings.append(f"{setting.name}: the address of a cluster without a topic; taking {topic}")
        return TopicSettings(self._cluster(address, setting) if address.brokers else output, topic)

    def _optional_topic(self, setting: Setting[Address], output: ClusterSettings) -> TopicSettings | None:
        if self._names_all and self._values.rank(setting) <= Rank.PROFILE:
            self._derive(setting, "", "config-topic is given and no profile")
            return None
        return self._topic(self._values.value(setting), setting, output)

    def _password(self, setting: Setting[str]) -> str:
        return self._values.password(setting, t.PASSWORD_FILES[setting.name])

    def _cluster(self, address: Address, setting: Setting[Address]) -> ClusterSettings:
        return ClusterSettings(address.brokers, self._security(address, setting), self._values.value(t.CREATE_TOPICS))

    def _security(self, address: Address, setting: Setting[Address]) -> Security:
        v = self._values
        protocol = address.protocol or v.get(t.SECURITY_PROTOCOL) or "PLAINTEXT"
        if not address.protocol and v.get(t.SASL_USERNAME) and not v.get(t.SECURITY_PROTOCOL):
            raise self._missing(t.SECURITY_PROTOCOL, "sasl-username is set")
        mechanism = username = password = ""
        if protocol.startswith("SASL_"):
            why = f"{setting.name} is to be reached with {protocol}"
            mechanism = address.mechanism or v.get(t.SASL_MECHANISM) or ""
            username = address.username or v.get(t.SASL_USERNAME) or ""
            password = self._password(_PASSWORDS[setting.name]) or self._password(t.SASL_PASSWORD)
            for value, missing in (
                (mechanism, t.SASL_MECHANISM),
                (username, t.SASL_USERNAME),
                (password, _PASSWORDS[setting.name]),
            ):
                if not value:
                    raise self._missing(missing, why)
        if not protocol.endswith("SSL"):
            return Security(protocol, mechanism, username, password)
        certificate, key = v.get(t.SSL_CERT_FILE), v.get(t.SSL_KEY_FILE)
        if key and not certificate:
            raise self._missing(t.SSL_CERT_FILE, "ssl-key-file is set")
        return Security(protocol, mechanism, username, password, v.get(t.SSL_CA_CERT_FILE), certificate, key)

    def _missing(self, setting: Setting[Any], why: str) -> BadSetting:
        places = [f"the environment variable {setting.variables[0]}"]
        if setting.secret:
            places.append(f"--{setting.name}-file")
        else:
            places.append(f"--{setting.name}")
        return BadSetting(
            f"{setting.name}: not set in any place, but {why}; allowed: {setting.allowed}, by {' or '.join(places)}"
        )

    def _warn_of_idle_passwords(self, clusters: Iterable[ClusterSettings]) -> None:
        if not any(cluster.security.protocol.startswith("SASL_") for cluster in clusters):
            for password in t.PASSWORDS:
                if self._values.raw(password) or self._values.raw(t.PASSWORD_FILES[password.name]):
                    self.warnings.append(f"{password.name}: has no effect, no address names a user")

    def _log(self, service_id: str) -> LogSettings:
        v = self._values
        file, directory = v.get(t.LOG_FILE), v.get(t.LOG_DIRECTORY)
        makes_folder = file is None and directory is not None
        if directory is not None and file is not None:
            self.warnings.append("log-directory: has no effect, log-file is given")
        elif directory is not None:
            file = directory / (v.get(t.LOG_FOLDER) or _folder(service_id)) / self.log_file
            self._derive(t.LOG_FILE, str(file), "log-directory")
        return LogSettings(
            level=v.value(t.VERBOSITY),
            levels=v.every(t.LOG_LEVEL),
            format=LogFormat(v.value(t.LOG_FORMAT)),
            file=file,
            makes_folder=makes_folder,
            file_bytes=v.value(t.LOG_FILE_BYTES),
            files_kept=v.value(t.LOG_FILES_KEPT),
            graylog=v.get(t.GRAYLOG),
        )

    def _http(self) -> HttpSettings | None:
        v = self._values
        listen = v.get(t.HTTP)
        if listen is None:
            others = [
                setting for setting in self.table.settings if setting.group == t.HTTP.group and setting is not t.HTTP
            ]
            idle = next((setting.name for setting in others if v.raw(setting)), "")
            if idle:
                self.warnings.append(f"{idle}: has no effect, http is not set")
            return None
        user, password = v.get(t.HTTP_USER) or "", self._password(t.HTTP_PASSWORD)
        if user and not password:
            raise self._missing(t.HTTP_PASSWORD, "http-user is set")
        if password and not user:
            raise self._missing(t.HTTP_USER, "http-password is set")
        certificate, key = v.get(t.HTTP_CERT_FILE), v.get(t.HTTP_KEY_FILE)
        if key and not certificate:
            raise self._missing(t.HTTP_CERT_FILE, "http-key-file is set")
        host, port = listen
        if user and certificate is None and host not in LOOPBACKS:
            self.warnings.append(f"http-password: travels unencrypted to {host}; give --http-cert-file to serve HTTPS")
        return HttpSettings(host, port, user, password, certificate, key)

    def _channel_access(self) -> ChannelAccessSettings:
        v = self._values
        return ChannelAccessSettings(
            addr_list=v.value(t.CA_ADDR_LIST),
            auto_addr_list=v.value(t.CA_AUTO_ADDR_LIST),
            name_servers=v.value(t.CA_NAME_SERVERS),
            server_port=v.value(t.CA_SERVER_PORT),
            repeater_port=v.value(t.CA_REPEATER_PORT),
            max_array_bytes=v.value(t.CA_MAX_ARRAY_BYTES),
            conn_timeout_s=v.value(t.CA_CONN_TMO),
            max_search_datagrams_per_s=v.value(t.CA_MAX_SEARCH_RATE),
        )

    def _state_directory(self, name: str, source: str) -> Path:
        """The one that is given, or else one of this name, which comes from the setting `source`."""
        state = self._values.get(t.STATE_DIRECTORY)
        if state is None:
            state = Path(_STATE, _folder(name)).expanduser()
            self._derive(t.STATE_DIRECTORY, str(state), source)
        return state

    def _derive(self, setting: Setting[Any], value: str, source: str) -> None:
        self._derived[setting.name] = Shown(setting.name, value, source)

    def _show(self, setting: Setting[Any]) -> Shown:
        raw = self._values.raw(setting)
        if raw is None:
            return Shown(setting.name, "", "not set")
        return Shown(setting.name, _text(setting, raw), raw.source)


def _folder(service_id: str) -> str:
    """A folder's name that every system takes."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", service_id)


def _text(setting: Setting[Any], raw: Raw) -> str:
    if setting.secret:
        return "***"
    if setting.kind is Kind.PAIRS:
        return " ".join(f"{librdkafka_name(name)} ***" for name in words(raw.texts)[::2])
    return " ".join(raw.texts) if setting.kind is Kind.MANY else raw.texts[-1]
