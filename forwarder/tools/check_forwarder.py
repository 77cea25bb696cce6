"""Looks what the forwarder itself says, if one runs."""

import time
from collections.abc import Iterator

from ..errors import BadSetting, ForwarderError
from ..kafka.sender import NOT_KNOWN_YET
from ..remote.connection import Remote
from ..remote.status import Status
from ..settings.types import Settings, TopicSettings
from .destinations import topics_of
from .findings import Finding, failed, ok, unknown, warning

CLOCK = "clock"
_SKEW_MS = 2_000


async def ask(settings: Settings, service_id: str | None) -> tuple[Status | None, list[Finding]]:
    """Its newest status, and what there is to say of it."""
    if settings.status_topic is None:
        return None, [unknown("forwarder", "status", "no status topic is given", "give --status-topic")]
    try:
        async with Remote(settings.config_topics[0], settings.status_topic, service_id=service_id) as remote:
            status = await remote.status()
    except (ForwarderError, BadSetting) as error:
        return None, [unknown("forwarder", "status", str(error))]
    if status is None:
        return None, [unknown("forwarder", "status", "it has never said anything", "start it: forwarder run")]
    return status, list(_said(status, time.time_ns() // 1_000_000))


def topics(settings: Settings, status: Status | None) -> list[TopicSettings]:
    """Those that streams go to, as far as their cluster is known."""
    streams = status.streams if status is not None and status.streams is not None else ()
    return [TopicSettings(cluster, topic) for cluster, topic in topics_of(settings, streams)]


def _said(status: Status, now_ms: int) -> Iterator[Finding]:
    name = status.service_id or "forwarder"
    age_s = (now_ms - status.time_ms) / 1000
    if status.is_alive(now_ms):
        yield ok("forwarder", name, f"{status.software} runs, {status.streams_count} streams")
    else:
        yield warning(
            "forwarder", name, f"{status.state}, silent for {age_s:.0f} s", "see its log and its service manager"
        )
    if age_s * 1000 < -_SKEW_MS:
        yield warning(
            CLOCK, name, f"its newest status is {-age_s:.1f} s in the future: its clock or this one is wrong",
            "see whether both hosts keep their time by NTP",
        )  # fmt: skip
    else:
        yield ok(CLOCK, name, "its newest status is not in the future")
    facts = status.facts
    for part in ("spool", "storage"):
        # A part that somebody has switched off is no problem.
        if (problem := facts.get(part, {}).get("problem", "")) and not problem.startswith("there is n"):
            yield failed("forwarder", part, problem)
    for topic, reason in facts.get("statistics", {}).get("topics_in_trouble", {}).items():
        if reason != NOT_KNOWN_YET:
            yield failed("topic", topic, f"{name} says: {reason}", "make it, or give its streams another topic")
    if count := facts.get("unsendable", {}).get("count", 0):
        yield warning(
            "forwarder", name, f"{count} of its streams can't be sent in their schema", "see: forwarder streams list"
        )
