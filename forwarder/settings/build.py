"""Settings from values: what makes sense only together is put together, and checked, here."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadSetting
from . import table as t
from .files import words
from .names import librdkafka_name
from .parse import LOOPBACKS
from .raw import Rank, Raw
from .table import Kind, Setting
from .types import (
    ChannelAccessSettings,
    ClusterSettings,
    CommandSettings,
    EventLoop,
    HttpSettings,
    InstrumentTopicsSettings,
    LogFormat,
    LogSettings,
    ProducerSettings,
    PvAccessSettings,
    Security,
    Settings,
    SpoolSettings,
    TimeSettings,
    TopicSettings,
)
from .uri import Address, topic_address, without_user
from .values import Values, bad

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
_LOG_FILE = "forwarder.log"


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting, as a user may see it: no secrets."""

    name: str
    value: str
    source: str


class Builder:
    """Makes the settings of one run from its values."""

    def __init__(self, values: Values, profile: str, named: bool) -> None:
        self.warnings: list[str] = []
        self._values = values
        self._profile = profile
        # The command line of an existing forwarder names all that is wanted: the status and storage topics of a
        # profile nobody asked for would be in a cluster that knows nothing of them.
        self._names_all = not named and values.rank(t.CONFIG_TOPIC) > Rank.PROFILE
        self._derived: dict[str, Shown] = {}

    def settings(self) -> Settings:
        v = self._values
        output = self._output()
        config = tuple(dict.fromkeys(self._topic(one, t.CONFIG_TOPIC, output) for one in v.every(t.CONFIG_TOPIC)))
        status = self._optional_topic(t.STATUS_TOPIC, output)
        storage = self._optional_topic(t.STORAGE_TOPIC, output)
        self._warn_of_idle_passwords((output, *(topic.cluster for topic in (*config, status, storage) if topic)))
        service_id = self._service_id(config[0])
        return Settings(
            profile=self._profile,
            service_id=service_id,
            config_topics=config,
            status_topic=status,
            storage_topic=storage,
            output=output,
            allowed_outputs=self._allowed_outputs(output, (*config, status, storage)),
            streams_file=v.get(t.STREAMS_JSON),
            skip_retrieval=v.value(t.SKIP_RETRIEVAL),
            read_from_beginning=v.value(t.READ_CONFIG_FROM) == "beginning",
            status_interval_s=v.value(t.STATUS_INTERVAL),
            statistics_interval_s=v.value(t.STATISTICS_INTERVAL),
            repeat_period_s=v.value(t.PV_UPDATE_PERIOD),
            # 0 is the C++ forwarder's "nothing is made up", which here each stream says for itself.
            fake_period_s=v.value(t.FAKE_PV_PERIOD) or 1.0,
            never_connected_after_s=v.value(t.NEVER_CONNECTED_AFTER),
            stop_timeout_s=v.value(t.STOP_TIMEOUT),
            event_loop=EventLoop(v.value(t.EVENT_LOOP)),
            producer=self._producer(),
            ca=self._channel_access(),
            pva=self._pv_access(),
            commands=self._commands(),
            spool=self._spool(service_id),
            topics=self._instrument_topics(),
            times=TimeSettings(v.value(t.SEND_OUT_OF_ORDER), v.value(t.FUTURE_LIMIT), v.value(t.PAST_LIMIT)),
            log=self._log(service_id),
            http=self._http(),
        )

    def topic(self, text: str) -> TopicSettings:
        """A topic that a command names by itself, in the cluster of output-broker if it names no host.

        Its cluster is reached as that of output-broker is. Raises BadSetting.
        """
        try:
            address = topic_address(text)
        except ValueError as error:
            raise BadSetting(f'topic: "{without_user(text)}" {error}; allowed: {t.STATUS_TOPIC.allowed}') from None
        if not address.topic:
            raise BadSetting(f'topic: "{without_user(text)}" names no topic; allowed: {t.STATUS_TOPIC.allowed}')
        cluster = self._cluster(address, t.OUTPUT_BROKER) if address.brokers else self._output()
        return TopicSettings(cluster, address.topic)

    def shown(self) -> tuple[Shown, ...]:
        """Every setting in the order of the table."""
        return tuple(self._derived.get(setting.name) or self._show(setting) for setting in t.SETTINGS)

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

    def _service_id(self, config: TopicSettings) -> str:
        if not self._names_all or self._values.rank(t.SERVICE_ID) > Rank.PROFILE:
            return self._values.value(t.SERVICE_ID)
        # Without a profile there may be one instance an instrument on this machine, each with its own config topic.
        service_id = f"forwarder-{config.topic}"
        self._derive(t.SERVICE_ID, service_id, "the name of config-topic")
        return service_id

    def _allowed_outputs(
        self, output: ClusterSettings, topics: Iterable[TopicSettings | None]
    ) -> tuple[ClusterSettings, ...]:
        """The clusters allowed by name, and those this service talks to anyway."""
        named = [self._cluster(address, t.ALLOWED_OUTPUT) for address in self._values.every(t.ALLOWED_OUTPUT)]
        known = [topic.cluster for topic in topics if topic]
        return tuple(cluster for cluster in dict.fromkeys((*named, *known)) if cluster.brokers != output.brokers)

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
            password = v.password(_PASSWORDS[setting.name]) or v.password(t.SASL_PASSWORD)
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

    def _producer(self) -> ProducerSettings:
        v = self._values
        waiting, batch = v.value(t.MAX_WAITING_BYTES), v.value(t.MAX_BATCH_BYTES)
        if batch > waiting:
            raw = v.raw(t.MAX_BATCH_BYTES)
            assert raw is not None
            raise bad(t.MAX_BATCH_BYTES, raw.texts[-1], raw.source, f"is more than max-waiting-bytes, {waiting}")
        return ProducerSettings(
            linger_s=v.value(t.LINGER),
            max_batch_bytes=batch,
            max_waiting_bytes=waiting,
            request_timeout_s=v.value(t.REQUEST_TIMEOUT),
            compression=v.value(t.COMPRESSION),
        )

    def _spool(self, service_id: str) -> SpoolSettings:
        v = self._values
        state = v.get(t.STATE_DIRECTORY)
        if state is None:
            state = Path(_STATE, _folder(service_id)).expanduser()
            self._derive(t.STATE_DIRECTORY, str(state), "service-id")
        directory = v.get(t.SPOOL_DIRECTORY)
        if v.raw(t.SPOOL_DIRECTORY) is None:
            directory = state / "spool"
            self._derive(t.SPOOL_DIRECTORY, str(directory), "state-directory")
        return SpoolSettings(directory, v.value(t.SPOOL_MAX_BYTES), v.value(t.SPOOL_AFTER))

    def _log(self, service_id: str) -> LogSettings:
        v = self._values
        file, directory = v.get(t.LOG_FILE), v.get(t.LOG_DIRECTORY)
        makes_folder = file is None and directory is not None
        if directory is not None and file is not None:
            self.warnings.append("log-directory: has no effect, log-file is given")
        elif directory is not None:
            file = directory / (v.get(t.LOG_FOLDER) or _folder(service_id)) / _LOG_FILE
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
            others = [setting for setting in t.SETTINGS if setting.group == t.HTTP.group and setting is not t.HTTP]
            idle = next((setting.name for setting in others if v.raw(setting)), "")
            if idle:
                self.warnings.append(f"{idle}: has no effect, http is not set")
            return None
        user, password = v.get(t.HTTP_USER) or "", v.password(t.HTTP_PASSWORD)
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

    def _commands(self) -> CommandSettings:
        v = self._values
        return CommandSettings(
            max_message_bytes=v.value(t.MAX_COMMAND_BYTES),
            max_streams=v.value(t.MAX_STREAMS),
            max_name_length=v.value(t.MAX_NAME_LENGTH),
            schemas=v.value(t.ALLOWED_SCHEMAS),
            topics=v.value(t.ALLOWED_TOPICS),
            obey_exit=v.value(t.OBEY_EXIT),
        )

    def _instrument_topics(self) -> InstrumentTopicsSettings:
        v = self._values
        return InstrumentTopicsSettings(
            replication=v.value(t.TOPIC_REPLICATION),
            event_partitions=v.value(t.TOPIC_EVENT_PARTITIONS),
            retention_s=v.value(t.TOPIC_RETENTION),
            event_retention_s=v.value(t.TOPIC_EVENT_RETENTION),
            status_retention_s=v.value(t.TOPIC_STATUS_RETENTION),
        )

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

    def _pv_access(self) -> PvAccessSettings:
        v = self._values
        return PvAccessSettings(
            addr_list=v.value(t.PVA_ADDR_LIST),
            auto_addr_list=v.value(t.PVA_AUTO_ADDR_LIST),
            name_servers=v.value(t.PVA_NAME_SERVERS),
            broadcast_port=v.value(t.PVA_BROADCAST_PORT),
            server_port=v.value(t.PVA_SERVER_PORT),
            conn_timeout_s=v.value(t.PVA_CONN_TMO),
            queue_size=v.value(t.PVA_QUEUE_SIZE),
        )

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
