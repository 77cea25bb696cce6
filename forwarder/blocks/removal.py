"""How a forwarder is told to stop serving streams, and nothing else."""

from collections.abc import Iterable

from forwarder.model import Pattern, Remove, Stream


def removal(streams: Iterable[Stream], *, whole_channels: bool) -> Remove:
    """The command; `whole_channels`: for a forwarder that can only stop all streams of a channel."""
    if whole_channels:
        return Remove(tuple(Pattern(each.channel) for each in streams))
    return Remove(tuple(Pattern(each.channel, each.schema, each.topic, each.broker or None) for each in streams))
