"""What `forwarder check` looks at, and in which order."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..settings.load import Reading
from ..tools import check_forwarder, check_host, check_kafka
from ..tools.findings import Finding, ok, warning
from .terminal import Terminal

if TYPE_CHECKING:
    from ..tools.check_epics import Asked


async def ask(
    reading: Reading,
    terminal: Terminal,
    pvs: Sequence[str],
    topics: Sequence[str],
    ntp: str | None,
    timeout_s: float,
) -> list[Finding]:
    """All findings. Raises BadSetting for what is no topic or no PV."""
    settings = reading.settings
    wanted = _wanted(pvs)
    findings: list[Finding] = [
        ok("settings", f"profile {settings.profile}", f"service id {settings.service_id}"),
        *(warning("settings", each.partition(": ")[0], each.partition(": ")[2]) for each in reading.warnings),
    ]
    named = [reading.topic(topic) for topic in topics]
    with terminal.waiting("asking the forwarder"):
        status, said = await check_forwarder.ask(settings, settings.service_id if reading.names_instance else None)
    with terminal.waiting("asking the brokers"):
        data = [*named, *check_forwarder.topics(settings, status)]
        findings += [each async for each in check_kafka.check(settings, data)]
    findings += said
    findings.append(check_host.check_clock())
    if ntp:
        with terminal.waiting(f"asking {ntp} for the time"):
            findings.append(await check_host.check_ntp(ntp))
    findings += check_host.check_spool(settings.spool)
    if wanted:
        from ..tools import check_epics

        with terminal.progress("looking for the PVs", "found") as show:
            findings += await check_epics.check(settings, wanted, timeout_s, show)
    return findings


def _wanted(pvs: Sequence[str]) -> "list[Asked]":
    """What is wrong with one is said before anything is asked; the clients are imported only for some."""
    if not pvs:
        return []
    from ..tools.check_epics import asked

    return [asked(pv) for pv in pvs]
