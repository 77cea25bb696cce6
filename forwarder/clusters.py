"""The clusters that the service sends to, and the names they have in the outbox."""

from collections.abc import Iterator

from .errors import BadStream
from .settings.types import Settings

_DEFAULT = ""
STATUS = "status"
"""The name of the status topic's cluster, where no stream goes."""


class Clusters:
    """Which cluster a stream's broker belongs to."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.by_label = {_DEFAULT: settings.output}
        """The settings of each cluster, by its name in the outbox."""
        self._labels = {"": _DEFAULT, **dict.fromkeys(settings.output.brokers, _DEFAULT)}
        for cluster in settings.allowed_outputs:
            label = self._labels.setdefault(cluster.brokers[0], cluster.brokers[0])
            self.by_label.setdefault(label, cluster)
            for broker in cluster.brokers:
                self._labels.setdefault(broker, label)
        status = settings.status_topic
        if status is not None and status.cluster not in self.by_label.values():
            self.by_label[STATUS] = status.cluster

    def label(self, broker: str) -> str:
        """The name of a broker's cluster. Raises BadStream for one that is not allowed."""
        label = self._labels.get(broker)
        if label is None:
            # A cluster may serve on another port today than the one that old configurations name.
            host = broker.rpartition(":")[0]
            of_host = {label for known, label in self._labels.items() if known and known.rpartition(":")[0] == host}
            if len(of_host) != 1:
                allowed = ", ".join(sorted(filter(None, self._labels)))
                raise BadStream(f"the output broker {broker} is not allowed; allowed are {allowed}")
            label = of_host.pop()
        return label

    def status_label(self) -> str:
        """The name of the cluster that the status topic is in, which there must be."""
        topic = self._settings.status_topic
        assert topic is not None
        return next(label for label, cluster in self.by_label.items() if cluster == topic.cluster)

    def own_topics(self) -> Iterator[tuple[str, str]]:
        """Cluster and name of the topics that the service itself talks through."""
        settings = self._settings
        for topic in (*settings.config_topics, settings.status_topic, settings.storage_topic):
            if topic is not None:
                for label, cluster in self.by_label.items():
                    if set(cluster.brokers) & set(topic.cluster.brokers):
                        yield label, topic.topic
