"""What one scrape of /metrics says, for tests."""

from collections import defaultdict

from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """Samples by name, without the prefix that all have."""

    def __init__(self, text: str) -> None:
        self._values: defaultdict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._values[sample.name].append((sample.labels, sample.value))

    def total(self, name: str, **labels: str) -> float:
        """The sum of all series with these labels."""
        found = self._values[f"forwarder_{name}"]
        return sum(value for has, value in found if labels.items() <= has.items())

    def came(self, topic: str) -> float:
        """Messages that there were for a topic."""
        return self.total("messages_appended_total", topic=topic) + self.total("messages_restored_total", topic=topic)

    def known(self, topic: str) -> float:
        """Messages for a topic of which it is known what became of them."""
        names = ("messages_acknowledged_total", "messages_waiting", "messages_dropped_total")
        return sum(self.total(name, topic=topic) for name in names)
