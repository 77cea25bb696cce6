"""Settings of the process beside an instrument, from values."""

from typing import Any

from .. import table as t
from ..common import Common
from ..raw import Rank
from ..setting import Setting
from ..types import Dialect, EventLoop
from . import table as b
from .types import BlocksSettings, DatabaseSettings


class Builder(Common):
    """Makes the settings of one process from its values."""

    table = b.TABLE
    log_file = "blocks.log"

    def settings(self) -> BlocksSettings:
        v = self._values
        prefix, instrument = self._required(b.PREFIX), self._required(b.INSTRUMENT)
        output = self._output()
        config = self._topic(v.value(t.CONFIG_TOPIC), t.CONFIG_TOPIC, output)
        status, storage = self._optional_topic(t.STATUS_TOPIC, output), self._optional_topic(t.STORAGE_TOPIC, output)
        self._warn_of_idle_passwords((output, *(topic.cluster for topic in (config, status, storage) if topic)))
        if self._names_broker():
            broker = output.brokers[0]
        else:
            broker = ""
            self._derive(t.OUTPUT_BROKER, ",".join(output.brokers), "not given, so that topics do not name it")
        forwarder = v.get(t.SERVICE_ID) if v.is_set_above(t.SERVICE_ID, Rank.PROFILE) else None
        if forwarder is None:
            self._derive(t.SERVICE_ID, "", "not given: the one that reads config-topic")
        return BlocksSettings(
            profile=self._profile,
            prefix=prefix,
            instrument=instrument,
            config_topic=config,
            status_topic=status,
            storage_topic=storage,
            forwarder=forwarder,
            broker=broker,
            schema=v.value(b.BLOCK_SCHEMA),
            dialect=Dialect(v.value(b.DIALECT)),
            blocks=not v.value(b.NO_BLOCKS),
            run_log=not v.value(b.NO_RUN_LOG),
            archive=self._archive(),
            state_directory=self._state_directory(f"blocks-{instrument}", "instrument"),
            stop_timeout_s=v.value(t.STOP_TIMEOUT),
            event_loop=EventLoop(v.value(t.EVENT_LOOP)),
            ca=self._channel_access(),
            never_connected_after_s=v.value(t.NEVER_CONNECTED_AFTER),
            http=self._http(),
            log=self._log(f"blocks-{instrument}"),
        )

    def _required(self, setting: Setting[str]) -> str:
        found = self._values.get(setting)
        if found is None:
            raise self._missing(setting, "an instrument is asked for")
        return found

    def _names_broker(self) -> bool:
        return self._values.is_set_above(t.OUTPUT_BROKER, Rank.PROFILE)

    def _archive(self) -> DatabaseSettings | None:
        v = self._values
        if v.value(b.NO_ARCHIVE):
            idle: tuple[Setting[Any], ...] = (b.DATABASE, b.DATABASE_USER, b.DATABASE_PASSWORD, b.ARCHIVE_PERIOD)
            set_too = [setting.name for setting in idle if v.is_set_above(setting, Rank.DEFAULT)]
            self.warnings += [f"{name}: has no effect, no-archive is given" for name in set_too]
            return None
        host, port = v.value(b.DATABASE)
        password = v.password(b.DATABASE_PASSWORD, b.DATABASE_PASSWORD_FILE)
        return DatabaseSettings(host, port, v.value(b.DATABASE_USER), password, v.value(b.ARCHIVE_PERIOD))
