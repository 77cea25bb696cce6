"""The topics of an instrument, and of the service: which there are, what each is to be like, and how one differs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import BadSetting
from ..kafka.admin import NewTopic, TopicFacts
from ..settings.load import DEFAULT_PROFILE
from ..settings.types import ClusterSettings, InstrumentTopicsSettings, Settings, TopicSettings

POLICY, RETENTION = "cleanup.policy", "retention.ms"
CONFIGS = (POLICY, RETENTION)
"""The settings of a topic that matter here."""

READINGS = "sampleEnv", "runLog", "runInfo", "monitorHistograms", "detSpecMap", "areaDetector", "alarms"
EVENTS = "events", "rawEvents"
CONFIG, STATUS, STORAGE = "forwarderConfig", "forwarderStatus", "forwarderStorage"

_INSTRUMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,199}")
_MS_PER_DAY, _MS_PER_HOUR = 86_400_000, 3_600_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One topic as it is to be."""

    name: str
    partitions: int
    may_have_more: bool
    """Whether more partitions do no harm: order does not matter across them."""
    replication: int
    policy: str
    retention_ms: int | None
    """None: the newest message of each key is kept for ever."""

    @property
    def kept(self) -> str:
        """For people."""
        return f"{_days(self.retention_ms)}" if self.retention_ms is not None else "newest of each key"

    def new(self, brokers: int) -> NewTopic:
        """What to ask a cluster of so many brokers for."""
        config = {POLICY: self.policy}
        if self.retention_ms is not None:
            config[RETENTION] = str(self.retention_ms)
        return NewTopic(self.name, self.partitions, min(self.replication, brokers), config)

    def differences(self, facts: TopicFacts, config: Mapping[str, str] | None, brokers: int) -> list[str]:
        """How the topic that is there is not as wanted, each in words; `config` is None where it may not be seen."""
        said: list[str] = []
        partitions = len(facts.partitions)
        if partitions < self.partitions or (partitions > self.partitions and not self.may_have_more):
            at_least = "at least " if self.may_have_more else ""
            said.append(f"{_count(partitions, 'partition')}, expected {at_least}{self.partitions}")
        if facts.replication < (copies := min(self.replication, brokers)):
            said.append(f"{_count(facts.replication, 'copy', 'copies')}, expected {copies}")
        if config is None:
            return [*said, "its settings may not be seen with these credentials"]
        if (policy := config.get(POLICY, "")) != self.policy:
            said.append(f"{POLICY} {policy}, expected {self.policy}")
        elif self.retention_ms is not None and config.get(RETENTION) != str(self.retention_ms):
            said.append(f"kept for {_days(int(config.get(RETENTION, -1)))}, expected {_days(self.retention_ms)}")
        return said


def topics_of(instrument: str, settings: InstrumentTopicsSettings) -> list[Wanted]:
    """All topics of an instrument. Raises BadSetting for a name that no instrument has."""
    if not _INSTRUMENT.fullmatch(instrument):
        raise BadSetting(f'"{instrument}" is no name of an instrument; allowed: letters, digits, dots and hyphens')
    retention = dict.fromkeys(READINGS, settings.retention_s)
    retention |= dict.fromkeys(EVENTS, settings.event_retention_s)
    retention |= {CONFIG: settings.retention_s, STATUS: settings.status_retention_s}
    topics = [
        _dated(f"{instrument}_{suffix}", kept_s, settings, settings.event_partitions if suffix in EVENTS else None)
        for suffix, kept_s in retention.items()
    ]
    return [*topics, _compacted(f"{instrument}_{STORAGE}", settings)]


def instrument_of(topic: str) -> str | None:
    """The instrument whose set a topic is of, by its name; None for any other topic."""
    instrument, _, suffix = topic.rpartition("_")
    in_set = suffix in (*READINGS, *EVENTS, CONFIG, STATUS, STORAGE)
    return instrument if in_set and _INSTRUMENT.fullmatch(instrument) else None


def topics_of_service(settings: Settings) -> dict[ClusterSettings, list[Wanted]]:
    """Those that the service itself talks through, as its settings name them, by their cluster."""
    like = settings.topics
    named = [(topic, _dated(topic.topic, like.retention_s, like)) for topic in settings.config_topics]
    if (status := settings.status_topic) is not None:
        named.append((status, _dated(status.topic, like.status_retention_s, like)))
    if (storage := settings.storage_topic) is not None:
        named.append((storage, _compacted(storage.topic, like)))
    found: dict[ClusterSettings, list[Wanted]] = {}
    for topic, wanted in named:
        found.setdefault(topic.cluster, []).append(wanted)
    return found


def what_makes(topic: TopicSettings, settings: Settings) -> str:
    """The command that makes a topic, for people who have just given these settings."""
    brokers = ",".join(topic.cluster.brokers)
    if (instrument := instrument_of(topic.topic)) is not None:
        whose = instrument if topic.cluster == settings.output else f"{instrument} --output-broker {brokers}"
    elif topic in (*settings.config_topics, settings.status_topic, settings.storage_topic):
        whose = "--service"
    else:
        return f"make it: kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic.topic}"
    profile = f" --profile {settings.profile}" if settings.profile != DEFAULT_PROFILE else ""
    return f"make it, with the same settings: forwarder topics create {whose}{profile}"


def _dated(name: str, kept_s: float, settings: InstrumentTopicsSettings, at_least: int | None = None) -> Wanted:
    """One that is kept for some time; `at_least` so many partitions, or just one, which keeps the order."""
    return Wanted(name, at_least or 1, at_least is not None, settings.replication, "delete", round(kept_s * 1000))


def _compacted(name: str, settings: InstrumentTopicsSettings) -> Wanted:
    return Wanted(name, 1, False, settings.replication, "compact", None)


def _count(number: float, one: str, more: str = "") -> str:
    return f"{number:g} {one if number == 1 else more or one + 's'}"


def _days(ms: int) -> str:
    if ms < 0:
        return "ever"
    if ms % _MS_PER_DAY:
        return _count(ms / _MS_PER_HOUR, "hour")
    return _count(ms // _MS_PER_DAY, "day")
