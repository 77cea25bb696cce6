"""The table of PVs: which of them are asked for, in which order, and which part of that."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from forwarder.streams import whole_match

from .facts import PROTOCOLS, SEVERITIES, STATES, Facts, Pv
from .parameters import Parameter, Text, Whole
from .sampler import Sampler
from .slices import in_slices

_Entry = tuple[bool, Any, str, Pv]
"""Whether it has nothing to be sorted by, that, its name, and the PV itself."""

_KEYS: dict[str, Callable[[Pv, Sampler], Any]] = {
    "name": lambda pv, _: pv.name,
    "protocol": lambda pv, _: pv.protocol,
    "state": lambda pv, _: STATES.index(pv.state),
    "value": lambda pv, _: pv.value if isinstance(pv.value, int | float) and pv.value == pv.value else None,
    "time": lambda pv, _: pv.time_ns or None,
    "units": lambda pv, _: pv.units or None,
    "alarm": lambda pv, _: pv.severity,
    "rate": lambda pv, sampler: sampler.rate(pv),
    "received": lambda pv, _: pv.received,
    "silent": lambda pv, sampler: sampler.silent_s(pv),
    "dropped": lambda pv, _: sum(pv.losses().values()),
    "error": lambda pv, _: pv.error[0] or 0 if pv.error else None,
    "connects": lambda pv, _: pv.connects,
    "disconnects": lambda pv, _: pv.disconnects,
    "connected_at": lambda pv, _: pv.connected_at_ns,
    "lost_at": lambda pv, _: pv.lost_at_ns,
}
"""What can be sorted by. A PV for which it is None is last in either order."""

_TEXTS = ("name", "protocol", "units")

PARAMETERS: tuple[Parameter, ...] = (
    Text(
        "search",
        "Part of the PV's name, or a pattern of all of it with `*` and `?`; case does not matter.",
        "",
        (),
        200,
    ),
    Text("state", "Only PVs whose connection is so.", "", ("", *STATES)),
    Text("protocol", "Only PVs read over this protocol.", "", ("", *PROTOCOLS)),
    Text("topic", "Only PVs that go to this topic.", "", (), 300),
    Text("schema", "Only PVs that go out in this schema.", "", (), 50),
    Text("alarm", "Only PVs whose alarm is of this severity.", "", ("", *SEVERITIES)),
    Text("dropped", "Only PVs with losses for this reason; `any` for whatever reason.", "", (), 200),
    Text("refused", "`yes`: only PVs with a stream whose schema has no place for their values.", "", ("", "yes")),
    Text("error", "`yes`: only PVs with an error.", "", ("", "yes")),
    Whole("silent", "Only connected PVs without an update for so many seconds.", 0, 0, 10**9),
    Text("sort", "What to sort by; PVs without it come last.", "name", tuple(_KEYS)),
    Text("order", "Whether the smallest or the largest comes first.", "asc", ("asc", "desc")),
    Whole("offset", "How many of the sorted PVs to leave out.", 0, 0, 10**7),
    Whole("limit", "How many PVs to give at most.", 100, 1, 500),
)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the table."""

    pvs: list[Pv]
    matched: int
    """PVs that were asked for, on all pages."""
    total: int
    """PVs there are."""


async def select(facts: Facts, sampler: Sampler, asked: dict[str, Any]) -> Page:
    """The PVs that are asked for, by the values of PARAMETERS."""
    matches = _filter(sampler, asked)
    key = _KEYS[asked["sort"]]
    falling = asked["order"] == "desc"
    # Numbers fall when they are negated, so that PVs that are equal stay in the order of their names.
    backwards = falling and asked["sort"] in _TEXTS
    counted = facts.counted()
    runs: list[list[_Entry]] = []
    async for some in in_slices(counted):
        run: list[_Entry] = []
        for each in some:
            pv = facts.pv(each)
            if matches(pv):
                value = key(pv, sampler)
                missing = (value is None) is not backwards
                run.append((missing, -value if falling and not backwards and value is not None else value, pv.name, pv))
        # Short runs are sorted in no time, where all at once would keep the loop.
        run.sort(key=_order, reverse=backwards)
        runs.append(run)
    matched = sum(map(len, runs))
    end = asked["offset"] + asked["limit"]
    sorted_pvs = islice(heapq.merge(*runs, key=_order, reverse=backwards), end)
    place = 0
    pvs: list[Pv] = []
    async for some in in_slices(sorted_pvs):
        first = max(asked["offset"] - place, 0)
        pvs += [pv for *_, pv in some[first:]]
        place += len(some)
    return Page(pvs, matched, len(counted))


def _order(entry: _Entry) -> tuple[bool, Any, str]:
    return entry[:3]


def _filter(sampler: Sampler, asked: dict[str, Any]) -> Callable[[Pv], bool]:
    """Whether a PV is one of those that are asked for; what is not asked is not looked at."""
    tests: list[Callable[[Pv], object]] = []
    if state := asked["state"]:
        tests.append(lambda pv: pv.state == state)
    if protocol := asked["protocol"]:
        tests.append(lambda pv: pv.protocol == protocol)
    if search := asked["search"].casefold():
        tests.append(_named(search))
    if topic := asked["topic"]:
        tests.append(lambda pv: any(outlet.stream.topic == topic for outlet in pv.outlets))
    if schema := asked["schema"]:
        tests.append(lambda pv: any(outlet.stream.schema == schema for outlet in pv.outlets))
    if alarm := asked["alarm"]:
        severity = SEVERITIES.index(alarm)
        tests.append(lambda pv: pv.state == "connected" and pv.severity == severity)
    if reason := asked["dropped"]:
        tests.append(lambda pv: pv.losses() if reason == "any" else reason in pv.losses())
    if asked["refused"]:
        tests.append(lambda pv: any(outlet.refused for outlet in pv.outlets))
    if asked["error"]:
        tests.append(lambda pv: pv.error)
    if silent_s := asked["silent"]:
        tests.append(lambda pv: (sampler.silent_s(pv) or 0) >= silent_s)
    return lambda pv: all(test(pv) for test in tests)


def _named(search: str) -> Callable[[Pv], object]:
    if "*" in search or "?" in search:
        matches = whole_match(search)
        return lambda pv: matches(pv.name.casefold())
    return lambda pv: search in pv.name.casefold()
