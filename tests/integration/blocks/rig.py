"""Instruments beside one forwarder: what it serves by its status, and what comes of it in Kafka."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from forwarder.decode import decode
from tests.support.block_server import BlockServer
from tests.support.blocks_process import BlocksProcess
from tests.support.consume import consume
from tests.support.forwarder_process import ForwarderProcess, Topics
from tests.support.kafka import Broker
from tests.support.waiting import wait_until

IN_FORCE_WITHIN_S = 2.0
"""What is promised for a change on the instrument."""
REPAIRED_WITHIN_S = 15.0


class Site:
    """The topics of one forwarder, itself, and the instruments that tell it what to serve."""

    def __init__(
        self,
        broker: Broker,
        unique: Callable[[str], str],
        ca_addresses: Sequence[str] = (),
        *,
        stores: bool = True,
        flags: Sequence[str] = (),
    ) -> None:
        """`flags` are the forwarder's; `stores`: whether it has its streams again after a restart."""
        self.broker = broker
        self._topics = Topics(unique("config"), unique("status"), unique("storage") if stores else None)
        broker.create_topic(self._topics.config)
        broker.create_topic(self._topics.status)
        if self._topics.storage is not None:
            broker.create_topic(self._topics.storage, cleanup_policy="compact")
        flags = ["--status-interval", "500", "--stop-timeout", "1", *flags]
        self.forwarder = ForwarderProcess(broker.address, self._topics, ca_addresses=ca_addresses, flags=flags)

    @property
    def config_topic(self) -> str:
        return self._topics.config

    def companion(
        self, server: BlockServer, prefix: str, instrument: str, *flags: str, told: bool = True
    ) -> BlocksProcess:
        """The process beside an instrument; `told`: whether it knows the status topic."""
        where = f"{self.broker.address}/"
        return BlocksProcess(
            prefix,
            instrument,
            config=where + self._topics.config,
            status=where + self._topics.status if told else None,
            storage=where + self._topics.storage if told and self._topics.storage else None,
            ca_addresses=[server.ca_address],
            flags=flags or ("--no-archive", "--no-run-log"),
        )

    def served(self) -> set[tuple[str, str]]:
        """Channel and topic of all streams, as the newest status says."""
        (status,) = self.forwarder.statuses()[-1:]
        return {(each["channel_name"], each["output_topic"].rpartition("/")[2]) for each in status["streams"]}

    def channels(self, topic: str) -> set[str]:
        """Those that are forwarded to a topic."""
        return {channel for channel, of in self.served() if of == topic}

    def wait_for(self, topic: str, channels: Iterable[str], within_s: float = REPAIRED_WITHIN_S) -> None:
        """Return when exactly these are forwarded to a topic."""
        wanted = set(channels)
        wait_until(lambda: self.channels(topic) == wanted, within_s, what=f"{topic} has {wanted}")

    def values(self, topic: str, channel: str) -> list[int]:
        """What came of a PV that counts, in f142."""
        records = consume(self.broker.address, topic)
        messages = [decode(each.value) for each in records if each.key == channel.encode() and each.value]
        return [round(each.value) for each in messages if each.schema == "f142"]


def blocks(prefix: str, *names: str) -> set[str]:
    """The PVs of these."""
    return {f"{prefix}CS:SB:{name}" for name in names}


def missed(values: Sequence[int]) -> list[tuple[int, int]]:
    """Where a PV that counts has gaps."""
    return [(before, after) for before, after in pairwise(values) if after != before + 1]
