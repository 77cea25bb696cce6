"""What is wrong now, the worst first, and how much goes through."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from .facts import SEVERITIES, STATES, Facts, Level, Trouble
from .sampler import LATELY_S, SILENT_S, Census, Sampler


def overview(facts: Facts, sampler: Sampler) -> dict[str, Any]:
    """The first page."""
    totals = facts.totals()
    census = sampler.census
    last = sampler.moments[-1] if sampler.moments else None
    troubles = sorted([*facts.troubles(), *_of_pvs(census), *_of_drops(sampler)], key=lambda each: -each.level)
    return {
        "service": asdict(facts.service()),
        "troubles": [asdict(each) | {"level": each.level.name.lower()} for each in troubles],
        "pvs": {state: census.states[state] for state in STATES} | {"total": len(facts.counted())},
        "alarms": {severity: census.severities[number] for number, severity in enumerate(SEVERITIES)},
        "silent": census.silent,
        "with_losses": census.with_losses,
        "losses": dict(census.losses),
        "refused_streams": census.refused_streams,
        "rates": {
            "received": round(last.received_rate, 1) if last else None,
            "acknowledged": round(last.acknowledged_rate, 1) if last else None,
        },
        "latency_s": round(last.latency_s, 4) if last and last.latency_s is not None else None,
        "totals": asdict(totals) | {"dropped": dict(totals.dropped)},
        "series": sampler.series(),
    }


def _of_pvs(census: Census) -> Iterator[Trouble]:
    if lost := census.states["disconnected"]:
        yield Trouble(
            Level.WARNING,
            f"{_pvs(lost)} disconnected",
            "Their IOC or the network to it is away, or it serves them no more. They are searched until they are back.",
            link="pvs?state=disconnected&sort=lost_at&order=desc",
        )
    if never := census.states["never_connected"]:
        yield Trouble(
            Level.WARNING,
            f"{_pvs(never)} never connected",
            "No IOC has offered them since they were asked for: is the name right, the IOC up, its address searched?",
            link="pvs?state=never_connected",
        )
    if refused := census.refused_streams:
        yield Trouble(
            Level.WARNING,
            f"{refused} {'stream' if refused == 1 else 'streams'} can't be sent in the schema asked for",
            "The schema has no place for what the PV delivers; the PV's page says why.",
            link="pvs?refused=yes",
        )
    if silent := census.silent:
        yield Trouble(
            Level.NOTE,
            f"{_pvs(silent)} without an update for {SILENT_S / 60:g} minutes",
            "Connected, and nothing came. That is normal for a value that does not change.",
            link=f"pvs?silent={SILENT_S:g}&sort=silent&order=desc",
        )


def _of_drops(sampler: Sampler) -> Iterator[Trouble]:
    lately = sampler.dropped_lately()
    if not sampler.moments:
        return
    minutes = f"{LATELY_S / 60:g} minutes"
    for reason, count in sampler.moments[-1].totals.dropped.items():
        more = lately.get(reason, 0)
        yield Trouble(
            Level.ERROR if more else Level.NOTE,
            f"{count} {'message' if count == 1 else 'messages'} dropped: {reason}",
            f"{more} of them in the last {minutes}."
            if more
            else f"None in the last {minutes}; counted since the start.",
            link="topics"
            if reason in ("spool damaged", "spool unreadable")
            else f"pvs?{urlencode({'dropped': reason})}&sort=dropped&order=desc",
        )


def _pvs(count: int) -> str:
    return f"{count} PV" if count == 1 else f"{count} PVs"
