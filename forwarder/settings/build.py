"""Settings from values: what makes sense only together is put together, and checked, here."""

from collections.abc import Iterable

from ..errors import BadSetting
from . import table as t
from .common import Common
from .raw import Rank
from .types import (
    ClusterSettings,
    CommandSettings,
    EventLoop,
    InstrumentTopicsSettings,
    ProducerSettings,
    PvAccessSettings,
    Settings,
    SpoolSettings,
    TimeSettings,
    TopicSettings,
)
from .uri import topic_address, without_user
from .values import bad


class Builder(Common):
    """Makes the settings of one forwarder from its values."""

    table = t.TABLE
    log_file = "forwarder.log"

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
        state = self._state_directory(service_id, "service-id")
        directory = v.get(t.SPOOL_DIRECTORY)
        if v.raw(t.SPOOL_DIRECTORY) is None:
            directory = state / "spool"
            self._derive(t.SPOOL_DIRECTORY, str(directory), "state-directory")
        return SpoolSettings(directory, v.value(t.SPOOL_MAX_BYTES), v.value(t.SPOOL_AFTER))

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
