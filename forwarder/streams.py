"""What is forwarded now, and what a command changes about it."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from forwarder.model import Add, Command, Exit, Pattern, Remove, RemoveAll, Replace, Stream


@dataclass(frozen=True, slots=True)
class Changes:
    """What to do so that what is forwarded is what was asked for. A stream is in at most one of the three."""

    opened: tuple[Stream, ...] = ()
    closed: tuple[Stream, ...] = ()
    updated: tuple[Stream, ...] = ()
    """Streams that go on with another `periodic`, which they have here."""

    def __bool__(self) -> bool:
        return bool(self.opened or self.closed or self.updated)


class StreamTable:
    """The streams that are forwarded, in the order they were opened. Each is there once."""

    def __init__(self) -> None:
        # The key may be an older stream with another `periodic`: equality doesn't see it. The value is the one meant.
        self._streams: dict[Stream, Stream] = {}

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._streams.values())

    def __len__(self) -> int:
        return len(self._streams)

    def __contains__(self, stream: Stream) -> bool:
        return stream in self._streams

    def apply(self, command: Command) -> Changes:
        """Does what the command says, and tells what that changed.

        A stream that a command names twice counts once, with the last `periodic`.
        """
        match command:
            case Add(streams):
                return self._merge(streams)
            case Replace(streams):
                wanted = set(streams)
                closed = self._close(lambda stream: stream not in wanted)
                merged = self._merge(streams)
                return Changes(merged.opened, closed, merged.updated)
            case Remove(patterns):
                return Changes(closed=self._close(_matcher(patterns)))
            case RemoveAll():
                return Changes(closed=self._close(lambda _: True))
            case Exit():
                return Changes()

    def _merge(self, streams: Iterable[Stream]) -> Changes:
        opened: list[Stream] = []
        updated: list[Stream] = []
        for stream in {each: each for each in streams}.values():
            known = self._streams.get(stream)
            if known is None:
                opened.append(stream)
            elif known.periodic != stream.periodic:
                updated.append(stream)
            else:
                continue
            self._streams[stream] = stream
        return Changes(tuple(opened), (), tuple(updated))

    def _close(self, unwanted: Callable[[Stream], bool]) -> tuple[Stream, ...]:
        closed = tuple(stream for stream in self if unwanted(stream))
        for stream in closed:
            del self._streams[stream]
        return closed


_Names: TypeAlias = tuple[str | None, str | None, str | None, str | None]
"""Channel, schema, topic and broker of a pattern."""
_Test: TypeAlias = Callable[[str], object]


def _matcher(patterns: Iterable[Pattern]) -> Callable[[Stream], bool]:
    """Whether a stream is one that any of the patterns means.

    Patterns without wildcards, thousands of them perhaps, are looked up by the names they give. Only those with
    wildcards are tried one after the other.
    """
    plain: defaultdict[tuple[bool, ...], set[_Names]] = defaultdict(set)
    wild: set[_Names] = set()
    for pattern in patterns:
        names = (pattern.channel, pattern.schema, pattern.topic, pattern.broker)
        if pattern.wildcards and (_has_wildcard(pattern.channel) or _has_wildcard(pattern.topic)):
            wild.add(names)
        else:
            plain[tuple(name is not None for name in names)].add(names)
    tests = [(whole_match(channel), schema, whole_match(topic), broker) for channel, schema, topic, broker in wild]

    def matches(stream: Stream) -> bool:
        names = (stream.channel, stream.schema, stream.topic, stream.broker)
        for given, wanted in plain.items():
            if tuple(name if is_given else None for name, is_given in zip(names, given, strict=True)) in wanted:
                return True
        return any(
            (schema is None or schema == stream.schema)
            and (broker is None or broker == stream.broker)
            and channel(stream.channel)
            and topic(stream.topic)
            for channel, schema, topic, broker in tests
        )

    return matches


def _has_wildcard(text: str | None) -> bool:
    return text is not None and ("*" in text or "?" in text)


def whole_match(pattern: str | None) -> _Test:
    """Whether a whole text matches a pattern, in which only `?` and `*` are special; None matches all.

    Each `*` but the last takes as little as it can and never reconsiders (`(?>...)`): if what follows it is found
    further left, that leaves more for the rest. So the time grows with length of pattern times length of text, where
    plain `.*` would try every way to share the text among the stars.
    """
    if pattern is None:
        return lambda _: True
    first, *others = (re.escape(run).replace(r"\?", ".") for run in re.split(r"\*+", pattern))
    if others:
        *middle, last = others
        first += "".join(f"(?>.*?{run})" for run in middle) + f".*{last}"
    return re.compile(first, re.DOTALL).fullmatch
