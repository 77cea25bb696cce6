"""`forwarder check`."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..settings import table as t
from . import exits
from .options import INSTRUMENT, OF_A_FORWARDER, command
from .terminal import BAD, DOUBTFUL, FAINT, GOOD, Cell, Column, Styled, Terminal

if TYPE_CHECKING:
    from ..settings.load import Reading
    from ..tools.findings import Finding

_STYLES = {"ok": GOOD, "warning": DOUBTFUL, "failed": BAD, "not known": FAINT}


@command(
    "check",
    (
        *OF_A_FORWARDER,
        t.STATE_DIRECTORY,
        t.SPOOL_DIRECTORY,
        t.SPOOL_MAX_BYTES,
        *(setting for setting in t.SETTINGS if setting.name.startswith(("ca-", "pva-"))),
    ),
    """
forwarder check --profile production
forwarder check --instrument LARMOR --profile production --pv IN:LARMOR:CS:SB:TEMP1 --pv pva://CAM:IMAGE
forwarder check -c /etc/forwarder.toml --topic LARMOR_sampleEnv --ntp ntp.example.org --json
""",
    click.Option(
        ["--pv", "pvs"],
        multiple=True,
        metavar="NAME",
        help="Look whether this PV can be reached, over both transports, or over the one of ca://NAME or pva://NAME.",
    ),
    click.Option(["--topic", "topics"], multiple=True, metavar="TOPIC", help="A further topic that streams go to."),
    click.Option(["--ntp"], metavar="HOST[:PORT]", help="Compare the clock with this NTP server's."),
    click.Option(
        ["--timeout"],
        type=click.FloatRange(min=0.1),
        default=5.0,
        metavar="S",
        help="Seconds that PVs are looked for. Default: 5.",
    ),
    click.Option(["--json", "as_json"], is_flag=True, help="Print JSON, one object a finding."),
    INSTRUMENT,
)
def check(
    reading: "Reading",
    terminal: Terminal,
    pvs: Sequence[str],
    topics: Sequence[str],
    ntp: str | None,
    timeout: float,
    as_json: bool,
) -> int:
    """Look whether all that a forwarder with these settings needs is there, before it is started or while it runs.

    Settings, brokers, topics, access, clock, disk, and PVs; the topics of the streams it forwards now are looked at
    too. Nothing is changed. The exit code is 5 if something has failed; warnings do not count.
    """
    import asyncio

    from .check_asked import ask

    findings = asyncio.run(ask(reading, terminal, pvs, topics, ntp, timeout))
    if as_json:
        for each in findings:
            click.echo(json.dumps(_described(each)))
    else:
        _print(terminal, findings)
    return exits.DIFFERENT if any(each.verdict.value == "failed" for each in findings) else exits.DONE


def _described(finding: "Finding") -> dict[str, str]:
    return {
        "check": finding.check,
        "subject": finding.subject,
        "verdict": finding.verdict.value,
        "detail": finding.detail,
        "hint": finding.hint,
    }


def _print(terminal: Terminal, findings: "Sequence[Finding]") -> None:
    rows: list[Sequence[Cell]] = []
    for each in findings:
        verdict = each.verdict.value
        rows.append((Styled(verdict, _STYLES[verdict]), each.check, each.subject, each.detail))
        if each.hint:
            rows.append(("", "", "", Styled(f"-> {each.hint}", FAINT)))
    terminal.table((Column("verdict"), Column("check"), Column("of"), Column("found")), rows)
    counts = {verdict: sum(each.verdict.value == verdict for each in findings) for verdict in _STYLES}
    worst = next(verdict for verdict in ("failed", "warning", "not known", "ok") if counts[verdict])
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    terminal.note(said, _STYLES[worst])
