"""Looks whether PVs can be reached, with the very clients that the service reads them with."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ..commands.limits import Limits
from ..commands.names import check_channel
from ..epics.ca.client import ChannelAccess
from ..epics.interface import Client
from ..epics.p4p_client import PvAccess
from ..errors import BadCommand, BadSetting
from ..model import ChannelType, Severity, Transport, Value
from ..settings.types import Settings
from .findings import Finding, failed, ok, warning

_FUTURE_S = 2.0
_SCHEMES = {"ca": (Transport.CA,), "pva": (Transport.PVA,)}
_BOTH = (Transport.CA, Transport.PVA)


@dataclass(frozen=True, slots=True)
class Asked:
    """A PV, and over what to look for it."""

    name: str
    transports: tuple[Transport, ...]


def asked(text: str) -> Asked:
    """From `NAME`, `ca://NAME` or `pva://NAME`. Raises BadSetting."""
    scheme, mark, name = text.partition("://")
    if not mark:
        name, transports = text, _BOTH
    elif scheme in _SCHEMES:
        transports = _SCHEMES[scheme]
    else:
        raise BadSetting(f'pv: "{text}" begins with no transport that there is; allowed: NAME, ca://NAME or pva://NAME')
    try:
        return Asked(check_channel(name, Limits().channel_length), transports)
    except BadCommand as error:
        raise BadSetting(f'pv: "{text}": {error}') from None


@dataclass(eq=False)
class _Listener:
    """Waits for the first update of one PV over one transport."""

    channel: str
    heard: Callable[[str], None]
    """Is told the PV's name with each value."""
    alarm_message: str = ""
    wants_description: bool = False
    server: str = ""
    kind: ChannelType | None = None
    time_ns: int = 0
    severity: int = 0
    problem: str = ""
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def connected(self, kind: ChannelType, server: str = "") -> None:
        self.kind, self.server = kind, server

    def described(self, units: str, choices: tuple[str, ...]) -> None:
        pass

    def update(self, value: Value, time_ns: int, status: int, severity: int) -> None:
        self.time_ns, self.severity = time_ns, severity
        self.answered.set()
        self.heard(self.channel)

    def failed(self, error: Exception) -> None:
        self.problem = str(error)
        self.answered.set()

    def disconnected(self, reason: str = "") -> None:
        self.kind = None

    def never_connected(self) -> None:
        pass


async def check(
    settings: Settings, pvs: Sequence[Asked], timeout_s: float, show: Callable[[int, int], None]
) -> list[Finding]:
    """One finding a PV: over which transports it is found, and what it is there.

    `show` is told how many PVs are found over any of them, and of how many.
    """
    found: dict[Transport, dict[str, _Listener]] = {}
    problems: dict[Transport, str] = {}
    clients: dict[Transport, Client] = {
        Transport.CA: ChannelAccess(settings.ca, timeout_s),
        Transport.PVA: PvAccess(settings.pva, timeout_s),
    }
    total = len({pv.name for pv in pvs})
    names_heard: set[str] = set()

    def heard(name: str) -> None:
        if name not in names_heard:
            names_heard.add(name)
            show(len(names_heard), total)

    show(0, total)
    wanted = {each: [pv.name for pv in pvs if each in pv.transports] for each in clients}
    looks = [
        _look(clients[each], [_Listener(name, heard) for name in names], timeout_s, found.setdefault(each, {}))
        for each, names in wanted.items()
        if names
    ]
    for each, answer in zip(found, await asyncio.gather(*looks, return_exceptions=True), strict=True):
        if isinstance(answer, OSError):
            problems[each] = str(answer)
        elif answer is not None:
            raise answer
    return [_finding(pv, {each: found[each].get(pv.name) for each in pv.transports}, problems) for pv in pvs]


async def _look(client: Client, listeners: Iterable[_Listener], timeout_s: float, found: dict[str, _Listener]) -> None:
    """Raises OSError where no socket is to be had."""
    await client.start()
    running = asyncio.create_task(client.run(), name="EPICS client")
    try:
        for listener in listeners:
            found[listener.channel] = listener
            client.subscribe(listener)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await asyncio.gather(*(each.answered.wait() for each in found.values()))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await client.close()


def _finding(pv: Asked, found: dict[Transport, "_Listener | None"], problems: dict[Transport, str]) -> Finding:
    said: list[str] = []
    there = doubtful = False
    for transport, listener in found.items():
        how = transport.name.lower()
        if listener is None:
            said.append(f"{how}: {problems.get(transport, 'could not be looked for')}")
        elif listener.kind is None:
            said.append(f"{how}: not found")
        elif listener.problem or not listener.answered.is_set():
            said.append(f"{how}: connected, but no value: {listener.problem or 'none came'}")
        else:
            there = True
            ahead_s = listener.time_ns / 1e9 - time.time()
            late = f", {ahead_s:.1f} s in the future" if ahead_s > _FUTURE_S else ""
            doubtful |= bool(late)
            kind = f"{'array of ' if listener.kind.is_array else ''}{listener.kind.element.value}"
            alarm = "" if not listener.severity else f", {Severity(listener.severity).name}"
            said.append(f"{how}: {kind}{f' from {listener.server}' if listener.server else ''}{alarm}{late}")
    detail = "; ".join(said)
    if not there:
        return failed("pv", pv.name, detail, "see the name, whether its IOC runs, and the address lists of ca and pva")
    if doubtful:
        return warning("pv", pv.name, detail, "see whether its IOC and this machine keep their time by NTP")
    return ok("pv", pv.name, detail)
