"""Compares topics with what they are to be, and makes those that are missing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..kafka import admin
from ..kafka.admin import Made, TopicFacts
from ..kafka.cluster import Cluster, words_of
from .instrument import CONFIGS, Wanted


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of one topic."""

    wanted: Wanted
    facts: TopicFacts
    differences: Sequence[str]
    """How it is not as wanted; empty for one that is, and for one that is missing."""

    @property
    def missing(self) -> bool:
        return self.facts.missing


@dataclass(frozen=True, slots=True)
class Comparison:
    """What there is of all topics of one cluster."""

    cluster: str
    found: Sequence[Found]
    brokers: int
    others: Sequence[str]
    """Topics with the names of these instruments in front that are not in their set."""

    @property
    def missing(self) -> list[Wanted]:
        return [each.wanted for each in self.found if each.missing]

    @property
    def different(self) -> list[Found]:
        return [each for each in self.found if each.differences]


async def compare(cluster: Cluster, wanted: Sequence[Wanted], instruments: Iterable[str]) -> Comparison:
    """Look at these topics. Raises KafkaAway."""
    names = [topic.name for topic in wanted]
    facts = await admin.describe(cluster, names)
    brokers = len(facts.brokers)
    there = [name for name in names if not facts.topics[name].error]
    configs = await admin.configs(cluster, there, CONFIGS)
    prefixes = tuple(f"{instrument}_" for instrument in instruments)
    everything = (await admin.describe(cluster, None)).topics if prefixes else ()
    others = sorted(name for name in everything if name.startswith(prefixes) and name not in names)
    found = [_found(topic, facts.topics[topic.name], configs, brokers) for topic in wanted]
    return Comparison(cluster.name, found, brokers, others)


def _found(wanted: Wanted, facts: TopicFacts, configs: dict[str, dict[str, str]], brokers: int) -> Found:
    if facts.missing:
        return Found(wanted, facts, ())
    if facts.error:
        return Found(wanted, facts, [words_of(facts.error, "seen")])
    differences = wanted.differences(facts, configs.get(wanted.name), brokers)
    if facts.behind:
        differences.append(f"copies of {facts.behind} of its partitions are not up to date")
    if leaderless := sum(leader < 0 for leader in facts.partitions.values()):
        differences.append(f"{leaderless} of its partitions have no leader")
    return Found(wanted, facts, differences)


async def make(cluster: Cluster, comparison: Comparison, *, only_try: bool) -> Made:
    """Have those made that are missing, or that can't be seen. Raises KafkaAway."""
    new = [each.wanted.new(comparison.brokers) for each in comparison.found if each.facts.error]
    return await admin.create(cluster, new, only_try=only_try) if new else Made()
