"""Where streams go: the cluster that the broker in their topic stands for, as the service itself sees it."""

from collections.abc import Iterable, Iterator

from ..clusters import Clusters
from ..errors import BadStream
from ..model import Stream
from ..settings.types import ClusterSettings, Settings


def topics_of(settings: Settings, streams: Iterable[Stream]) -> Iterator[tuple[ClusterSettings, str]]:
    """Cluster and topic of each stream, those to clusters left out that these settings do not know."""
    clusters = Clusters(settings)
    for stream in streams:
        try:
            label = clusters.label(stream.broker)
        except BadStream:
            continue
        yield clusters.by_label[label], stream.topic
